package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

var errTransient = errors.New("transient")

func TestApologize(t *testing.T) {
	for name, tt := range map[string]struct {
		attempts int // the handler's
		text     blaze.Payload
		handler  blaze.Handler
	}{
		"success":  {1, nil, func(context.Context, *blaze.Message) error { return nil }},
		"declined": {1, nil, func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled }},
		"dropped at once": {1, blaze.Text("Sorry."), func(context.Context, *blaze.Message) error {
			return fmt.Errorf("no: %w", blaze.ErrDrop)
		}},
		"dropped after three attempts": {3, blaze.Text("Sorry."), func(context.Context, *blaze.Message) error {
			return errTransient
		}},
		"success at the last attempt": {3, nil, func(_ context.Context, m *blaze.Message) error {
			if m.LastAttempt {
				return nil
			}
			return errTransient
		}},
		"panics": {3, blaze.Text("Sorry."), func(context.Context, *blaze.Message) error { panic("at the disco") }},
		"exits": {3, blaze.Text("Sorry."), func(context.Context, *blaze.Message) error {
			runtime.Goexit()
			return nil
		}},
	} {
		bubble(t, name, func(t *testing.T) {
			attempts := 0
			s, c := begin(t, func(c *blaze.Client) blaze.Handler {
				return blaze.Apologize(c, "Sorry.")(func(ctx context.Context, m *blaze.Message) error {
					attempts++
					return tt.handler(ctx, m)
				})
			}, func(cfg *blaze.Config) { cfg.HandlerAttempts = 3 })
			s.User("alice").Say("hi")
			testkit.Idle(t, s)
			assert.Equal(t, tt.attempts, attempts)
			if tt.text == nil {
				assert.Empty(t, s.Sent())
				return
			}
			require.Len(t, s.Sent(), 1)
			assert.Equal(t, tt.text, s.Sent()[0].Payload)
			assert.EqualValues(t, 1, c.Stats().Dropped)
		})
	}
}

// A message that fails because Run is ending is redelivered on the next start, so there is no apology.
func TestNoApologyWhileRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		started, stopped := make(chan struct{}), make(chan struct{})
		restarted := false
		bot := func(c *blaze.Client) blaze.Handler {
			return blaze.Apologize(c, "Sorry.")(func(ctx context.Context, m *blaze.Message) error {
				if restarted {
					return c.Reply(ctx, m, blaze.Text("done"))
				}
				close(started)
				<-stopped
				synctest.Wait() // the client drains
				return blaze.ErrDrop
			})
		}
		_, stop := blazetest.Run(t, s, bot, func(cfg *blaze.Config) { cfg.HandlerAttempts = 1 })
		s.User("alice").Say("hi")
		<-started
		time.AfterFunc(time.Second, func() { close(stopped) })
		stop()
		assert.Empty(t, s.Sent())

		restarted = true
		blazetest.Run(t, s, bot, nil)
		testkit.Idle(t, s)
		require.Len(t, s.Sent(), 1)
		assert.Equal(t, blaze.Text("done"), s.Sent()[0].Payload)
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled, over []string
		note := func(to *[]string) blaze.Handler {
			return blaze.On(func(_ context.Context, m *blaze.Message, text blaze.Text) error {
				*to = append(*to, string(text))
				return nil
			})
		}
		h := blaze.RateLimit(2, time.Minute, note(&over))(note(&handled))
		s, _ := begin(t, func(*blaze.Client) blaze.Handler { return h }, func(cfg *blaze.Config) { cfg.Workers = 1 })
		alice, bob := s.User("alice"), s.User("bob")
		say := func(u *blazetest.User, text string) { u.Say(text); testkit.Idle(t, s) }

		say(alice, "1")
		say(alice, "2")
		say(alice, "3") // over
		say(bob, "4")
		time.Sleep(30 * time.Second) // the time of one message
		say(alice, "5")
		say(alice, "6") // over
		time.Sleep(time.Hour)
		say(alice, "7")
		say(alice, "8")
		say(alice, "9") // over
		assert.Equal(t, []string{"1", "2", "4", "5", "7", "8"}, handled)
		assert.Equal(t, []string{"3", "6", "9"}, over)
	})
}

// A message that several limited handlers see counts once, and not at all if they decline it.
func TestRateLimitCountsHandledMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		limit := blaze.RateLimit(2, time.Hour, func(context.Context, *blaze.Message) error {
			got = append(got, "over")
			return nil
		})
		command := func(name string) blaze.Handler {
			return limit(blaze.Command(name, func(context.Context, *blaze.Message, string) error {
				got = append(got, name)
				return nil
			}))
		}
		s, _ := begin(t, func(*blaze.Client) blaze.Handler {
			rest := func(context.Context, *blaze.Message) error {
				got = append(got, "rest")
				return nil
			}
			return blaze.Route(command("/a"), command("/b"), command("/c"), rest)
		}, nil)
		for _, text := range []string{"hello", "/c", "hello", "/b", "/a"} {
			s.User("alice").Say(text)
			testkit.Idle(t, s)
		}
		assert.Equal(t, []string{"rest", "/c", "rest", "/b", "over"}, got)
	})
}

// Each of the last messages over the limit stays over it, however often over is retried.
func TestRateLimitRemembersMessagesOverTheLimit(t *testing.T) {
	h := blaze.RateLimit(1, time.Hour, func(context.Context, *blaze.Message) error { return errTransient })(
		func(context.Context, *blaze.Message) error { return nil })
	for i := range 5 {
		err := h(t.Context(), &blaze.Message{ID: fmt.Sprint(i), UserID: userA, Attempt: 1})
		require.Equal(t, i > 0, err != nil)
	}
	for i := range 5 {
		err := h(t.Context(), &blaze.Message{ID: fmt.Sprint(i), UserID: userA, Attempt: 2})
		require.Equal(t, i > 0, err != nil, i)
	}
}

// A user who writes seldom does not save up messages.
func TestRateLimitAllowsABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passed := 0
		h := blaze.RateLimit(4, time.Minute, nil)(func(context.Context, *blaze.Message) error { passed++; return nil })
		for i, wait := range []time.Duration{59 * time.Second, 0, 0, 0, 0, 0} {
			require.NoError(t, h(t.Context(), &blaze.Message{ID: fmt.Sprint(i), UserID: userA, Attempt: 1}))
			time.Sleep(wait)
		}
		assert.Equal(t, 1+4, passed)
	})
}

func TestRateLimitDoesNotCountRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := map[string]int{}
		h := blaze.RateLimit(2, time.Hour, func(_ context.Context, m *blaze.Message) error {
			if attempts["over"]++; attempts["over"] < 3 {
				return errTransient
			}
			return nil
		})(blaze.On(func(_ context.Context, m *blaze.Message, text blaze.Text) error {
			if attempts[string(text)]++; m.Attempt < 5 {
				return errTransient
			}
			return nil
		}))
		s, _ := begin(t, func(*blaze.Client) blaze.Handler { return h }, nil)
		for _, text := range []string{"1", "2", "3"} {
			s.User("alice").Say(text)
			testkit.Idle(t, s)
		}
		assert.Equal(t, map[string]int{"1": 5, "2": 5, "over": 3}, attempts)
	})
}

func TestRateLimitWithoutOver(t *testing.T) {
	h := blaze.RateLimit(1, time.Hour, nil)(func(context.Context, *blaze.Message) error { return errTransient })
	text := &blaze.Message{ID: messageA, UserID: userA, Category: blaze.CategoryPlainText, Attempt: 1}
	notice := &blaze.Message{ID: messageB, UserID: userA, Category: blaze.CategorySystemConversation, Attempt: 1}
	require.ErrorIs(t, h(t.Context(), text), errTransient)
	require.NoError(t, h(t.Context(), &blaze.Message{ID: messageB, UserID: userA, Attempt: 1}))
	require.ErrorIs(t, h(t.Context(), notice), errTransient, "notices of the system are not limited")
	onBehalf := &blaze.Message{ID: messageB, UserID: userA, RepresentativeID: userB, Attempt: 1}
	require.ErrorIs(t, h(t.Context(), onBehalf), errTransient)
}

// Users beyond 10,000 are forgotten, the least recently active first.
func TestRateLimitRemembersABoundedNumberOfUsers(t *testing.T) {
	const remembered = 10_000
	passed := 0
	h := blaze.RateLimit(1, time.Hour, nil)(func(context.Context, *blaze.Message) error { passed++; return nil })
	for i := range remembered + 1 {
		require.NoError(t, h(t.Context(), &blaze.Message{UserID: fmt.Sprint(i), Attempt: 1}))
	}
	require.Equal(t, remembered+1, passed)
	require.NoError(t, h(t.Context(), &blaze.Message{UserID: fmt.Sprint(remembered), Attempt: 1}))
	assert.Equal(t, remembered+1, passed)
	require.NoError(t, h(t.Context(), &blaze.Message{UserID: "0", Attempt: 1}))
	assert.Equal(t, remembered+2, passed)
}

func TestMiddlewarePanicsOnMistakes(t *testing.T) {
	assert.Panics(t, func() { blaze.RateLimit(0, time.Second, nil) })
	assert.Panics(t, func() { blaze.RateLimit(1, 0, nil) })
	assert.PanicsWithValue(t, "blaze: Apologize: the client is nil", func() { blaze.Apologize(nil, "Sorry.") })
}
