package blaze_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// unavailable is a refusal that passes by its status alone.
var unavailable = blazetest.Answer{Reply: &blazetest.Frame{Error: &blaze.Error{Code: 10001, Status: 503}}}

// Where the server has no time for a moment, the question is answered all the same, at the first attempt.
func TestARefusalOfAMomentDropsNothing(t *testing.T) {
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

// Whatever is refused for a moment is tried again, over the websocket and over HTTP.
func TestWhatIsTriedAgain(t *testing.T) {
	for action, do := range map[string]func(ctx context.Context, r *rig) error{
		actionSend: func(ctx context.Context, r *rig) error {
			_, err := r.Send(ctx, textA)
			return err
		},
		actionBatch: func(ctx context.Context, r *rig) error {
			_, err := r.SendBatch(ctx, r.ToUser(userID("a"), blaze.Text("1")), r.ToUser(userID("b"), blaze.Text("2")))
			return err
		},
		actionAck:             func(ctx context.Context, r *rig) error { return r.Ack(ctx, blaze.StatusRead, messageA) },
		actionAcks:            func(ctx context.Context, r *rig) error { return r.Ack(ctx, blaze.StatusRead, messageA, messageB) },
		"POST /conversations": func(ctx context.Context, r *rig) error { _, err := r.OpenConversation(ctx, userID("a")); return err },
		sealedAction: func(ctx context.Context, r *rig) error {
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

// An odd error is the answer to its request, and not a frame to be skipped: the request would wait for ever.
func TestOddErrorsAnswerTheirRequest(t *testing.T) {
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
			var refused *blaze.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, want.code, refused.Code)
			assert.Equal(t, want.temporary, refused.Temporary())
			tries := 1
			if want.temporary {
				tries = 2
			}
			assert.Len(t, r.written.of(actionSend), tries)
			assert.Zero(t, r.Stats().BadFrames)
		})
	}
}

// A push that cannot be used is logged with the id of its message.
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
