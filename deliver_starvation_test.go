package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// A hundred conversations that only fail fill the inbox. Another conversation is handled all the same.
func TestConversationsThatOnlyFailStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, posts, size = 100, 6, 20_000
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if _, post := m.Payload.(blaze.Post); post {
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.HandlerAttempts = 10<<20, -1 })
		synctest.Wait()
		long := blaze.Post(strings.Repeat("x", size))
		for range posts {
			for i := range users {
				r.Deliver(userID("greedy"+string(rune('A'+i))), blaze.Outgoing{Payload: long})
			}
		}
		time.Sleep(time.Minute)
		s := r.Stats()
		require.Less(t, s.InboxMessages, users*posts, "the inbox is full")
		require.Greater(t, s.Waiting, 0)
		id := r.say("alice", "hello")
		time.Sleep(time.Second)
		assert.Equal(t, []string{id}, r.Acked())
	})
}

// Eighty conversations fail with one message each, which exceeds the capacity of the inbox. Another conversation is
// handled all the same. Once the handler is fixed, all of them are handled.
func TestMessagesThatOnlyFailStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, size = 80, 20_000
		var fixed atomic.Bool
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if _, post := m.Payload.(blaze.Post); post && !fixed.Load() {
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.HandlerAttempts = 1400<<10, -1 })
		synctest.Wait()
		long := blaze.Post(strings.Repeat("x", size))
		for i := range users {
			r.Deliver(userID(fmt.Sprint("greedy", i)), blaze.Outgoing{Payload: long})
		}
		time.Sleep(3 * time.Minute)
		require.Less(t, r.Stats().InboxMessages, users, "the inbox is full")
		id := r.say("alice", "hello")
		time.Sleep(time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		assert.LessOrEqual(t, r.Stats().Connects, uint64(5), "once a minute")
		fixed.Store(true)
		time.Sleep(5 * time.Minute)
		assert.Len(t, r.Acked(), users+1)
		assert.Zero(t, r.Stats().Waiting)
		connects := r.Stats().Connects
		time.Sleep(time.Hour)
		assert.Equal(t, connects, r.Stats().Connects)
	})
}

// A released message that is redelivered has as many attempts as others.
func TestAReleasedMessageHasItsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m)[0] != 'f' {
				return nil
			}
			attempts.add("%d last=%v", m.Attempt, m.LastAttempt)
			return errAny
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.HandlerAttempts = 64<<10, 4 })
		synctest.Wait()
		failing := r.say("alice", "f"+strings.Repeat("x", 40_000))
		time.Sleep(1500 * time.Millisecond)
		other := r.say("bob", strings.Repeat("x", 40_000))
		synctest.Wait()
		assert.Equal(t, 1, r.Stats().Waiting)
		assert.Zero(t, r.Stats().InboxMessages, "it is released until the next list")
		r.idle()
		assert.Equal(t, []string{"1 last=false", "2 last=false", "3 last=false", "4 last=true"}, attempts.all())
		assert.Equal(t, []string{other, failing}, r.Acked())
		assert.Equal(t, 1, r.drops.len())
	})
}

// A reply that was stored before its message was released is not written again while the process lives.
func TestTheRepliesToAReleasedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if textOf(m)[0] != 'f' {
				return nil
			}
			if err := r.Reply(ctx, m, blaze.Text("working on it")); err != nil {
				return err
			}
			if m.Attempt < 5 {
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = 64 << 10 })
		var written atomic.Int32
		var count func(blazetest.Frame) blazetest.Answer
		count = func(blazetest.Frame) blazetest.Answer {
			written.Add(1)
			r.Intercept(actionSend, count)
			return blazetest.Answer{}
		}
		r.Intercept(actionSend, count)
		synctest.Wait()
		failing := r.say("alice", "f"+strings.Repeat("x", 40_000))
		time.Sleep(1500 * time.Millisecond)
		other := r.say("bob", strings.Repeat("x", 40_000))
		synctest.Wait()
		assert.Zero(t, r.Stats().InboxMessages)
		r.idle()
		assert.Equal(t, []string{other, failing}, r.Acked())
		assert.EqualValues(t, 1, written.Load())
	})
}

// A message larger than the inbox closes its own conversation at most.
func TestAMessageLargerThanTheInboxStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 64 << 10
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m)[0] == 'f' {
				return errAny
			}
			got.add("%.5s", textOf(m))
			return nil
		}, func(cfg *blaze.Config) {
			cfg.InboxBytes, cfg.HandlerAttempts, cfg.Ack = capacity, -1, blaze.AckReceived
		})
		synctest.Wait()
		// This message is not released, because it is acknowledged.
		r.say("alice", "f"+strings.Repeat("x", capacity/2))
		time.Sleep(time.Second)
		r.say("mallory", "large"+strings.Repeat("x", capacity))
		r.say("mallory", "behind it")
		r.say("bob", "hello")
		time.Sleep(time.Second)
		assert.Equal(t, []string{"hello"}, got.all())
		connects := r.Stats().Connects
		time.Sleep(time.Hour)
		assert.LessOrEqual(t, r.Stats().Connects, connects+60, "once a minute")
		r.say("carol", "hello")
		time.Sleep(time.Second)
		assert.Equal(t, []string{"hello", "hello"}, got.all())
	})
}

func TestWaitingConversationsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const warning = "conversations wait for a failing message"
		var fixed atomic.Bool
		r := run(t, func(context.Context, *blaze.Message) error {
			if fixed.Load() {
				return nil
			}
			return errAny
		}, func(cfg *blaze.Config) { cfg.HandlerAttempts = -1 })
		synctest.Wait()
		assert.Zero(t, r.Stats().OldestWaiting)
		for _, user := range []string{"alice", "bob", "carol"} {
			r.say(user, "x")
			r.say(user, "behind it")
		}
		time.Sleep(500 * time.Millisecond)
		s := r.Stats()
		assert.Equal(t, 3, s.Waiting)
		assert.Equal(t, 500*time.Millisecond, s.OldestWaiting)
		time.Sleep(59 * time.Second)
		assert.Zero(t, r.log.count(slog.LevelWarn, warning), "no conversation has waited for a minute")
		time.Sleep(time.Hour)
		n := r.log.count(slog.LevelWarn, warning)
		assert.LessOrEqual(t, n, 60)
		assert.GreaterOrEqual(t, n, 25, "each waits a minute for its next attempt")
		assert.Positive(t, r.log.count(slog.LevelWarn, "conversations=3"))
		fixed.Store(true)
		time.Sleep(2 * time.Minute)
		assert.LessOrEqual(t, r.log.count(slog.LevelWarn, warning), n+2)
		assert.Zero(t, r.Stats().Waiting)
		assert.Zero(t, r.Stats().OldestWaiting)
		assert.Len(t, r.Acked(), 6)
	})
}

func TestStatsShowTheOldestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.OnReceipt = func(blaze.Receipt) { time.Sleep(time.Hour) } })
		synctest.Wait()
		assert.Zero(t, r.Stats().OldestHandler)
		r.say("alice", "first")
		time.Sleep(30 * time.Second)
		r.say("bob", "second")
		time.Sleep(20 * time.Second)
		assert.Equal(t, 50*time.Second, r.Stats().OldestHandler)
		time.Sleep(20 * time.Second)
		assert.Equal(t, 40*time.Second, r.Stats().OldestHandler)
		sent, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		require.NoError(t, err)
		r.Receipt(sent.MessageID, blaze.StatusRead)
		time.Sleep(30 * time.Minute)
		assert.Equal(t, 30*time.Minute, r.Stats().OldestHandler)
		assert.Equal(t, 1, r.Stats().HandlersRunning)
		time.Sleep(time.Hour)
	})
}

// A flood of receipts uses no capacity of messages, and the queue of receipts is bounded.
func TestReceiptsUseNoCapacityOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.InboxBytes = 4 << 10
			cfg.OnReceipt = func(blaze.Receipt) { <-blocked }
		})
		sent, err := r.Send(t.Context(), r.ToUser(userID("dave"), blaze.Text("hello")))
		require.NoError(t, err)
		for range 16<<10 + 6 {
			r.Receipt(sent.MessageID, blaze.StatusRead)
		}
		id := r.say("alice", "hello")
		time.Sleep(2 * time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		assert.EqualValues(t, 5, r.Stats().ReceiptsDropped, "one is handled, and 16,384 wait")
		assert.Equal(t, 2, r.log.count(slog.LevelWarn, "receipt discarded"), "the others are counted, a second later")
		assert.Equal(t, 1, r.Stats().HandlersRunning)
		close(blocked)
		synctest.Wait()
		assert.Zero(t, r.Stats().HandlersRunning)
	})
}

// The end of Run waits for OnReceipt as for a handler, and counts it as one.
func TestTheEndWaitsForOnReceipt(t *testing.T) {
	for name, tt := range map[string]struct {
		takes time.Duration
		want  error
	}{"within Drain": {takes: 3 * time.Second}, "for too long": {takes: time.Minute, want: blaze.ErrDrain}} {
		bubble(t, name, func(t *testing.T) {
			var calls atomic.Int32
			r := run(t, ok, func(cfg *blaze.Config) {
				cfg.OnReceipt = func(blaze.Receipt) {
					calls.Add(1)
					time.Sleep(tt.takes)
				}
			})
			sent, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			require.NoError(t, err)
			for range 3 {
				r.Receipt(sent.MessageID, blaze.StatusRead)
			}
			synctest.Wait()
			began := time.Now()
			err = r.stop()
			assert.ErrorIs(t, err, tt.want)
			if tt.want != nil {
				assert.ErrorContains(t, err, "handlers still running: 1")
			}
			assert.Equal(t, min(tt.takes, 5*time.Second), time.Since(began))
			time.Sleep(time.Hour)
			assert.EqualValues(t, 1, calls.Load(), "those that waited are dropped")
		})
	}
}

// A message in backoff holds only its data, which counts in Config.InboxBytes, and not also the Message of its last
// attempt.
func TestAMessageInBackoffHoldsItsDataOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last weak.Pointer[blaze.Message]
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			last = weak.Make(m)
			return errAny
		}, func(cfg *blaze.Config) {
			cfg.HandlerAttempts, cfg.Trace, cfg.Logger = -1, nil, slog.New(slog.DiscardHandler)
		})
		r.say("alice", "hello")
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		runtime.GC()
		runtime.GC()
		assert.Nil(t, last.Value())
	})
}
