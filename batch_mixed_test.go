package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// ticks is a Limiter that lets one message through per period. It returns an error at once if the wait would exceed the
// deadline.
type ticks struct {
	period time.Duration
	mu     sync.Mutex
	next   time.Time
}

func (l *ticks) Wait(ctx context.Context) error {
	l.mu.Lock()
	at := l.next
	if now := time.Now(); at.Before(now) {
		at = now
	}
	if end, ok := ctx.Deadline(); ok && at.After(end) {
		l.mu.Unlock()
		return errors.New("too late")
	}
	l.next = at.Add(l.period)
	l.mu.Unlock()
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Messages that pass the Limiter before the deadline are sent.
func TestBatchWithALimiterAndADeadline(t *testing.T) {
	for name, edit := range map[string]func(int, *blaze.Outgoing){
		"plain":     func(int, *blaze.Outgoing) {},
		"alone":     func(_ int, out *blaze.Outgoing) { out.Silent = true },
		"encrypted": func(_ int, out *blaze.Outgoing) { out.Encrypted = true },
		"mixed":     func(i int, out *blaze.Outgoing) { out.Encrypted, out.Silent = i%3 == 0, i%3 == 1 },
	} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, ok, func(cfg *blaze.Config) { cfg.Limiter = &ticks{period: 100 * time.Millisecond} })
			outs := toCrowd(r.Client, 90, 90)
			for i := range outs {
				edit(i, &outs[i])
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5050*time.Millisecond)
			defer cancel()
			_, err := r.SendBatch(ctx, outs...)
			var failed *blaze.BatchError
			require.ErrorAs(t, err, &failed)
			assert.Len(t, r.Sent(), 51, "one at once, and 10 a second for 5 seconds")
			assert.Len(t, failed.Unwrap(), 90-51)
		})
	}
}

// A message that has passed the Limiter does not wait for messages that have not, however either is sent.
func TestBatchSendsAtOnceAfterTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Limiter = &ticks{period: time.Minute} })
		outs := toCrowd(r.Client, 12, 4)
		for i := range outs {
			outs[i].Encrypted, outs[i].Silent = i%3 == 0, i%3 == 1
		}
		began := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := r.SendBatch(t.Context(), outs...)
			ended <- err
		}()
		for i := range outs {
			time.Sleep(time.Until(began.Add(time.Duration(i)*time.Minute + 101*time.Millisecond)))
			synctest.Wait()
			require.Len(t, r.Sent(), i+1)
		}
		require.NoError(t, <-ended)
		requireInOrder(t, outs, r.Sent())
	})
}

// With a fast Limiter, frames are filled.
func TestBatchWithAFastLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, func(cfg *blaze.Config) { cfg.Limiter = &ticks{period: time.Millisecond} })
		outs := toCrowd(r.Client, 250, 250)
		began := time.Now()
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, 249*time.Millisecond, time.Since(began))
		assert.LessOrEqual(t, len(r.written.all()), 4)
		requireInOrder(t, outs, r.Sent())
	})
}

// The service stores a MessageID once. A second message with the same id would be lost without an error.
func TestBatchRejectsDuplicateMessageIDs(t *testing.T) {
	for name, encrypt := range map[string]bool{"plain": false, "encrypted": true} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, ok, nil)
			outs := toCrowd(r.Client, 6, 3)
			for i := range outs {
				outs[i].Encrypted = encrypt
			}
			outs[0].Payload = blaze.Text("") // invalid, so its id stays free
			outs[1].MessageID = outs[0].MessageID
			outs[2].MessageID = outs[0].MessageID
			outs[4].MessageID = strings.ToUpper(outs[1].MessageID) // in the same conversation
			outs[5].MessageID = ""
			_, err := r.SendBatch(t.Context(), outs...)
			var failed *blaze.BatchError
			require.ErrorAs(t, err, &failed)
			for i, again := range []bool{false, false, true, false, true, false} {
				var invalid *blaze.InvalidError
				switch {
				case again:
					require.ErrorAs(t, failed.Errs[i], &invalid, i)
					assert.Equal(t, "Outgoing.MessageID", invalid.Field)
					assert.Contains(t, invalid.Reason, outs[1].MessageID)
				case i > 0:
					assert.NoError(t, failed.Errs[i])
				}
			}
			var texts []string
			for _, out := range r.Sent() {
				texts = append(texts, fmt.Sprint(out.Payload))
			}
			assert.ElementsMatch(t, []string{"1", "3", "5"}, texts)
			for _, f := range r.written.all() {
				assert.NotContains(t, f.text, b64("2"))
				assert.NotContains(t, f.text, b64("4"))
			}

			_, err = r.SendBatch(t.Context(), outs[1], outs[3])
			require.NoError(t, err, "another batch may repeat an id")
		})
	}
}

// The batch has encrypted, plain, single and invalid messages in every conversation.
func TestMixedBatches(t *testing.T) {
	for seed := range uint64(12) {
		bubble(t, fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			r := run(t, ok, func(cfg *blaze.Config) {
				if seed%2 == 0 {
					cfg.Limiter = &ticks{period: 3 * time.Millisecond}
				}
				cfg.OutboxLen = 1 + rng.IntN(5)
			})
			outs := toCrowd(r.Client, 1+rng.IntN(300), 1)
			var valid []blaze.Outgoing
			for i := range outs {
				out := r.ToUser(userID(fmt.Sprint("user", rng.IntN(4))), outs[i].Payload)
				out.MessageID = outs[i].MessageID
				out.Encrypted = rng.IntN(3) == 0
				switch rng.IntN(12) {
				case 0:
					out.ConversationID = "nonsense"
				case 1:
					out.Silent = true
				}
				if outs[i] = out; out.ConversationID != "nonsense" {
					valid = append(valid, out)
				}
			}
			sent, err := r.SendBatch(t.Context(), outs...)
			errs := make([]error, len(outs))
			var failed *blaze.BatchError
			if errors.As(err, &failed) {
				errs = failed.Errs
			}
			for i, out := range outs {
				if out.ConversationID == "nonsense" {
					require.ErrorIs(t, errs[i], blaze.ErrInvalid)
					require.Zero(t, sent[i])
					continue
				}
				require.NoError(t, errs[i])
				require.Equal(t, blaze.Sent{MessageID: out.MessageID, ConversationID: out.ConversationID}, sent[i])
			}
			requireInOrder(t, valid, r.Sent())
		})
	}
}
