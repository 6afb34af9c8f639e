package blaze_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// inCapitals is a message with all ids in capitals.
func inCapitals(v map[string]any) map[string]any {
	ids := map[string]any{}
	for _, field := range []string{
		"message_id", "conversation_id", "user_id", "session_id", "quote_message_id", "representative_id",
	} {
		ids[field] = strings.ToUpper(v[field].(string))
	}
	return with(v, ids)
}

func TestAMessageWithIDsInCapitals(t *testing.T) {
	v := func() map[string]any {
		return with(message("alice", "hello"), map[string]any{
			"quote_message_id": userID("a quote"), "representative_id": userID("somebody"),
		})
	}
	bubble(t, "is the same message", func(t *testing.T) {
		got, r, s := surprised(t, nil, func(c *rawConn) {
			for _, form := range []map[string]any{inCapitals(v()), v(), inCapitals(v())} {
				c.push(form)
			}
			time.Sleep(time.Minute) // until it is acknowledged
			c.push(inCapitals(v()))
			c.push(v())
		})
		require.Len(t, got, 1)
		m, want := got[0], v()
		assert.Equal(t, []any{
			want["message_id"], want["conversation_id"], want["user_id"], want["session_id"], want["quote_message_id"],
			want["representative_id"], false,
		}, []any{m.ID, m.ConversationID, m.UserID, m.SessionID, m.QuoteID, m.RepresentativeID, m.Group})
		assert.EqualValues(t, 4, r.Stats().Duplicates)
		for _, id := range s.ackedIDs() {
			assert.Equal(t, strings.ToLower(id), id, "the service rejects capitals")
		}
	})
	bubble(t, "is of the same conversation", func(t *testing.T) {
		var running, most atomic.Int32
		s := newReplyingServer(t)
		r := s.run(func(context.Context, *blaze.Message) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}, nil)
		synctest.Wait()
		s.conn().push(message("alice", "one"))
		s.conn().push(inCapitals(message("alice", "two")))
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, most.Load())
		assert.EqualValues(t, 2, r.Stats().Handled)
	})
	bubble(t, "is acknowledged by Client.Ack", func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(ok, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		synctest.Wait()
		s.conn().push(inCapitals(v()))
		synctest.Wait()
		id := v()["message_id"].(string)
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id))
		s.conn().push(inCapitals(v()))
		time.Sleep(time.Minute)
		assert.Equal(t, []string{id, id}, s.ackedIDs(), "acknowledged again after its redelivery")
		assert.EqualValues(t, 1, r.Stats().Handled)
	})
}

func TestAReceiptWithItsIDInCapitals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		id := blaze.DeriveID("sent")
		_, _, _ = surprised(t, func(cfg *blaze.Config) {
			cfg.OnReceipt = func(r blaze.Receipt) { got.add("%s %s", r.MessageID, r.Status) }
		}, func(c *rawConn) {
			c.json(frameOf("ACKNOWLEDGE_MESSAGE_RECEIPT", with(message("alice", "x"), map[string]any{
				"message_id": strings.ToUpper(id), "status": "READ",
			})))
		})
		assert.Equal(t, []string{id + " READ"}, got.all())
	})
}

func TestAnAnswerWithItsIDInCapitals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		r := s.run(nil, nil)
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			sent <- err
		}()
		req := s.next()
		req.conn.json(fmt.Sprintf(`{"id":%q,"action":%q}`, strings.ToUpper(req.ID), req.Action))
		synctest.Wait()
		select {
		case err := <-sent:
			require.NoError(t, err)
		default:
			t.Error("the answer was not understood")
		}
	})
}

func TestAHandMadeMessageWithItsIDInCapitals(t *testing.T) {
	m := handMade(botID)
	m.ID, m.ConversationID, m.UserID =
		strings.ToUpper(m.ID), strings.ToUpper(m.ConversationID), strings.ToUpper(m.UserID)
	assert.Equal(t, say(received(botID, 1, nil)), say(m))
}

func TestAnEncryptedMessageIsAnsweredInCapitals(t *testing.T) {
	alone(t, "stored", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		out := encryptedText(c, "alice", "hello")
		out.MessageID = blaze.DeriveID("encrypted")
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			data := fmt.Sprintf(`[{"type":"message","message_id":%q,"state":"SUCCESS"}]`,
				strings.ToUpper(out.MessageID))
			return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(data)}}
		})
		_, err := c.Send(t.Context(), out)
		require.NoError(t, err)
	})
}
