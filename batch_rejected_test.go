package blaze_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Not every server has CREATE_PLAIN_MESSAGES. Until the first confirmation, the messages of a rejected frame are sent
// singly, and the action is not used for a minute.
func TestBatchWithoutPluralAction(t *testing.T) {
	for name, a := range map[string]blazetest.Answer{
		"unknown action": blazetest.Refuse(blaze.CodeNotFound),
		"bad request":    blazetest.Refuse(blaze.CodeBadRequest),
		"forbidden":      forbidden,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
				answers(s, actionBatch, a, a)
				outs := toCrowd(c, 150, 60)
				began := time.Now()
				sent, err := c.SendBatch(t.Context(), outs...)
				require.NoError(t, err)
				assert.Zero(t, time.Since(began))
				for i := range outs {
					require.Equal(t, outs[i].MessageID, sent[i].MessageID)
				}
				requireInOrder(t, outs, s.Sent())
				plural := w.of(actionBatch)
				first, second := idsOf(plural), idsOf(w.of(actionSend))
				assert.LessOrEqual(t, len(plural), 2)
				assert.Len(t, second, 150)
				assert.Subset(t, second, first, "the same ids")
				assert.EqualValues(t, len(first), c.Stats().Resent)

				_, err = c.SendBatch(t.Context(), toCrowd(c, 5, 5)...)
				require.NoError(t, err)
				assert.Len(t, w.of(actionBatch), len(plural), "it is not used at once")

				time.Sleep(time.Minute)
				_, err = c.SendBatch(t.Context(), toCrowd(c, 1, 1)...)
				require.NoError(t, err)
				assert.Len(t, w.of(actionBatch), len(plural)+1)
			})
		})
	}
}

// chatter is the recipient of keepTalking's messages.
const chatter = "chatter"

// keepTalking sends a message every five seconds, so that the server answers other requests meanwhile. It returns a
// function that stops it.
func keepTalking(t *testing.T, c *blaze.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		out := blaze.To(c.ConversationWith(userID(chatter)), blaze.Text("are you there?"))
		for ctx.Err() == nil {
			_, _ = c.Send(ctx, out)
			select {
			case <-time.After(4900 * time.Millisecond): // does not coincide with a request's timeout
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// without returns the messages to all other users.
func without(c *blaze.Client, user string, outs []blaze.Outgoing) []blaze.Outgoing {
	return slices.DeleteFunc(outs, func(out blaze.Outgoing) bool {
		return out.ConversationID == c.ConversationWith(userID(user))
	})
}

// A server may ignore an action that it does not support. After three attempts without a reply, while other requests
// are answered, the client stops using the action. Later it tests the action with two messages.
func TestBatchWithAnIgnoredPluralAction(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		always(s, actionBatch, blazetest.Answer{Bytes: []byte("no frame")})
		stop := keepTalking(t, c)
		outs := toCrowd(c, 150, 60)
		began := time.Now()
		sent, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, (20+40+80)*time.Second, time.Since(began))
		stop()
		for i := range outs {
			require.Equal(t, outs[i].MessageID, sent[i].MessageID)
		}
		requireInOrder(t, outs, without(c, chatter, s.Sent()))
		assert.Equal(t, 3*2, len(w.of(actionBatch)))
		assert.EqualValues(t, 2*2+150, c.Stats().Resent)

		_, err = c.SendBatch(t.Context(), toCrowd(c, 5, 5)...)
		require.NoError(t, err)
		assert.Equal(t, 3*2, len(w.of(actionBatch)), "it is not used at once")

		time.Sleep(time.Minute)
		stop = keepTalking(t, c)
		_, err = c.SendBatch(t.Context(), toCrowd(c, 5, 5)...)
		require.NoError(t, err)
		stop()
		trials := w.of(actionBatch)[3*2:]
		assert.Equal(t, []int{2, 2, 2}, sizes(trials), "one trial of two")
	})
}

// A frame without a reply may have been carried out. The messages are written again with the same ids, so none is
// stored twice. A 403 to a message that was written again leaves it unconfirmed.
func TestBatchUnansweredMayHaveBeenStored(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, _ *frames) {
		answers(s, actionBatch, hang, forbidden)
		answers(s, actionSend, blazetest.Answer{}, forbidden, blazetest.Refuse(blaze.CodeInvalidField))
		outs := toCrowd(c, 3, 1)
		sent, err := c.SendBatch(t.Context(), outs...)
		requireInOrder(t, outs, s.Sent())
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		assert.NoError(t, failed.Errs[0])
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, failed.Errs[1], &unconfirmed)
		assert.Equal(t, outs[1].MessageID, unconfirmed.MessageID)
		assert.ErrorIs(t, failed.Errs[1], blaze.CodeForbidden)
		assert.ErrorIs(t, failed.Errs[2], blaze.CodeInvalidField)
		assert.Equal(t,
			[]blaze.Sent{{MessageID: outs[0].MessageID, ConversationID: outs[0].ConversationID}, {}, {}}, sent)
	})
}

// After the first confirmation of the action, a rejection concerns the frame's messages. They are sent singly, so that
// one bad recipient does not fail the others. The next frame is plural again.
func TestBatchRejectedOnceConfirmed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		_, err := c.SendBatch(t.Context(), toCrowd(c, 2, 2)...)
		require.NoError(t, err)

		outs := toCrowd(c, 100, 40)
		for i := range outs {
			outs[i].MessageID = blaze.DeriveID("second", fmt.Sprint(i))
		}
		bad := outs[17].MessageID
		answers(s, actionBatch, forbidden)
		var rejectBad func(f blazetest.Frame) blazetest.Answer
		rejectBad = func(f blazetest.Frame) blazetest.Answer {
			s.Intercept(actionSend, rejectBad)
			var params struct {
				MessageID string `json:"message_id"`
			}
			if json.Unmarshal(f.Params, &params) == nil && params.MessageID == bad {
				return forbidden
			}
			return blazetest.Answer{}
		}
		s.Intercept(actionSend, rejectBad)
		sent, err := c.SendBatch(t.Context(), outs...)
		require.Len(t, sent, len(outs))
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Errs, len(outs))
		assert.Len(t, failed.Unwrap(), 1)
		assert.ErrorIs(t, err, blaze.CodeForbidden)
		var rejected *blaze.Error
		require.ErrorAs(t, err, &rejected)
		assert.Equal(t, bad, rejected.MessageID)
		assert.Equal(t, actionSend, rejected.Action)
		for i, out := range outs {
			if i == 17 {
				assert.Equal(t, error(rejected), failed.Errs[i])
				assert.Zero(t, sent[i])
				continue
			}
			assert.NoError(t, failed.Errs[i])
			assert.Equal(t, out.MessageID, sent[i].MessageID)
		}
		requireInOrder(t, append(outs[:17:17], outs[18:]...), s.Sent()[2:])
		assert.EqualValues(t, 100, c.Stats().Resent)
		assert.EqualValues(t, 2+99, c.Stats().Sent)
		assert.Contains(t, err.Error(), "1 of 100")

		written := len(w.all())
		_, err = c.SendBatch(t.Context(), toCrowd(c, 3, 3)...)
		require.NoError(t, err)
		assert.Equal(t, []string{actionBatch}, w.actions()[written:])
	})
}

// After the first confirmation, an unanswered frame is written again unchanged.
func TestBatchUnansweredOnceConfirmed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		_, err := c.SendBatch(t.Context(), toCrowd(c, 2, 2)...)
		require.NoError(t, err)
		answers(s, actionBatch, hang, cutStored)
		outs := toCrowd(c, 10, 3)[2:]
		_, err = c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		batches := w.of(actionBatch)
		require.Len(t, batches, 4)
		assert.Equal(t, batches[1], batches[2])
		assert.Equal(t, batches[1], batches[3])
		assert.Empty(t, w.of(actionSend))
		requireInOrder(t, outs, s.Sent()[2:])
	})
}

// A transient rejection concerns the server, not the messages. The frame stays whole. After the last attempt all of its
// messages fail with the rejection.
func TestBatchRejectedAsTransient(t *testing.T) {
	for _, code := range []blaze.Code{429, 500, 7000, 7001} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
				reject := blazetest.Refuse(code)
				answers(s, actionBatch, reject, reject, reject, reject)
				outs := toCrowd(c, 10, 10)
				_, err := c.SendBatch(t.Context(), outs...)
				require.NoError(t, err)
				requireInOrder(t, outs, s.Sent())

				answers(s, actionBatch, reject, reject, reject, reject, reject)
				_, err = c.SendBatch(t.Context(), outs...)
				var failed *blaze.BatchError
				require.ErrorAs(t, err, &failed)
				for i, err := range failed.Errs {
					var rejected *blaze.Error
					require.ErrorAs(t, err, &rejected)
					assert.Equal(t, outs[i].MessageID, rejected.MessageID)
					assert.Equal(t, actionBatch, rejected.Action)
					assert.True(t, rejected.Temporary())
				}
				batches := w.of(actionBatch)
				assert.Len(t, batches, 10)
				assert.Len(t, w.all(), 10)
				for _, f := range batches[5:] {
					assert.Equal(t, batches[5], f)
				}
			})
		})
	}
}

// If the context ends half-way, each message's error reports whether it may have been stored.
func TestBatchEndsHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, func(cfg *blaze.Config) { cfg.OutboxLen = 2 })
		outs := toCrowd(c, 400, 400)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var sent []blaze.Sent
		var err error
		var wg sync.WaitGroup
		wg.Go(func() { sent, err = c.SendBatch(ctx, outs...) })
		first := s.next()
		first.confirm()
		second, third := s.next(), s.next()
		synctest.Wait()
		s.none()
		wg.Wait()

		state := map[string]int{}
		for i, r := range []request{first, second, third} {
			for _, id := range r.ids() {
				state[id] = i + 1
			}
		}
		require.Len(t, state, 300)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Len(t, failed.Unwrap(), 300)
		for i, out := range outs {
			var unconfirmed *blaze.UnconfirmedError
			switch err := failed.Errs[i]; state[out.MessageID] {
			case 1:
				assert.NoError(t, err)
				assert.Equal(t, out.MessageID, sent[i].MessageID)
				continue
			case 2, 3:
				require.ErrorAs(t, err, &unconfirmed)
				assert.Equal(t, out.MessageID, unconfirmed.MessageID)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			default:
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorAs(t, err, &unconfirmed)
				assert.Contains(t, err.Error(), out.MessageID)
			}
			assert.Zero(t, sent[i])
		}
		assert.Zero(t, c.Stats().OutboxRequests)

		_, err = c.SendBatch(ctx, outs[:3]...)
		require.ErrorAs(t, err, &failed)
		assert.Len(t, failed.Unwrap(), 3, "nothing is sent with an ended context")
		synctest.Wait()
		s.none()
	})
}

// The Limiter is called once for each message. Its error fails that message alone.
func TestBatchCallsTheLimiter(t *testing.T) {
	errSpent := errors.New("spent")
	var mu sync.Mutex
	waits := 0
	inBubble(t, func(cfg *blaze.Config) {
		cfg.Limiter = limiterFunc(func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if waits++; waits == 7 {
				return errSpent
			}
			return nil
		})
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		answers(s, actionBatch, blazetest.Refuse(blaze.CodeNotFound)) // each message is written twice
		outs := toCrowd(c, 50, 20)
		outs = append(outs, blaze.To("no conversation", blaze.Text("x")))
		sent, err := c.SendBatch(t.Context(), outs...)
		assert.Equal(t, 50, waits)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Unwrap(), 2)
		assert.ErrorIs(t, failed.Unwrap()[0], errSpent)
		assert.ErrorIs(t, failed.Errs[50], blaze.ErrInvalid)
		assert.Len(t, s.Sent(), 49)
		stored := 0
		for i := range sent {
			assert.Equal(t, failed.Errs[i] == nil, sent[i].MessageID != "")
			if failed.Errs[i] == nil {
				stored++
			}
		}
		assert.Equal(t, 49, stored)
		assert.Len(t, idsOf(w.of(actionSend)), 49)
	})
}

// With a slow Limiter, messages that have passed it are sent at once.
func TestBatchWithASlowLimiter(t *testing.T) {
	inBubble(t, func(cfg *blaze.Config) {
		free := make(chan struct{}, 3)
		for range 3 {
			free <- struct{}{}
		}
		cfg.Limiter = limiterFunc(func(ctx context.Context) error {
			select {
			case <-free:
				return nil
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		outs := toCrowd(c, 5, 5)
		ended := make(chan error, 1)
		go func() {
			_, err := c.SendBatch(t.Context(), outs...)
			ended <- err
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Len(t, s.Sent(), 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, s.Sent(), 4)
		require.NoError(t, <-ended)
		requireInOrder(t, outs, s.Sent())
	})
}
