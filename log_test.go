package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// lines returns the records that contain a text, formatted by slog.TextHandler without the time.
func (l *logbook) lines(text string) (all []string) {
	for _, both := range l.all() {
		line, _, _ := strings.Cut(both, "\n")
		if _, rest, ok := strings.Cut(line, " level="); ok && strings.Contains(rest, text) {
			all = append(all, "level="+rest)
		}
	}
	return all
}

// repeated returns the number of events in the log lines.
func repeated(t *testing.T, lines []string) (n int) {
	t.Helper()
	for _, line := range lines {
		if _, count, ok := strings.Cut(line, " repeated="); ok {
			more, err := strconv.Atoi(count)
			require.NoError(t, err)
			n += more
		}
	}
	return n
}

func TestSlowHandlersAreReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			took, _ := time.ParseDuration(textOf(m))
			time.Sleep(took)
			return nil
		}, nil)
		const slow = "running for over a minute"
		line := func(id, user, busy string) string {
			return `level=WARN msg="blaze: a handler has been running for over a minute" message=` + id +
				" conversation=" + r.ConversationWith(userID(user)) + " running=1m0s workers_busy=" + busy
		}
		synctest.Wait()
		alice := r.say("alice", "5m")
		r.say("carol", "59s")
		time.Sleep(30 * time.Second)
		bob := r.say("bob", "5m")
		time.Sleep(30*time.Second - 1)
		assert.Empty(t, r.log.lines(slow))
		time.Sleep(1 * time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, []string{line(alice, "alice", "2")}, r.log.lines(slow))
		assert.EqualValues(t, 1, r.Stats().SlowHandlers)
		assert.Equal(t, time.Minute, r.Stats().OldestHandler)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Equal(t, []string{line(alice, "alice", "2"), line(bob, "bob", "2")}, r.log.lines(slow))
		time.Sleep(time.Hour)
		assert.Len(t, r.log.lines(slow), 2)
		r.say("alice", "59s")
		r.say("alice", "59s")
		time.Sleep(time.Hour)
		assert.Len(t, r.log.lines(slow), 2, "not both together")
		r.say("alice", "61s")
		time.Sleep(time.Hour)
		assert.Len(t, r.log.lines(slow), 3)
		assert.EqualValues(t, 3, r.Stats().SlowHandlers)
	})
}

func TestASlowOnReceiptIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := []time.Duration{45 * time.Second, 5 * time.Minute, 59 * time.Second, 2 * time.Hour}
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.OnReceipt = func(blaze.Receipt) {
				next := took[0]
				took = took[1:]
				time.Sleep(next)
			}
		})
		synctest.Wait()
		for i := range 4 {
			out := r.ToUser(userID("alice"), blaze.Text("hello"))
			out.MessageID = blaze.DeriveID(fmt.Sprint(i))
			_, err := r.Send(t.Context(), out)
			require.NoError(t, err)
			r.Receipt(out.MessageID, blaze.StatusRead)
		}
		line := func(i int) string {
			return `level=WARN msg="blaze: OnReceipt has been running for over a minute" message=` +
				blaze.DeriveID(fmt.Sprint(i)) + " running=1m0s"
		}
		time.Sleep(105*time.Second - time.Nanosecond)
		assert.Empty(t, r.log.lines("running for over a minute"))
		time.Sleep(2 * time.Nanosecond)
		assert.Equal(t, []string{line(1)}, r.log.lines("running for over a minute"))
		time.Sleep(time.Hour)
		assert.Equal(t, []string{line(1), line(3)}, r.log.lines("running for over a minute"))
		assert.EqualValues(t, 2, r.Stats().SlowHandlers)
		time.Sleep(2 * time.Hour)
	})
}

// An abandoned handler is reported by ErrDrain, not as slow.
func TestAnAbandonedHandlerIsNotReportedAsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := run(t, func(context.Context, *blaze.Message) error {
			<-release
			return nil
		}, nil)
		r.say("alice", "hello")
		synctest.Wait()
		require.ErrorIs(t, r.stop(), blaze.ErrDrain)
		time.Sleep(time.Hour)
		assert.Zero(t, r.Stats().SlowHandlers)
		close(release)
	})
}

func TestARequestBeforeRunIsReported(t *testing.T) {
	requests := map[string]func(r *rig) error{
		"Send": func(r *rig) error {
			_, err := r.Send(r.t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			return err
		},
		"Ack": func(r *rig) error { return r.Ack(r.t.Context(), blaze.StatusRead, userID("a message")) },
	}
	for name, request := range requests {
		for _, wait := range []time.Duration{5*time.Second - 1, time.Hour} {
			bubble(t, fmt.Sprint(name, " ", wait), func(t *testing.T) {
				r := prepare(t, nil)
				var done sync.WaitGroup
				for range 2 {
					done.Go(func() { assert.NoError(t, request(r)) })
				}
				time.Sleep(wait)
				synctest.Wait()
				waits := r.log.lines("Run was not called")
				if wait < 5*time.Second {
					assert.Empty(t, waits)
				} else {
					require.Len(t, waits, 2, "one, and the number of the others")
					assert.Contains(t, waits[0], "waiting=5s")
					assert.Contains(t, waits[1], "repeated=1")
				}
				r.start(t.Context(), ok)
				done.Wait()
				time.Sleep(time.Minute)
				assert.Len(t, r.log.lines("Run was not called"), len(waits))
			})
		}
	}
}

// failingLedger is a Ledger that fails with its function's error.
type failingLedger func(id string) error

func (f failingLedger) Handled(_ context.Context, id string) (bool, error) { return false, f(id) }
func (f failingLedger) Record(context.Context, string) error               { return nil }

func TestEqualWarningsAreThinned(t *testing.T) {
	const about = "Ledger.Handled failed"
	bubble(t, "a count after a second, and one a minute", func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Ledger = failingLedger(func(string) error { return errAny }) })
		synctest.Wait()
		ids := r.crowdSays(10)
		time.Sleep(time.Second - 1)
		lines := r.log.lines(about)
		require.Len(t, lines, 1)
		assert.NotContains(t, lines[0], "repeated")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		lines = r.log.lines(about)
		require.Len(t, lines, 2)
		assert.Contains(t, lines[1], "repeated=9")
		_, id, _ := strings.Cut(lines[1], " message=")
		assert.Contains(t, ids, strings.Fields(id)[0])
		r.crowdSays(1)
		time.Sleep(30 * time.Second)
		r.crowdSays(1)
		time.Sleep(30*time.Second - 1)
		assert.Len(t, r.log.lines(about), 2, "a minute after the first count")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		lines = r.log.lines(about)
		require.Len(t, lines, 3)
		assert.Contains(t, lines[2], "repeated=2")
		time.Sleep(time.Hour)
		assert.Len(t, r.log.lines(about), 3, "nothing is logged without events")
		r.crowdSays(1)
		time.Sleep(time.Second)
		lines = r.log.lines(about)
		require.Len(t, lines, 4)
		assert.NotContains(t, lines[3], "repeated")
	})
	bubble(t, "the rest is logged at the end", func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Ledger = failingLedger(func(string) error { return errAny }) })
		r.crowdSays(3)
		r.idle()
		require.NoError(t, r.stop())
		lines := r.log.lines(about)
		require.Len(t, lines, 2)
		assert.Contains(t, lines[1], "repeated=2")
	})
	bubble(t, "other errors", func(t *testing.T) {
		n := 0
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.Workers = 1
			cfg.Ledger = failingLedger(func(string) error { n++; return errors.New(fmt.Sprint("error ", n%2)) })
		})
		r.crowdSays(4)
		time.Sleep(time.Second - 1)
		assert.Len(t, r.log.lines(about), 2)
	})
	bubble(t, "errors that differ in ids", func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(func(_ context.Context, m *blaze.Message) error {
			return &blaze.Error{Code: 500, Status: 500, Action: actionSend, MessageID: blaze.DeriveID(m.ID)}
		}, nil)
		synctest.Wait()
		for i := range 10 {
			s.conn().push(message(fmt.Sprint("user ", i), "hello"))
			s.conn().push(with(message("alice", fmt.Sprint(i)), map[string]any{"user_id": 5}))
		}
		time.Sleep(900 * time.Millisecond) // before the next attempt
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "handler failed"))
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "frame skipped"))
	})
	bubble(t, "connections that are reset", func(t *testing.T) {
		text := func(port int) error {
			return fmt.Errorf("read tcp 127.0.0.1:%d->10.0.0.1:443: read: connection reset by peer", port)
		}
		var n atomic.Int32
		r := prepare(t, func(cfg *blaze.Config) {
			cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, text(36900 + int(n.Add(1)))
			}
		})
		r.start(t.Context(), nil)
		time.Sleep(50 * time.Second)
		assert.Greater(t, n.Load(), int32(2))
		lines := r.log.lines("disconnected")
		assert.Len(t, lines, 2)
		assert.Positive(t, repeated(t, lines))
	})
	bubble(t, "a flood of different ones", func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.Ledger = failingLedger(func(id string) error { return errors.New(strings.ReplaceAll(id, "-", "/")) })
		})
		r.crowdSays(1000)
		r.idle()
		// There are 256 kinds, and one for all others. A few differ in their text only.
		assert.InDelta(t, 256, len(r.log.lines(about)), 5)
	})
}

// The stack of a panic is a separate attribute, logged once for each place.
func TestStacksAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			switch textOf(m) {
			case "one":
				panic("boom")
			case "two":
				panic("boom") // another place
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.HandlerAttempts = 2 })
		for _, text := range []string{"one", "two", "one", "two"} {
			r.say("alice", text)
		}
		r.idle()
		require.NoError(t, r.stop())
		assert.Len(t, r.drops.all(), 4)
		failed := r.log.lines("handler failed")
		require.Greater(t, len(failed), 2, "one for each stack, and the number of the others")
		assert.Contains(t, failed[0], "log_test.go")
		assert.Contains(t, failed[1], "log_test.go")
		assert.Equal(t, 2, repeated(t, failed))
		for i, line := range append(failed, r.log.lines("message dropped")...) {
			assert.Equal(t, i < 2, strings.Contains(line, " stack="), line)
			assert.Contains(t, line, `error="panic: boom"`)
		}
	})
}

type logKey struct{}

// contextLog is an slog.Handler that records a value of the context, and whether the context has ended.
type contextLog struct {
	logFunc
	seen *diary
}

func (l contextLog) Handle(ctx context.Context, r slog.Record) error {
	l.seen.add("%s %v %v", r.Message, ctx.Value(logKey{}), ctx.Err())
	return nil
}

func TestRecordsCarryTheContextOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen diary
		r := prepare(t, func(cfg *blaze.Config) {
			cfg.Drain = time.Second
			cfg.Logger = slog.New(contextLog{nil, &seen})
		})
		r.start(context.WithValue(t.Context(), logKey{}, "bot 1"), func(ctx context.Context, _ *blaze.Message) error {
			time.Sleep(500 * time.Millisecond)
			return errAny
		})
		synctest.Wait()
		r.say("alice", "hello")
		synctest.Wait()
		require.NoError(t, r.stop())
		assert.Equal(t, []string{
			"blaze: connected bot 1 <nil>", "blaze: connected as bot 1 <nil>",
			"blaze: handler failed while Run was ending bot 1 <nil>",
		}, seen.all())
	})
}
