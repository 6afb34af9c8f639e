package blaze_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// unavailable is a rejection that is transient by its status alone.
var unavailable = blazetest.Answer{Reply: &blazetest.Frame{Error: &blaze.Error{Code: 10001, Status: 503}}}

// After a transient rejection of its reply, a handler's first attempt still succeeds.
func TestATransientRejectionDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			assert.Equal(t, 1, m.Attempt)
			return r.Reply(ctx, m, blaze.Text("hello"))
		}, nil)
		answers(r.Server, actionSend, unavailable, unavailable)
		id := r.say("alice", "hello")
		time.Sleep(time.Minute)
		assert.Len(t, r.Sent(), 1)
		assert.Equal(t, []string{id}, r.Acked())
		assert.Zero(t, r.Stats().Failed)
	})
}

// All kinds of requests are retried after a transient rejection, over the websocket and over HTTP.
func TestTransientRejectionsAreRetried(t *testing.T) {
	for action, do := range map[string]func(ctx context.Context, r *rig) error{
		actionSend: func(ctx context.Context, r *rig) error {
			_, err := r.Send(ctx, textA)
			return err
		},
		actionBatch: func(ctx context.Context, r *rig) error {
			_, err := r.SendBatch(ctx, r.ToUser(userID("a"), blaze.Text("1")), r.ToUser(userID("b"), blaze.Text("2")))
			return err
		},
		actionAck: func(ctx context.Context, r *rig) error {
			return r.Ack(ctx, blaze.StatusRead, messageA)
		},
		actionAcks: func(ctx context.Context, r *rig) error {
			return r.Ack(ctx, blaze.StatusRead, messageA, messageB)
		},
		"POST /conversations": func(ctx context.Context, r *rig) error {
			_, err := r.OpenConversation(ctx, userID("a"))
			return err
		},
		encryptedAction: func(ctx context.Context, r *rig) error {
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), Encrypted: true})
			out := r.ToUser(userID("alice"), blaze.Text("hello"))
			out.Encrypted = true
			_, err := r.Send(ctx, out)
			return err
		},
	} {
		bubble(t, action, func(t *testing.T) {
			r := run(t, ok, nil)
			answers(r.Server, action, unavailable, unavailable)
			began := time.Now()
			require.NoError(t, do(t.Context(), r))
			assert.Greater(t, time.Since(began), time.Second, "two waits")
		})
	}
}

// The same codes and statuses are transient over the websocket and over HTTP.
func TestTransientCodesAndStatuses(t *testing.T) {
	for number, transient := range map[int]bool{
		0: false, 428: false, 429: true, 430: false, 499: false, 500: true, 501: true, 503: true, 599: true, 600: false,
		6999: false, 7000: true, 7001: true, 7002: false,
	} {
		for _, rejection := range []blaze.Error{
			{Code: blaze.Code(number), Status: 202}, {Code: 10001, Status: number}, {Status: number},
		} {
			// An error without code and status is transient.
			attempts, transient := 1, transient || rejection.Code == 0 && rejection.Status == 0
			if transient {
				attempts = 2
			}
			text := fmt.Sprintf(`"error":{"code":%d,"status":%d}`, rejection.Code, rejection.Status)
			over := func(way string, do func(t *testing.T) (written int, err error)) {
				bubble(t, text+" over "+way, func(t *testing.T) {
					written, err := do(t)
					var rejected *blaze.Error
					require.ErrorAs(t, err, &rejected)
					assert.Equal(t, rejection.Code, rejected.Code)
					assert.Equal(t, transient, rejected.Temporary())
					assert.Equal(t, attempts, written)
				})
			}
			over("the websocket", func(t *testing.T) (int, error) { return sendRejected(t, text) })
			over("HTTP", func(t *testing.T) (int, error) { return openRejected(t, text) })
		}
	}
}

// sendRejected sends a message that is rejected with this error at both of its attempts.
func sendRejected(t *testing.T, text string) (written int, err error) {
	s := newReplyingServer(t)
	s.answer = func(r request) bool {
		if r.Action == actionSend {
			r.reply("," + text)
		}
		return r.Action == actionSend
	}
	r := s.run(nil, func(cfg *blaze.Config) { cfg.SendAttempts = 2 })
	_, err = r.Send(t.Context(), textA)
	return len(r.written.of(actionSend)), err
}

// openRejected opens a conversation over HTTP and is rejected with this error.
func openRejected(t *testing.T, text string) (written int, err error) {
	c := newClient(t, keyOf(botID), blaze.Config{}, func(cfg *blaze.Config) {
		cfg.SendAttempts = 2
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func() (*http.Response, error) {
			written++
			return &http.Response{
				StatusCode: http.StatusAccepted, Body: io.NopCloser(strings.NewReader("{" + text + "}")),
			}, nil
		})}
	})
	_, err = c.OpenConversation(t.Context(), userID("a"))
	return written, err
}

// A malformed error is the reply to its request, not a skipped frame. Otherwise the request would wait for ever.
func TestMalformedErrorsAnswerTheirRequest(t *testing.T) {
	for text, want := range map[string]struct {
		code      blaze.Code
		temporary bool
	}{
		`{"code":"403","status":"202"}`:                   {403, false},
		`{"code":403.0,"description":{"en":"forbidden"}}`: {403, false},
		`{"code":"10001","status":5.03e2}`:                {10001, true},
		`{"code":"forbidden"}`:                            {0, true},
		`"forbidden"`:                                     {0, true},
		`{}`:                                              {0, true},
	} {
		bubble(t, text, func(t *testing.T) {
			s := newReplyingServer(t)
			s.answer = func(r request) bool {
				if r.Action == actionSend {
					r.reply(`,"error":` + text)
				}
				return r.Action == actionSend
			}
			r := s.run(nil, func(cfg *blaze.Config) { cfg.SendAttempts = 2 })
			_, err := r.Send(t.Context(), textA)
			var rejected *blaze.Error
			require.ErrorAs(t, err, &rejected)
			assert.Equal(t, want.code, rejected.Code)
			assert.Equal(t, want.temporary, rejected.Temporary())
			attempts := 1
			if want.temporary {
				attempts = 2
			}
			assert.Len(t, r.written.of(actionSend), attempts)
			assert.Zero(t, r.Stats().BadFrames)
		})
	}
}

// An invalid push is logged with its message id.
func TestAnUnusablePushIsLoggedWithItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(ok, nil)
		synctest.Wait()
		push := message("alice", "hello")
		push["user_id"] = 5
		s.conn().push(push)
		push["user_id"] = strings.Repeat("u", 65)
		s.conn().push(push)
		synctest.Wait()
		assert.EqualValues(t, 2, r.Stats().BadFrames)
		assert.Contains(t, strings.Join(r.log.all(), "\n"), push["message_id"])
	})
}
