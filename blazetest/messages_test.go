package blazetest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// The response to a single message is the message in the form of the service.
func TestOneMessageOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newRESTClient(t, s)
		alice := s.User("alice")
		alice.Say("hello")
		message := textMessage(object{
			"conversation_id": alice.ConversationID(), "recipient_id": alice.ID(), "status": nil, "data": nil,
			"data_base64": "Pz8_", "quote_message_id": id1, "silent": true, "expire_in": 60,
		})
		data, rejection := c.ask("POST", "/messages", message)
		require.Nil(t, rejection)
		var v view
		require.NoError(t, json.Unmarshal(data, &v))
		require.Equal(t, view{
			ConversationID: alice.ConversationID(), UserID: s.Key.AppID, SessionID: s.Key.SessionID, MessageID: id2,
			Category: "PLAIN_TEXT", Data: "Pz8/", DataBase64: "Pz8_", Status: "SENT", Source: "API",
			QuoteMessageID: id1, Silent: true, ExpireIn: 60, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
		}, v)
		require.Equal(t, blaze.Text("???"), nextOf(t, alice).Payload)

		_, rejection = c.ask("POST", "/messages", message)
		require.Nil(t, rejection)
		require.Len(t, s.Sent(), 1, "an id is stored once")

		for field, edit := range map[string]object{
			"message_id": {"message_id": strings.ToUpper("aaaaaaaa-1111-4111-8111-111111111111")},
			"data":       {"data": "a", "data_base64": nil},
			"body":       {"silent": 1},
		} {
			code, got := c.rejection("POST", "/messages", textMessage(edit))
			require.Equal(t, 10002, code)
			require.Equal(t, field, got)
			require.Len(t, f.take(), 1)
		}
	})
}

// The response to a list of messages is an empty object.
func TestMessagesOverHTTP(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	alice.Say("hello")
	in := func(id string) object {
		return textMessage(object{"conversation_id": alice.ConversationID(), "message_id": id, "data": "Pz8_"})
	}
	data, rejection := c.ask("POST", "/messages", []object{in(id1), in(id2)})
	require.Nil(t, rejection)
	require.Empty(t, data)
	require.Equal(t, `{}`, c.last)
	require.Equal(t, id1, nextOf(t, alice).MessageID)
	require.Equal(t, id2, nextOf(t, alice).MessageID)

	bad := in(id3)
	bad["category"] = "plain"
	code, field := c.rejection("POST", "/messages", []object{in(id3), bad})
	require.Equal(t, 10002, code)
	require.Equal(t, "body[1].category", field)
	require.Len(t, f.take(), 1)
	elsewhere := in(id3)
	elsewhere["conversation_id"] = id1
	code, _ = c.rejection("POST", "/messages", []object{in(id3), elsewhere})
	require.Equal(t, 403, code)
	require.Equal(t, []string{
		"blazetest: the client: POST /messages: body[1].conversation_id: the conversation does not exist",
	}, f.take())
	large := in(id3)
	large["data"] = base64.StdEncoding.EncodeToString(make([]byte, 100<<10))
	for _, body := range []any{[]object{}, `[`, `"x"`, []object{large}, make([]object, 101)} {
		code, _ = c.rejection("POST", "/messages", body)
		require.Equal(t, 10002, code)
		require.Len(t, f.take(), 1)
	}
	require.Len(t, s.Sent(), 2, "what is refused is not stored, and neither is the rest of its list")
}

func TestAcknowledgementsOverHTTP(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	first, second := alice.Say("1"), alice.Say("2")
	acks := []object{{"message_id": second, "status": "DELIVERED"}, {"message_id": first, "status": "READ"}}
	data, rejection := c.ask("POST", "/acknowledgements", acks)
	require.Nil(t, rejection)
	echoed := `[{"message_id":"` + second + `","status":"DELIVERED"},{"message_id":"` + first + `","status":"READ"}]`
	require.JSONEq(t, echoed, string(data))
	require.Empty(t, s.Pending())
	require.Equal(t, []string{second, first}, s.Acked())
	require.NoError(t, s.Idle(t.Context()))

	for _, body := range []any{`{}`, `[]`, make([]object, 101), []object{{"message_id": first, "status": "SENT"}}} {
		code, _ := c.rejection("POST", "/acknowledgements", body)
		require.Equal(t, 10002, code)
		require.Len(t, f.take(), 1)
	}
}

// A client that writes only LIST_PENDING_MESSAGES to the websocket, as fox-one's SDK does. It acknowledges and sends
// over HTTP.
func TestAClientThatSendsOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ws, api := connectAndList(t, s), newRESTClient(t, s)
		alice := s.User("alice")
		alice.Say("ping")
		m := ws.pushed()
		require.Equal(t, "cGluZw", m.DataBase64)
		_, rejection := api.ask("POST", "/messages", object{
			"conversation_id": m.ConversationID, "recipient_id": m.UserID, "message_id": id2, "category": "PLAIN_TEXT",
			"data_base64": "cG9uZw",
		})
		require.Nil(t, rejection)
		_, rejection = api.ask("POST", "/acknowledgements", []object{{"message_id": m.MessageID, "status": "READ"}})
		require.Nil(t, rejection)
		require.Equal(t, blaze.Text("pong"), nextOf(t, alice).Payload)
		require.NoError(t, s.Idle(t.Context()))
	})
}
