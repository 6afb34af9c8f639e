package blazetest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// sdk is a hand-written client. Its requests have the form of another SDK's.
type sdk struct {
	*raw
	s    *blazetest.Server
	http *http.Client
}

func newSDK(t *testing.T, s *blazetest.Server) *sdk {
	t.Helper()
	tr := &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true}
	return &sdk{raw: connect(t, s), s: s, http: &http.Client{Transport: tr}}
}

// post sends an HTTP request with a signed token and the given X-Request-Id.
func (c *sdk) post(path, body, requestID string) string {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.Config.API+path, strings.NewReader(body))
	require.NoError(c.t, err)
	sum := sha256.Sum256([]byte("POST" + path + body))
	req.Header.Set("Authorization", "Bearer "+token(c.t, c.s, func(claims jwt.MapClaims) {
		claims["sig"] = hex.EncodeToString(sum[:])
	}))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", requestID)
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(c.t, http.StatusOK, resp.StatusCode)
	require.Equal(c.t, requestID, resp.Header.Get("X-Request-Id"), "fox-one's SDK refuses another one")
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return string(text)
}

// The official Go SDK writes data_base64 and no status, acknowledges messages one by one, and sends a random
// X-Request-Id over HTTP.
func TestTheOfficialGoSDK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice := s.User("alice")
		first, second := alice.Say("one"), alice.Say("two")
		c := newSDK(t, s)
		require.Nil(t, c.call(wire.ActionListPending, nil).Error)
		for _, id := range []string{first, second} {
			m := c.pushed()
			require.Equal(t, id, m.MessageID)
			text, err := base64.RawURLEncoding.DecodeString(m.DataBase64)
			require.NoError(t, err)
			require.Contains(t, []string{"one", "two"}, string(text))
		}
		for _, id := range []string{first, second} {
			require.Nil(t, c.call(wire.ActionAck, object{"message_id": id, "status": "READ"}).Error)
		}
		require.Empty(t, s.Pending())
		conversation := blaze.ConversationID(s.Key.AppID, alice.ID())
		reply := c.call(wire.ActionCreateMessage, object{
			"conversation_id": conversation, "recipient_id": alice.ID(), "message_id": id1,
			"category": "PLAIN_TEXT", "data_base64": base64.RawURLEncoding.EncodeToString([]byte("answer?")),
			"representative_id": "", "quote_message_id": first,
		})
		require.Nil(t, reply.Error)
		out, err := alice.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("answer?"), out.Payload)
		require.Equal(t, first, out.QuoteID)

		body := `{"conversation_id":"` + conversation + `","recipient_id":"` + alice.ID() + `","message_id":"` + id2 +
			`","category":"PLAIN_TEXT","data_base64":"aGk"}`
		var view struct{ Data view }
		require.NoError(t, json.Unmarshal([]byte(c.post("/messages", body, id3)), &view))
		require.Equal(t, id2, view.Data.MessageID)
		require.Equal(t, conversation, view.Data.ConversationID)
		require.Equal(t, "PLAIN_TEXT", view.Data.Category)
		out, err = alice.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("hi"), out.Payload)
	})
}

// fox-one's SDK only lists pending messages on the websocket. It sends and acknowledges over HTTP, several at once.
func TestFoxOneSDK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice := s.User("alice")
		first, second := alice.Say("one"), alice.Say("two")
		c := newSDK(t, s)
		c.call(wire.ActionListPending, nil)
		require.Equal(t, "b25l", c.pushed().Data)
		require.Equal(t, "dHdv", c.pushed().Data)
		c.post("/acknowledgements", `[{"message_id":"`+first+`","status":"READ"},`+
			`{"message_id":"`+second+`","status":"READ"}]`, id1)
		require.Equal(t, []string{first, second}, s.Acked())
		require.Empty(t, s.Pending())
		conversation := blaze.ConversationID(s.Key.AppID, alice.ID())
		one := `{"conversation_id":"` + conversation + `","recipient_id":"` + alice.ID() + `",`
		c.post("/messages", `[`+one+`"message_id":"`+id1+`","category":"PLAIN_TEXT","data":"aGVsbG8="},`+
			one+`"message_id":"`+id2+`","category":"PLAIN_POST","data":"IyBoaQ=="}]`, id2)
		var got []blaze.Payload
		for range 2 {
			out, err := alice.Next(t.Context())
			require.NoError(t, err)
			got = append(got, out.Payload)
		}
		require.Equal(t, []blaze.Payload{blaze.Text("hello"), blaze.Post("# hi")}, got)
	})
}

// The Node SDK ends a connection that received no ping for 30 s. It acknowledges everything that has data, including
// receipts and the replies to its own messages.
func TestNodeSDK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice := s.User("alice")
		c := newSDK(t, s)
		pinged := time.Now()
		pong := c.ws.PingHandler()
		c.ws.SetPingHandler(func(text string) error {
			require.Less(t, time.Since(pinged), 30*time.Second)
			pinged = time.Now()
			return pong(text)
		})
		c.call(wire.ActionListPending, nil)
		time.AfterFunc(time.Hour, func() { alice.Say("hello") })
		m := c.pushed()
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": m.MessageID, "status": "READ"}).Error)
		require.Nil(t, c.call(wire.ActionCreateMessage, object{
			"conversation_id": m.ConversationID, "message_id": id1, "category": "PLAIN_TEXT", "data_base64": "aGk",
		}).Error)
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": id1, "status": "READ"}).Error, "of the stub")
		out, err := alice.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("hi"), out.Payload)
	})
}
