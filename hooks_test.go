package blaze_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// logFunc is a function as an slog.Handler.
type logFunc func(r slog.Record)

func (f logFunc) Enabled(context.Context, slog.Level) bool { return true }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f logFunc) WithGroup(string) slog.Handler            { return f }

func (f logFunc) Handle(_ context.Context, r slog.Record) error {
	f(r)
	return nil
}

func TestConnectedComesBeforeTheFirstFrameRead(t *testing.T) {
	// traced records the calls of Connected and FrameRead, in order.
	traced := func(seen *diary, took time.Duration) func(*blaze.Config) {
		return func(cfg *blaze.Config) {
			cfg.Trace = &blaze.Trace{
				Connected: func(string) {
					time.Sleep(took)
					seen.add("connected")
				},
				FrameRead: func([]byte) { seen.add("frame") },
			}
		}
	}
	bubble(t, "on each link", func(t *testing.T) {
		var seen diary
		r := run(t, ok, traced(&seen, 500*time.Millisecond))
		for range 3 {
			time.Sleep(time.Minute)
			r.Cut()
		}
		time.Sleep(time.Minute)
		// The reply to LIST_PENDING_MESSAGES is the only frame of each link.
		want := []string{"connected", "frame", "connected", "frame", "connected", "frame", "connected", "frame"}
		assert.Equal(t, want, seen.all())
		assert.Zero(t, r.Stats().TraceDropped)
	})
	bubble(t, "a slow Connected does not stop the link", func(t *testing.T) {
		var seen diary
		r := run(t, ok, traced(&seen, time.Minute))
		id := r.say("alice", "hello")
		time.Sleep(2 * time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		assert.Zero(t, r.Stats().TraceDropped, "it was called")
		time.Sleep(time.Minute)
		assert.Contains(t, seen.all(), "connected")
	})
	bubble(t, "it is dropped behind a Logger that blocks", func(t *testing.T) {
		var seen diary
		release := make(chan struct{})
		r := run(t, ok, func(cfg *blaze.Config) {
			traced(&seen, 0)(cfg)
			cfg.Logger = slog.New(logFunc(func(slog.Record) { <-release }))
		})
		time.Sleep(time.Minute)
		r.Cut()
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"connected", "frame", "frame"}, seen.all())
		assert.EqualValues(t, 1, r.Stats().TraceDropped)
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"connected", "frame", "frame"}, seen.all(), "it does not come late")
	})
}

// Dropped serves as a dead-letter queue: the message is not acknowledged before it returns, however the process ends.
func TestDroppedReturnsBeforeTheAcknowledgement(t *testing.T) {
	for name, result := range map[string]error{"hopeless": blaze.ErrDrop, "the last attempt": errAny} {
		bubble(t, name, func(t *testing.T) {
			var l ledger
			reported := false
			r := run(t, func(context.Context, *blaze.Message) error { return result }, func(cfg *blaze.Config) {
				cfg.HandlerAttempts, cfg.Ledger = 1, &l
				cfg.Trace.Dropped = func(*blaze.Message, error) {
					time.Sleep(time.Minute)
					reported = true
				}
			})
			id := r.say("alice", "hello")
			time.Sleep(30 * time.Second)
			assert.Empty(t, l.all())
			assert.Empty(t, r.Acked())
			r.idle()
			assert.True(t, reported)
			assert.Equal(t, []string{id}, l.all())
			assert.Equal(t, []string{id}, r.Acked())
		})
	}
}

// Dropped is called although the queue of the other hooks is full.
func TestDroppedIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := run(t, func(context.Context, *blaze.Message) error { return blaze.ErrDrop }, func(cfg *blaze.Config) {
			cfg.Logger = slog.New(logFunc(func(slog.Record) { <-release }))
		})
		ids := r.crowdSays(2000)
		r.idle()
		assert.Equal(t, len(ids), r.drops.len())
		close(release)
	})
}

func TestTheQueueOfABlockedHookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var called atomic.Int64
		r := run(t, nil, func(cfg *blaze.Config) {
			cfg.Trace.Connected = func(string) { <-release; called.Add(1) }
			cfg.Trace.Disconnected = func(error, time.Duration) { <-release; called.Add(1) }
		})
		total := func() int64 { return called.Load() + int64(r.log.len()) }
		synctest.Wait()
		for range 800 { // two hook calls each, and a few log records
			r.Cut()
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		assert.Greater(t, r.Stats().TraceDropped, uint64(500))
		assert.Zero(t, total())
		close(release)
		synctest.Wait()
		assert.EqualValues(t, 1+1024, total(), "the blocked call and the queued ones")
		r.Cut()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Greater(t, total(), int64(1+1024), "the queue has capacity again")
	})
}

// Records are logged in order. Each has the time of its event and the source line that logs it.
func TestRecordsHaveTheTimeOfTheirEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records []slog.Record
		r := run(t, func(context.Context, *blaze.Message) error { return blaze.ErrDrop }, func(cfg *blaze.Config) {
			cfg.Workers, cfg.AckBatch = 1, 1
			cfg.Logger = slog.New(logFunc(func(r slog.Record) {
				time.Sleep(time.Second)
				if r.Message != "blaze: connected as" {
					records = append(records, r)
				}
			}))
		})
		began := time.Now()
		synctest.Wait()
		ids := r.crowdSays(10)
		synctest.Wait()
		assert.Equal(t, ids, r.Acked(), "nothing waits for the Logger")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, records, 11)
		assert.Equal(t, "blaze: connected", records[0].Message)
		for i, record := range records {
			assert.Equal(t, began, record.Time)
			assert.Equal(t, "observe.go", filepath.Base(record.Source().File))
			if i == 0 {
				continue
			}
			record.Attrs(func(a slog.Attr) bool {
				if a.Key == "message" {
					require.Equal(t, slog.KindGroup, a.Value.Kind(), "the ids, not the Message")
					assert.Equal(t, ids[i-1], a.Value.Group()[0].Value.String())
				}
				return true
			})
		}
	})
}

func TestTheEndWaitsForTheLog(t *testing.T) {
	for _, tt := range []struct {
		name        string
		drain, took time.Duration // took: by each record
		wait        time.Duration
		logged      int32
	}{
		{"fast", 0, 0, 0, 2},
		{"slow", 0, 300 * time.Millisecond, 600 * time.Millisecond, 2},
		{"too slow", 0, 700 * time.Millisecond, time.Second, 1},
		{"a short Drain", 500 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, 1},
		{"no Drain", -1, 300 * time.Millisecond, 0, 0},
		{"blocked", 0, time.Hour, time.Second, 0},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var logged atomic.Int32
			r := run(t, func(context.Context, *blaze.Message) error { return blaze.ErrDrop }, func(cfg *blaze.Config) {
				cfg.Drain, cfg.AckBatch = tt.drain, 1 // acknowledged at once
				cfg.Logger = slog.New(logFunc(func(r slog.Record) {
					if !strings.HasPrefix(r.Message, "blaze: connected") {
						time.Sleep(tt.took)
						logged.Add(1)
					}
				}))
			})
			r.crowdSays(2)
			r.idleQuickly()
			began := time.Now()
			require.NoError(t, r.stop())
			assert.Equal(t, tt.wait, time.Since(began))
			assert.Equal(t, tt.logged, logged.Load())
			time.Sleep(3 * time.Hour) // the remaining records are still logged
			synctest.Wait()
			assert.EqualValues(t, 2, logged.Load())
		})
	}
}

// idleQuickly is idle without waiting for slow hooks.
func (r *rig) idleQuickly() {
	r.t.Helper()
	synctest.Wait()
	require.Len(r.t, r.Acked(), 2)
}

// If a handler used the whole of Drain, no time is left for the log.
func TestTheEndWaitsForTheLogWithinDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Hour)
			return nil
		}, func(cfg *blaze.Config) {
			cfg.Drain = 2 * time.Second
			cfg.Logger = slog.New(logFunc(func(slog.Record) { time.Sleep(time.Hour) }))
		})
		r.say("alice", "hello")
		synctest.Wait()
		began := time.Now()
		require.ErrorIs(t, r.stop(), blaze.ErrDrain)
		assert.Equal(t, 2*time.Second, time.Since(began))
		time.Sleep(2 * time.Hour)
	})
}

// A Logger may send its records with the same Client.
func TestALoggerThatSends(t *testing.T) {
	for name, level := range map[string]slog.Level{"info": slog.LevelInfo, "warn": slog.LevelWarn} {
		bubble(t, name, func(t *testing.T) {
			var got diary
			var r *rig
			life, kill := context.WithCancel(t.Context())
			defer kill()
			r = prepare(t, func(cfg *blaze.Config) {
				cfg.Trace = nil
				cfg.Logger = slog.New(logFunc(func(record slog.Record) {
					if record.Level >= level {
						_, _ = r.Send(life, r.ToUser(userID("operator"), blaze.Text(record.Message)))
					}
				}))
			})
			r.start(t.Context(), got.texts())
			synctest.Wait()
			r.Cut()
			time.Sleep(time.Minute)
			r.say("alice", "hello")
			time.Sleep(time.Minute)
			assert.Equal(t, []string{"hello"}, got.all())
			var reported diary
			for _, out := range r.Sent() {
				reported.add("%s", out.Payload)
			}
			assert.Contains(t, reported.all(), "blaze: disconnected")
			began := time.Now()
			require.NoError(t, r.stop())
			assert.LessOrEqual(t, time.Since(began), 5*time.Second)
		})
	}
}

// Hooks leave no goroutine behind.
func TestHooksNeedNoGoroutineWhileNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		bare := prepareFor(t, s, func(cfg *blaze.Config) { cfg.Logger, cfg.Trace = slog.New(slog.DiscardHandler), nil })
		bare.start(t.Context(), ok)
		time.Sleep(time.Minute)
		before := runtime.NumGoroutine()
		require.NoError(t, bare.stop())
		r := prepareFor(t, s, nil)
		r.start(t.Context(), ok)
		time.Sleep(time.Minute)
		assertGoroutines(t, before)
	})
}
