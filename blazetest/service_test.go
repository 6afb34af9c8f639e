package blazetest_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// The data of the reply to a message has the bot's id, and neither category nor conversation, as in a frame recorded in
// 2019.
func TestTheReplyToAMessageIsAStub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connect(t, s)
		time.Sleep(1234567891 * time.Nanosecond)
		now := time.Now().UTC().Format(time.RFC3339Nano)
		reply := c.call(wire.ActionCreateMessage, textMessage(nil))
		require.JSONEq(t, `{"type":"message","representative_id":"","quote_message_id":"","conversation_id":"",`+
			`"user_id":"`+s.Key.AppID+`","message_id":"`+id2+`","category":"","data":"","status":"SENT",`+
			`"source":"CREATE_MESSAGE","created_at":"`+now+`","updated_at":"`+now+`"}`, string(reply.Data))
		require.Empty(t, c.call(wire.ActionAck, object{"message_id": id1, "status": "READ"}).Data, "bare")
		require.Empty(t, c.call(wire.ActionListPending, nil).Data, "bare")
	})
}

// A receipt has few fields with values, as in a frame recorded in 2019.
func TestAReceiptSaysLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connectAndList(t, s)
		c.call(wire.ActionCreateMessage, textMessage(nil))
		now, err := json.Marshal(time.Now().UTC())
		require.NoError(t, err)
		s.Receipt(id2, blaze.StatusRead)
		f := c.read()
		require.Equal(t, "ACKNOWLEDGE_MESSAGE_RECEIPT", f.Action)
		require.JSONEq(t, `{"type":"message","representative_id":"","quote_message_id":"","conversation_id":"",`+
			`"user_id":"","message_id":"`+id2+`","category":"","data":"","status":"READ",`+
			`"source":"ACKNOWLEDGE_MESSAGE_RECEIPT","created_at":"0001-01-01T00:00:00Z",`+
			`"updated_at":`+string(now)+`}`, string(f.Data))
	})
}

// The apps and the SDKs differ in the status, the field of the data and its alphabet.
func TestMessagesAsDifferentClientsWriteThem(t *testing.T) {
	for name, edit := range map[string]object{
		"original":       {"status": "SENT", "data": "PT8/Pw=="},
		"iOS":            {"status": "SENDING", "data": "PT8/Pw=="},
		"Go":             {"status": nil, "data": nil, "data_base64": "PT8_Pw"},
		"Node":           {"status": nil, "data": "PT8_Pw"},
		"Ruby":           {"data": "PT8/\nPw==\n"},
		"padded":         {"data": nil, "data_base64": "PT8_Pw=="},
		"other alphabet": {"data": nil, "data_base64": "PT8/Pw"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newLenientServer(t)
				c := connect(t, s)
				require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(edit)).Error)
				out, err := s.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, blaze.Text("=???"), out.Payload)
			})
		})
	}
}

// The service changes ids to lowercase, except a message's own id, which it rejects.
func TestCapitalsInIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newLenientServer(t)
		c := connect(t, s)
		capital := "AAAAAAAA-1111-4111-8111-111111111111"
		reply := c.call(wire.ActionCreateMessage, textMessage(object{"message_id": capital}))
		require.Equal(t, "params.message_id", field(t, reply))
		require.Len(t, f.take(), 1)
		taken := textMessage(object{"conversation_id": capital, "recipient_id": capital})
		require.Nil(t, c.call(wire.ActionCreateMessage, taken).Error)
		out, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "aaaaaaaa-1111-4111-8111-111111111111", out.ConversationID)
		require.Equal(t, out.ConversationID, out.RecipientID)
	})
}

// The Node SDK ends a connection that received no ping for 30 s. Mixin's old desktop app sends PING requests.
func TestTheServerPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		require.Nil(t, c.call("PING", nil).Error)
		began := time.Now()
		var pings []time.Duration
		pong := c.ws.PingHandler()
		c.ws.SetPingHandler(func(text string) error {
			pings = append(pings, time.Since(began))
			if len(pings) >= 4 {
				return nil
			}
			return pong(text)
		})
		require.Error(t, c.ended())
		require.Equal(t, []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second, time.Minute}, pings[:4])
		require.Equal(t, 75*time.Second, time.Since(began), "30 s after the last pong")
	})
}

// The timeout after a late pong starts with its arrival.
func TestTheTimeOfAPongBeginsWithThePong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		began, pongs := time.Now(), 0
		pong := c.ws.PingHandler()
		c.ws.SetPingHandler(func(text string) error {
			time.Sleep(time.Second)
			if pongs++; pongs > 2 {
				return nil
			}
			return pong(text)
		})
		require.Error(t, c.ended())
		require.Equal(t, (31+30)*time.Second, time.Since(began))
	})
}

// A client is not cut while an interception blocks its connection's reader.
func TestAnInterceptionThatTakesLongEndsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connect(t, s)
		s.Intercept(wire.ActionCreateMessage, func(blazetest.Frame) blazetest.Answer {
			time.Sleep(10 * time.Minute)
			return blazetest.Answer{}
		})
		require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(nil)).Error)
	})
}

// A client that never answers a ping is cut, even if it does not read.
func TestAClientWithoutPongsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connectAndList(t, s)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Error(t, c.ws.WriteControl(websocket.PingMessage, nil, time.Time{}))
	})
}

// Frames do not count as pongs.
func TestAClientThatOnlyWritesIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		c.ws.SetPingHandler(func(string) error { return nil })
		began := time.Now()
		var writer sync.WaitGroup
		writer.Go(func() {
			ping := c.d.Append(nil, []byte(`{"id":"`+id1+`","action":"PING"}`))
			for c.ws.WriteMessage(websocket.BinaryMessage, ping) == nil {
				time.Sleep(time.Second)
			}
		})
		require.Error(t, c.ended())
		writer.Wait()
		require.Less(t, time.Since(began), 32*time.Second)
	})
}

func TestRequestIDsAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ws, _, err := handshake(s, http.Header{
			"Authorization": {"Bearer " + token(t, s, nil)}, "X-Request-Id": {id3},
		}, "Mixin-Blaze-1")
		require.NoError(t, err)
		c := &raw{t: t, ws: ws, d: new(wire.Deflater)}
		require.Nil(t, c.call(wire.ActionListPending, nil).Error)
		require.NoError(t, ws.Close())
	})
}
