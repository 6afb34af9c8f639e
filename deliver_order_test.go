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
