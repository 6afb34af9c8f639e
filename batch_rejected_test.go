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

// Not every server has CREATE_PLAIN_MESSAGES. Until it was confirmed once, a frame that is refused is sent again
// message by message, and the action is not used for a minute.
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

// chatter is the user that keepTalking writes to.
const chatter = "chatter"

// keepTalking sends a message each five seconds, so that the server has something else to answer, and returns its end.
func keepTalking(t *testing.T, c *blaze.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		out := blaze.To(c.ConversationWith(userID(chatter)), blaze.Text("are you there?"))
		for ctx.Err() == nil {
			_, _ = c.Send(ctx, out)
			select {
			case <-time.After(4900 * time.Millisecond): // never when the time of a request is over
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// without returns the messages that are not to a user.
func without(c *blaze.Client, user string, outs []blaze.Outgoing) []blaze.Outgoing {
	return slices.DeleteFunc(outs, func(out blaze.Outgoing) bool {
		return out.ConversationID == c.ConversationWith(userID(user))
	})
}

// A server may also ignore an action that it does not know. It is given up after three tries, if something else was
// answered meanwhile, and tried later with two messages.
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

// Without an answer the frame may have been carried out. The same ids then make sure that nothing is stored twice,
// and a 403 of the repetition leaves it open.
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
		var unsure *blaze.UnconfirmedError
		require.ErrorAs(t, failed.Errs[1], &unsure)
		assert.Equal(t, outs[1].MessageID, unsure.MessageID)
		assert.ErrorIs(t, failed.Errs[1], blaze.CodeForbidden)
		assert.ErrorIs(t, failed.Errs[2], blaze.CodeInvalidField)
		assert.Equal(t,
			[]blaze.Sent{{MessageID: outs[0].MessageID, ConversationID: outs[0].ConversationID}, {}, {}}, sent)
	})
}

// Once the action was confirmed, a refusal is about the frame's messages: they are sent one by one, so that one bad
// recipient does not lose the others, and the next frame is plural again.
func TestBatchRefusedOnceConfirmed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		_, err := c.SendBatch(t.Context(), toCrowd(c, 2, 2)...)
		require.NoError(t, err)

		outs := toCrowd(c, 100, 40)
		for i := range outs {
			outs[i].MessageID = blaze.DeriveID("second", fmt.Sprint(i))
		}
		bad := outs[17].MessageID
		answers(s, actionBatch, forbidden)
		var refuseBad func(f blazetest.Frame) blazetest.Answer
		refuseBad = func(f blazetest.Frame) blazetest.Answer {
			s.Intercept(actionSend, refuseBad)
			var params struct {
				MessageID string `json:"message_id"`
			}
			if json.Unmarshal(f.Params, &params) == nil && params.MessageID == bad {
				return forbidden
			}
			return blazetest.Answer{}
		}
		s.Intercept(actionSend, refuseBad)
		sent, err := c.SendBatch(t.Context(), outs...)
		require.Len(t, sent, len(outs))
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Errs, len(outs))
		assert.Len(t, failed.Unwrap(), 1)
		assert.ErrorIs(t, err, blaze.CodeForbidden)
		var refused *blaze.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, bad, refused.MessageID)
		assert.Equal(t, actionSend, refused.Action)
		for i, out := range outs {
			if i == 17 {
				assert.Equal(t, error(refused), failed.Errs[i])
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

// Once confirmed, a frame that is not answered is repeated as it is.
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

// A refusal that passes is about the server, not about the messages: the frame stays whole, and in the end all of its
// messages fail with it.
func TestBatchRefusedForAWhile(t *testing.T) {
	for _, code := range []blaze.Code{429, 500, 7000, 7001} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
				refuse := blazetest.Refuse(code)
				answers(s, actionBatch, refuse, refuse, refuse, refuse)
				outs := toCrowd(c, 10, 10)
				_, err := c.SendBatch(t.Context(), outs...)
				require.NoError(t, err)
				requireInOrder(t, outs, s.Sent())

				answers(s, actionBatch, refuse, refuse, refuse, refuse, refuse)
				_, err = c.SendBatch(t.Context(), outs...)
				var failed *blaze.BatchError
				require.ErrorAs(t, err, &failed)
				for i, err := range failed.Errs {
					var refused *blaze.Error
					require.ErrorAs(t, err, &refused)
					assert.Equal(t, outs[i].MessageID, refused.MessageID)
					assert.Equal(t, actionBatch, refused.Action)
					assert.True(t, refused.Temporary())
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

// When the context ends half-way, each message's error says what has become of it.
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
			var unsure *blaze.UnconfirmedError
			switch err := failed.Errs[i]; state[out.MessageID] {
			case 1:
				assert.NoError(t, err)
				assert.Equal(t, out.MessageID, sent[i].MessageID)
				continue
			case 2, 3:
				require.ErrorAs(t, err, &unsure)
				assert.Equal(t, out.MessageID, unsure.MessageID)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			default:
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorAs(t, err, &unsure)
				assert.Contains(t, err.Error(), out.MessageID)
			}
			assert.Zero(t, sent[i])
		}
		assert.Zero(t, c.Stats().OutboxRequests)

		_, err = c.SendBatch(ctx, outs[:3]...)
		require.ErrorAs(t, err, &failed)
		assert.Len(t, failed.Unwrap(), 3, "a context that has ended sends nothing")
		synctest.Wait()
		s.none()
	})
}

// The limiter is waited for once for each message, and an error of it is the error of that message alone.
func TestBatchAsksTheLimiter(t *testing.T) {
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
		answers(s, actionBatch, blazetest.Refuse(blaze.CodeNotFound)) // all are sent twice, and waited for once
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

// What a slow limiter has let through goes out, and does not wait for what it holds up.
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
