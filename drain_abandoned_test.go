package blaze_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Run waits for a hook no longer than for a handler. The result of an abandoned message is discarded.
func TestAnAbandonedMessageIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		var hooks diary
		r := run(t, func(context.Context, *blaze.Message) error { return errAny }, func(cfg *blaze.Config) {
			cfg.Ledger, cfg.HandlerAttempts = &l, 1
			cfg.Trace = &blaze.Trace{
				HandlerError: func(*blaze.Message, error) { time.Sleep(time.Minute) },
				Dropped:      func(*blaze.Message, error) { hooks.add("dropped") },
			}
		})
		r.say("alice", "x")
		time.Sleep(time.Second)
		require.ErrorIs(t, r.stop(), blaze.ErrDrain)
		time.Sleep(time.Hour)
		assert.Empty(t, l.all())
		assert.Zero(t, hooks.len())
		assert.Zero(t, r.Stats().AcksWaiting)
	})
}

func TestAFailureAfterTheEndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Second)
			panic("boom")
		}, nil)
		r.say("alice", "x")
		synctest.Wait()
		require.NoError(t, r.stop())
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "boom"))
		assert.Len(t, r.Pending(), 1)
	})
}

// Run waits for Dropped no longer than for a handler.
func TestTheEndDoesNotWaitForDropped(t *testing.T) {
	for name, hook := range map[string]func(){"slow": func() { time.Sleep(time.Hour) }, "exits": runtime.Goexit} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, func(context.Context, *blaze.Message) error { return errAny }, func(cfg *blaze.Config) {
				cfg.Ack = blaze.AckReceived
				cfg.Trace = &blaze.Trace{
					HandlerError: func(*blaze.Message, error) { time.Sleep(time.Second) }, // its context ends meanwhile
					Dropped:      func(*blaze.Message, error) { hook() },
				}
			})
			r.say("alice", "x")
			time.Sleep(500 * time.Millisecond)
			began := time.Now()
			err := r.stop()
			assert.LessOrEqual(t, time.Since(began), 5*time.Second)
			assert.Equal(t, name == "slow", errors.Is(err, blaze.ErrDrain))
			time.Sleep(2 * time.Hour) // until the hook returns
		})
	}
}

// Run does not wait either for Dropped of a message in backoff. The message is reported, even if that happens after
// Run.
func TestTheEndDoesNotWaitForDroppedOfABackoff(t *testing.T) {
	for _, drain := range []time.Duration{time.Second, -1} {
		bubble(t, drain.String(), func(t *testing.T) {
			var reported atomic.Int32
			r := run(t, func(context.Context, *blaze.Message) error { return errAny }, func(cfg *blaze.Config) {
				cfg.Ack, cfg.Drain = blaze.AckReceived, drain
				cfg.Trace = &blaze.Trace{Dropped: func(*blaze.Message, error) {
					time.Sleep(time.Hour)
					reported.Add(1)
				}}
			})
			r.say("alice", "x")
			r.say("bob", "y")
			time.Sleep(500 * time.Millisecond)
			began := time.Now()
			err := r.stop()
			assert.Equal(t, max(drain, 0), time.Since(began))
			assert.ErrorIs(t, err, blaze.ErrDrain)
			assert.ErrorContains(t, err, "handlers still running: 2")
			time.Sleep(3 * time.Hour)
			assert.EqualValues(t, 2, reported.Load())
		})
	}
}
