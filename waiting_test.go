package blaze_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// A hundred conversations that fail for ever hold all that the inbox has room for. Somebody else is answered all the
// same.
func TestConversationsThatOnlyFailStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, posts, size = 100, 6, 120_000
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if _, post := m.Payload.(blaze.Post); post {
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.HandlerAttempts = -1 })
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

func TestWaitingConversationsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const warning = "conversations wait for a message whose handler fails"
		var mended atomic.Bool
		r := run(t, func(context.Context, *blaze.Message) error {
			if mended.Load() {
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
		assert.Zero(t, r.log.count(slog.LevelWarn, warning), "nobody has waited for a minute")
		time.Sleep(time.Hour)
		n := r.log.count(slog.LevelWarn, warning)
		assert.LessOrEqual(t, n, 60)
		assert.GreaterOrEqual(t, n, 25, "each waits a minute for its next attempt")
		assert.Positive(t, r.log.count(slog.LevelWarn, "conversations=3"))
		mended.Store(true)
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

// A flood of receipts takes no room from messages, and its end is bounded.
func TestReceiptsTakeNoRoomFromMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.InboxBytes = 4 << 10
			cfg.OnReceipt = func(blaze.Receipt) { <-blocked }
		})
		sent, err := r.Send(t.Context(), r.ToUser(userID("dave"), blaze.Text("hello")))
		require.NoError(t, err)
		for range 1030 {
			r.Receipt(sent.MessageID, blaze.StatusRead)
		}
		id := r.say("alice", "hello")
		time.Sleep(time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		assert.EqualValues(t, 5, r.Stats().ReceiptsDropped, "one is handled, and 1,024 wait")
		assert.Equal(t, 1, r.Stats().HandlersRunning)
		close(blocked)
		synctest.Wait()
		assert.Zero(t, r.Stats().HandlersRunning)
	})
}

// The end waits for OnReceipt as it does for a handler, and counts it as one.
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
