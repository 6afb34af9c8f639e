package blazetest_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestCreateMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connect(t, s)
		reply := c.call(wire.ActionCreateMessage, textMessage(object{
			"recipient_id": id3, "quote_message_id": id1, "representative_id": id3,
			"mentions": []string{id1}, "silent": true, "expire_in": 60,
		}))
		require.Nil(t, reply.Error)
		want := blaze.Outgoing{
			ConversationID: id1, Payload: blaze.Text("hi"), MessageID: id2,
			RecipientID: id3, QuoteID: id1, RepresentativeID: id3,
			Mentions: []string{id1}, Silent: true, ExpireIn: time.Minute,
		}
		got, err := s.Next(ctx(t))
		require.NoError(t, err)
		require.Equal(t, want, got)

		c.call(wire.ActionCreateMessage, textMessage(object{"data": "aG8="}))
		require.Equal(t, []blaze.Outgoing{want}, s.Sent(), "an id is stored once")

		c.call(wire.ActionCreateMessage, textMessage(object{"message_id": id3, "category": "ENCRYPTED_TEXT"}))
		got, err = s.Next(ctx(t))
		require.NoError(t, err)
		require.True(t, got.Encrypted)
		require.IsType(t, blaze.Raw{}, got.Payload)
		require.Nil(t, got.Mentions)
	})
}

func TestCreateMessageInvalid(t *testing.T) {
	cases := map[string]object{
		"params.conversation_id":   {"conversation_id": nil},
		"params.message_id":        {"message_id": "1"},
		"params.category":          {"category": "plain text"},
		"params.status":            {"status": "READ"},
		"params.data":              {"data": "aGk!"},
		"params.data_base64":       {"data_base64": "a"},
		"params.recipient_id":      {"recipient_id": "11111111111141118111111111111111"},
		"params.quote_message_id":  {"quote_message_id": id1, "category": "MESSAGE_RECALL"},
		"params.representative_id": {"representative_id": "x"},
		"params.mentions[1]":       {"mentions": []string{id1, "x"}},
		"params.expire_in":         {"expire_in": -1},
		"params":                   {"silent": "yes"},
	}
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := connect(t, s)
		for name, edit := range cases {
			require.Equal(t, name, field(t, c.call(wire.ActionCreateMessage, textMessage(edit))))
			require.Len(t, f.take(), 1, name)
		}
		for _, data := range []string{"-+-+", "aGk==", strings.Repeat("A", 200<<10)} {
			reply := c.call(wire.ActionCreateMessage, textMessage(object{"data": data}))
			require.Equal(t, "params.data", field(t, reply))
			require.Len(t, f.take(), 1)
		}
		require.Equal(t, "params", field(t, c.call(wire.ActionCreateMessage, nil)))
		require.Len(t, f.take(), 1)
		require.Empty(t, s.Sent())
	})
}

func TestCreatePlainMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newLenientServer(t)
		c := connect(t, s)
		batch := func(ms ...object) wire.Frame { return c.call(wire.ActionCreatePlain, object{"messages": ms}) }
		good := textMessage(object{"recipient_id": id3, "status": nil})
		reply := batch(good, textMessage(object{"recipient_id": id3, "message_id": id3}), good)
		require.Nil(t, reply.Error)
		require.Regexp(t, `^"[A-Za-z0-9]+"$`, string(reply.Params))
		require.Len(t, s.Sent(), 2)

		card := object{"recipient_id": id3, "category": "APP_CARD"}
		require.Equal(t, "params.messages[1].category", field(t, batch(good, textMessage(card))))
		quote := object{"recipient_id": id3, "quote_message_id": id1, "category": "PLAIN_IMAGE"}
		require.Equal(t, "params.messages[0].quote_message_id", field(t, batch(textMessage(quote))))
		require.Equal(t, "params.messages[0].recipient_id", field(t, batch(textMessage(nil))))
		require.Equal(t, "params.messages", field(t, batch()))
		require.Equal(t, "params.messages", field(t, batch(make([]object, 101)...)))
		long := textMessage(object{"recipient_id": id3, "data": strings.Repeat("A", 128<<10)})
		require.Equal(t, "params.messages", field(t, batch(long)))
		require.Equal(t, "params", field(t, c.call(wire.ActionCreatePlain, []int{})))
		require.Len(t, f.take(), 7)
		require.Len(t, s.Sent(), 2)
		require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(quote)).Error, "alone it quotes")
	})
}

func TestPushUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServerWith(t, blazetest.Options{Lenient: true})
		alice := blazetest.UserID("alice")
		first := s.Deliver(alice, blaze.Outgoing{
			Payload: blaze.Text("one?"), Silent: true, ExpireIn: time.Minute, QuoteID: id1, RepresentativeID: id2,
		})
		c := connectAndList(t, s)
		m := c.pushed()
		require.Equal(t, first, m.MessageID)
		require.Equal(t, "LIST_PENDING_MESSAGES", m.Source)
		require.Equal(t, "b25lPw==", m.Data)
		require.Equal(t, "b25lPw", m.DataBase64)
		require.Equal(t, blaze.ConversationID(s.Key.AppID, alice), m.ConversationID)
		require.Equal(t, alice, m.UserID)
		require.True(t, m.Silent)
		require.EqualValues(t, 60, m.ExpireIn)
		require.Equal(t, id1, m.QuoteMessageID)
		require.Equal(t, id2, m.RepresentativeID)
		require.Equal(t, time.Now().UTC(), m.CreatedAt.UTC())

		second := s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("two"), ConversationID: id3})
		m = c.pushed()
		require.Equal(t, second, m.MessageID)
		require.Equal(t, "CREATE_MESSAGE", m.Source)
		require.Equal(t, id3, m.ConversationID)

		again := connectAndList(t, s)
		require.Equal(t, first, again.pushed().MessageID)
		require.Equal(t, second, again.pushed().MessageID)
		require.Equal(t, []string{first, second}, s.Pending())

		delivered := object{"messages": []object{{"message_id": second, "status": "DELIVERED"}}}
		require.Nil(t, c.call(wire.ActionAcks, delivered).Error)
		c.write(wire.ActionListPending, object{})
		c.read()
		require.Equal(t, first, c.pushed().MessageID)
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": first, "status": "READ"}).Error)
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": first, "status": "READ"}).Error)
		require.Empty(t, s.Pending())
		require.Equal(t, []string{second, first}, s.Acked())
		require.NoError(t, s.Idle(ctx(t)))
	})
}

func TestDeliverAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connectAndList(t, s)
		alice := blazetest.UserID("alice")
		deliver := func(id, text string) { s.Deliver(alice, blaze.Outgoing{MessageID: id, Payload: blaze.Text(text)}) }
		deliver(id1, "one")
		deliver(id2, "two")
		deliver(id1, "one")
		for _, id := range []string{id1, id2, id1} {
			require.Equal(t, id, c.pushed().MessageID)
		}
		require.Equal(t, []string{id1, id2}, s.Pending())
		c.call(wire.ActionAck, object{"message_id": id1, "status": "READ"})
		deliver(id1, "one")
		require.Equal(t, id1, c.pushed().MessageID)
		require.Equal(t, []string{id2, id1}, s.Pending())
		require.Equal(t, []string{id1}, s.Acked())
	})
}

func TestAcknowledgeInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := connect(t, s)
		badID := object{"message_id": "x", "status": "READ"}
		require.Equal(t, "params.message_id", field(t, c.call(wire.ActionAck, badID)))
		require.Equal(t, "params.status", field(t, c.call(wire.ActionAck, object{"message_id": id1, "status": "SENT"})))
		require.Equal(t, "params", field(t, c.call(wire.ActionAck, "x")))
		require.Equal(t, "params", field(t, c.call(wire.ActionAcks, "x")))
		require.Equal(t, "params.messages", field(t, c.call(wire.ActionAcks, object{})))
		require.Equal(t, "params.messages", field(t, c.call(wire.ActionAcks, object{"messages": make([]object, 101)})))
		noStatus := object{"messages": []object{{"message_id": id1}}}
		require.Equal(t, "params.messages[0].status", field(t, c.call(wire.ActionAcks, noStatus)))
		require.Len(t, f.take(), 7)
		require.Empty(t, s.Acked())
	})
}

func TestUnknownActionsAndBadFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := connect(t, s)
		reply := c.call("COUNT_SIGNAL_KEYS", nil)
		require.Equal(t, 404, reply.Error.Code)
		require.Len(t, f.take(), 1)
		require.NoError(t, c.ws.WriteMessage(websocket.TextMessage, []byte("{}")))
		c.writeBytes([]byte("not gzip"))
		c.writeBytes(new(wire.Deflater).Append(nil, []byte("{")))
		c.writeBytes(new(wire.Deflater).Append(nil, []byte(`{"id":"1","action":"LIST_PENDING_MESSAGES"}`)))
		require.Equal(t, "id", field(t, c.read()))
		require.Len(t, f.take(), 4)
	})
}

func TestReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newLenientServer(t)
		c := connect(t, s)
		c.call(wire.ActionCreateMessage, textMessage(object{"recipient_id": id3}))
		s.Receipt(id2, blaze.StatusDelivered)
		c.write(wire.ActionListPending, nil)
		c.read()
		kept := c.read()
		s.Receipt(id2, blaze.StatusRead)
		live := c.read()
		for f, status := range map[*wire.Frame]string{&kept: "DELIVERED", &live: "READ"} {
			require.Equal(t, wire.ActionAck, f.Action)
			m, err := readView(f.Data)
			require.NoError(t, err)
			require.Equal(t, id2, m.MessageID)
			require.Equal(t, status, m.Status)
			require.Equal(t, wire.ActionAck, m.Source)
			require.Empty(t, m.ConversationID)
			require.Empty(t, m.Category)
			require.False(t, m.UpdatedAt.IsZero())
		}
		s.Receipt(id1, blaze.StatusRead)
		s.Receipt(id2, blaze.StatusSent)
		require.Len(t, f.take(), 2)
	})
}

func TestDeliverMisuse(t *testing.T) {
	s, f := newServer(t)
	alice := blazetest.UserID("alice")
	require.Empty(t, s.Deliver("alice", blaze.Outgoing{Payload: blaze.Text("x")}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Image{}}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("x"), MessageID: "x"}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("x"), ConversationID: "x"}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Raw{As: "APP_CARD"}, Encrypted: true}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("x"), QuoteID: "x"}))
	require.Empty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("x"), ExpireIn: time.Millisecond}))
	s.Intercept("GET /", nil)
	require.Len(t, f.take(), 9)
	require.Empty(t, s.Pending())
	require.NotEmpty(t, s.Deliver(alice, blaze.Outgoing{Payload: blaze.Raw{As: "NEW_THING", Data: []byte{0xff}}}))
	join := blaze.SystemConversation{Action: "JOIN", ParticipantID: alice}
	require.NotEmpty(t, s.Deliver(alice, blaze.Outgoing{Payload: join}))
}

// Only the user and the bot can write in their contact conversation, even before the user has written.
func TestDeliverElsewhere(t *testing.T) {
	s, f := newServer(t)
	bob := s.User("bob")
	inBobs := blaze.Outgoing{Payload: blaze.Text("x"), ConversationID: bob.ConversationID()}
	require.Empty(t, s.Deliver(blazetest.UserID("alice"), inBobs))
	require.Len(t, f.take(), 1)
	require.NotEmpty(t, bob.Say("hi"))
	require.Empty(t, s.Deliver(blazetest.UserID("alice"), inBobs))
	require.Len(t, f.take(), 1)
	require.NotEmpty(t, s.Deliver(s.Key.AppID, inBobs), "the service may push what the bot itself wrote")
	require.Len(t, s.Pending(), 2)
}

func TestPingAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		var pong string
		c.ws.SetPongHandler(func(p string) error { pong = p; return nil })
		require.NoError(t, c.ws.WriteControl(websocket.PingMessage, []byte("are you there"), time.Time{}))
		c.write(wire.ActionListPending, nil)
		bye := websocket.FormatCloseMessage(1000, "bye")
		require.NoError(t, c.ws.WriteControl(websocket.CloseMessage, bye, time.Time{}))
		c.read()
		require.True(t, websocket.IsCloseError(c.ended(), 1000))
		require.Equal(t, "are you there", pong)
	})
}

func TestLargeQueueDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connectAndList(t, s)
		data := base64.StdEncoding.EncodeToString(make([]byte, 1000))
		for range 50 {
			s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
			c.write(wire.ActionCreateMessage, textMessage(object{"data": data}))
		}
		for range 100 {
			c.read()
		}
	})
}
