package blaze_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// crowd counts concurrent handlers.
type crowd struct {
	mu          sync.Mutex
	now, most   int
	inside      map[string]int
	maxTogether int // in one conversation
}

func (c *crowd) enter(conversation string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside == nil {
		c.inside = make(map[string]int)
	}
	c.now++
	c.inside[conversation]++
	c.most, c.maxTogether = max(c.most, c.now), max(c.maxTogether, c.inside[conversation])
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
		c.inside[conversation]--
	}
}

func TestConversationsAreHandledInOrderAndInParallel(t *testing.T) {
	for _, workers := range []int{1, 3, 0} {
		bubble(t, fmt.Sprint("Workers ", workers), func(t *testing.T) {
			const conversations, each = 20, 4
			most := workers
			if workers == 0 {
				most = 16
			}
			var c crowd
			var mu sync.Mutex
			got := make(map[string][]string)
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				leave := c.enter(m.ConversationID)
				defer leave()
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				got[m.UserID] = append(got[m.UserID], textOf(m))
				return nil
			}, func(cfg *blaze.Config) { cfg.Workers = workers })
			synctest.Wait()
			before := runtime.NumGoroutine()
			start := time.Now()
			for i := range each {
				for u := range conversations {
					r.say(fmt.Sprint("user", u), fmt.Sprint(i))
				}
			}
			synctest.Wait()
			assert.Equal(t, most, r.Stats().HandlersRunning)
			assert.Equal(t, conversations*each, r.Stats().InboxMessages)
			r.idle()
			assert.Equal(t, most, c.most)
			assert.Equal(t, 1, c.maxTogether)
			rounds := (conversations*each + most - 1) / most
			assert.WithinDuration(t, start.Add(time.Duration(rounds)*time.Second), time.Now(), 2*time.Second)
			require.Len(t, got, conversations)
			for user, texts := range got {
				assert.Equal(t, []string{"0", "1", "2", "3"}, texts, user)
			}
			assertGoroutines(t, before) // workers and acker end when idle
		})
	}
}

func TestAHandlerMaySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if err := r.Quote(ctx, m, blaze.Text("one")); err != nil {
				return err
			}
			return r.Reply(ctx, m, blaze.Text("two"))
		}, func(cfg *blaze.Config) { cfg.Workers, cfg.OutboxLen = 2, 1 })
		for i := range 20 {
			r.say(fmt.Sprint("user", i), "hello")
		}
		r.idle()
		assert.Len(t, r.Sent(), 40)
		assert.EqualValues(t, 20, r.Stats().Handled)
		assert.EqualValues(t, 40, r.Stats().Sent)
	})
}

func TestABlockedHandlerStopsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		release := make(chan struct{})
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m) == "block" {
				<-release
			}
			got.add("%s", textOf(m))
			return nil
		}, func(cfg *blaze.Config) { cfg.Workers = 2 })
		blocked := r.say("alice", "block")
		r.say("alice", "behind it")
		time.Sleep(10 * time.Minute) // longer than a connection lasts without pings
		r.say("bob", "other")
		_, err := r.Send(t.Context(), r.ToUser(userID("bob"), blaze.Text("hello")))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"other"}, got.all())
		assert.Contains(t, r.Pending(), blocked)
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.WithinDuration(t, time.Now(), r.Stats().LastRead, 16*time.Second, "pongs prove that the link is alive")
		close(release)
		r.idle()
		assert.Equal(t, []string{"other", "block", "behind it"}, got.all())
	})
}

func TestAHandlerThatExitsItsGoroutineIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			got.add("%s", textOf(m))
			if textOf(m) == "exit" && m.Attempt < 5 {
				runtime.Goexit()
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.Workers = 1 })
		r.say("alice", "exit")
		r.say("bob", "hello")
		r.idle()
		assert.Equal(t, []string{"exit", "hello", "exit", "exit", "exit", "exit"}, got.all())
	})
}

func TestMessagesArriveWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []*blaze.Message
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			got = append(got, m)
			return nil
		}, nil)
		synctest.Wait()
		group, quoted, boss := userID("group"), userID("quoted"), userID("boss")
		first := r.say("alice", "hello")
		r.idle()
		r.Cut()
		second := r.Deliver(userID("alice"), blaze.Outgoing{
			ConversationID: group, Payload: blaze.Text("quote"), QuoteID: quoted,
			RepresentativeID: boss, Silent: true, ExpireIn: time.Hour,
		})
		r.idle()
		require.Len(t, got, 2)
		m := got[0]
		assert.Equal(t, first, m.ID)
		assert.Equal(t, r.ConversationWith(userID("alice")), m.ConversationID)
		assert.Equal(t, userID("alice"), m.UserID)
		assert.Equal(t, m.UserID, m.Sender())
		assert.NotEmpty(t, m.SessionID)
		assert.False(t, m.Group || m.Silent || m.Backlog || m.LastAttempt)
		assert.Equal(t, 1, m.Attempt)
		assert.WithinDuration(t, time.Now(), m.CreatedAt, time.Minute)
		m = got[1]
		assert.Equal(t, second, m.ID)
		assert.Equal(t, []string{group, quoted, boss, boss},
			[]string{m.ConversationID, m.QuoteID, m.RepresentativeID, m.Sender()})
		assert.True(t, m.Group && m.Silent && m.Backlog)
		assert.Equal(t, time.Hour, m.ExpireIn)
	})
}
