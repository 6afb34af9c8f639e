package blaze_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// panicsAt returns a Limiter that panics at call n.
func panicsAt(n int) limiterFunc {
	waits := 0
	return func(context.Context) error {
		if waits++; waits == n {
			panic("limiter")
		}
		return nil
	}
}

// A panic of the Limiter fails its message, which is then removed from the outbox.
func TestALimiterThatPanics(t *testing.T) {
	for n, name := range map[int]string{1: "at once", 2: "after a 429"} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, nil, func(cfg *blaze.Config) { cfg.Limiter = panicsAt(n) })
			r.Intercept(actionSend, rejected(blaze.CodeTooManyRequests))
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			require.ErrorContains(t, err, "panic: limiter")
			assert.Zero(t, r.Stats().OutboxRequests)
		})
		bubble(t, name+" in a batch", func(t *testing.T) {
			r := run(t, nil, func(cfg *blaze.Config) { cfg.Limiter = panicsAt(n) })
			r.Intercept(actionBatch, rejected(blaze.CodeTooManyRequests))
			_, err := r.SendBatch(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			require.ErrorContains(t, err, "panic: limiter")
			assert.Zero(t, r.Stats().OutboxRequests)
		})
	}
}

// After Run a Send does not wait. A Send that waits already returns with an error.
func TestTheEndWakesSendsAtTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, func(cfg *blaze.Config) {
			cfg.Limiter = limiterFunc(func(ctx context.Context) error {
				select {
				case <-time.After(time.Hour):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
		began := time.Now()
		out := r.ToUser(userID("alice"), blaze.Text("x"))
		waiting := make(chan error, 2)
		go func() {
			_, err := r.Send(t.Context(), out)
			waiting <- err
		}()
		go func() {
			_, err := r.SendBatch(t.Context(), out)
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, r.stop())
		for range 2 {
			assert.ErrorIs(t, <-waiting, blaze.ErrClosed)
		}
		_, err := r.Send(t.Context(), out)
		assert.ErrorIs(t, err, blaze.ErrClosed)
		assert.Less(t, time.Since(began), time.Minute)
	})
}

// The Limiter counts messages only. Acknowledgements, those of Client.Ack included, bypass it.
func TestAcknowledgementsBypassTheLimiter(t *testing.T) {
	for name, mode := range ackModes {
		bubble(t, name, func(t *testing.T) {
			waits := 0
			var r *rig
			r = run(t, func(ctx context.Context, m *blaze.Message) error {
				return r.Ack(ctx, blaze.StatusRead, m.ID)
			}, func(cfg *blaze.Config) {
				cfg.Ack = mode
				cfg.Limiter = limiterFunc(func(context.Context) error { waits++; return nil })
			})
			r.Intercept(actionAck, rejected(blaze.CodeTooManyRequests))
			r.crowdSays(20)
			r.idle()
			require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, messageA, messageB))
			assert.Zero(t, waits)
		})
	}
}
