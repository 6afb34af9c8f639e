package blaze_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// fetches are the requests of a session directory. The test answers each of them.
type fetches chan fetch

type fetch struct {
	users  []string
	answer chan<- fetched
}

type fetched struct {
	sessions []blaze.Session
	err      error
}

// errNoFetch is the cause of a request without a response when its context ended.
var errNoFetch = errors.New("busy")

func (f fetches) fetch(ctx context.Context, users []string) ([]blaze.Session, error) {
	answer := make(chan fetched, 1)
	f <- fetch{users, answer}
	select {
	case got := <-answer:
		return got.sessions, got.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), errNoFetch)
	}
}

// has answers that each user has one session, with this id.
func (f fetch) has(sessionID string) {
	var all []blaze.Session
	for _, user := range f.users {
		all = append(all, blaze.Session{UserID: user, SessionID: sessionID})
	}
	f.answer <- fetched{sessions: all}
}

// lookup looks up users in the background. It returns when the lookup waits or has ended.
type lookup func(ctx context.Context, users ...string) <-chan found

type found struct {
	ids map[string]string // session ids by user
	err error
}

// newDirectory returns the methods of a directory and the requests that it makes.
func newDirectory(capacity uint64) (of lookup, f fetches, drop func(user string), set func(user, sessionID string)) {
	f = make(fetches, 10)
	d := blaze.NewSessionDirectory(capacity, f.fetch)
	of = func(ctx context.Context, users ...string) <-chan found {
		result := make(chan found, 1)
		go func() {
			by, err := blaze.SessionsOf(d, ctx, users)
			ids := make(map[string]string)
			for user, all := range by {
				ids[user] = all[0].SessionID
			}
			result <- found{ids, err}
		}()
		synctest.Wait()
		return result
	}
	drop = func(user string) { blaze.DropSessions(d, user) }
	set = func(user, id string) { blaze.SetSessions(d, user, []blaze.Session{{UserID: user, SessionID: id}}) }
	return of, f, drop, set
}

func ids(pairs ...string) found {
	by := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		by[pairs[i]] = pairs[i+1]
	}
	return found{ids: by}
}

func TestSessionsAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		first := of(t.Context(), "alice")
		(<-f).has("old")
		assert.Equal(t, ids("alice", "old"), <-first)
		time.Sleep(59 * time.Minute)
		assert.Equal(t, ids("alice", "old"), <-of(t.Context(), "alice"), "remembered")
		time.Sleep(2 * time.Minute) // an hour after the response, although used meanwhile
		second := of(t.Context(), "alice")
		(<-f).has("new")
		assert.Equal(t, ids("alice", "new"), <-second)
		assert.Empty(t, f)
	})
}

func TestTheLeastRecentlyUsedSessionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, f, _, _ := newDirectory(2)
		for _, user := range []string{"alice", "bob"} {
			got := of(t.Context(), user)
			(<-f).has("of " + user)
			<-got
		}
		assert.Equal(t, ids("alice", "of alice"), <-of(t.Context(), "alice"))
		got := of(t.Context(), "carol") // bob's are now the least recently used
		(<-f).has("of carol")
		<-got
		got = of(t.Context(), "carol", "bob", "alice", "bob")
		queried := <-f
		assert.Equal(t, []string{"bob"}, queried.users)
		queried.has("of bob again")
		assert.Equal(t, ids("alice", "of alice", "bob", "of bob again", "carol", "of carol"), <-got)
		assert.Empty(t, f)
	})
}

// Order and repetition of the users do not matter.
func TestEqualLookupsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		first, second := of(t.Context(), "bob", "alice"), of(t.Context(), "alice", "bob", "alice")
		other := of(t.Context(), "alice")
		require.Len(t, f, 2)
		shared := <-f
		assert.Equal(t, []string{"alice", "bob"}, shared.users)
		shared.has("one")
		(<-f).has("other")
		assert.Equal(t, ids("alice", "one", "bob", "one"), <-first)
		assert.Equal(t, ids("alice", "one", "bob", "one"), <-second)
		assert.Equal(t, ids("alice", "other"), <-other)
	})
}

func TestTheErrorOfALookupIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		first, second := of(t.Context(), "alice"), of(t.Context(), "alice")
		(<-f).answer <- fetched{err: assert.AnError}
		require.ErrorIs(t, (<-first).err, assert.AnError)
		require.ErrorIs(t, (<-second).err, assert.AnError)
		require.Empty(t, f, "not retried")
		third := of(t.Context(), "alice")
		(<-f).has("x")
		assert.Equal(t, ids("alice", "x"), <-third, "an error is not remembered")
	})
}

// A caller's context ends its own lookup only.
func TestTheCallerOfASharedLookupLeaves(t *testing.T) {
	bubble(t, "the first", func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		ctx, cancel := context.WithCancel(t.Context())
		first := of(ctx, "alice")
		second, third := of(t.Context(), "alice"), of(t.Context(), "alice")
		<-f
		require.Empty(t, f)
		cancel()
		err := (<-first).err
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errNoFetch, "and the cause of the missing response")
		synctest.Wait()
		require.Len(t, f, 1, "another caller looks up again")
		(<-f).has("x")
		assert.Equal(t, ids("alice", "x"), <-second)
		assert.Equal(t, ids("alice", "x"), <-third)
	})
	bubble(t, "another", func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		first := of(t.Context(), "alice")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		second := of(ctx, "alice")
		require.ErrorIs(t, (<-second).err, context.DeadlineExceeded)
		(<-f).has("x")
		assert.Equal(t, ids("alice", "x"), <-first)
		assert.Empty(t, f)
	})
	bubble(t, "both", func(t *testing.T) {
		of, f, _, _ := newDirectory(10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := of(ctx, "alice")
		other, cancelOther := context.WithCancel(t.Context())
		second := of(other, "alice")
		<-f
		cancelOther()
		err := (<-second).err
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, (<-first).err, context.DeadlineExceeded)
		assert.Empty(t, f)
	})
}

// A change during a lookup is newer than the lookup's response. The response is not remembered, and later callers do
// not receive it.
func TestSessionsChangeDuringALookup(t *testing.T) {
	bubble(t, "dropped, and the newer answer comes first", func(t *testing.T) {
		of, f, drop, _ := newDirectory(10)
		before := of(t.Context(), "alice")
		old := <-f
		drop("ALICE")
		after := of(t.Context(), "alice")
		require.Len(t, f, 1, "looked up again")
		(<-f).has("new")
		assert.Equal(t, ids("alice", "new"), <-after)
		old.has("old")
		assert.Equal(t, ids("alice", "old"), <-before)
		assert.Equal(t, ids("alice", "new"), <-of(t.Context(), "alice"))
	})
	bubble(t, "dropped, and the older answer comes first", func(t *testing.T) {
		of, f, drop, _ := newDirectory(10)
		before := of(t.Context(), "alice")
		drop("alice")
		(<-f).has("old")
		assert.Equal(t, ids("alice", "old"), <-before)
		after := of(t.Context(), "alice")
		(<-f).has("new")
		assert.Equal(t, ids("alice", "new"), <-after)
		drop("ALICE")
		after = of(t.Context(), "alice")
		(<-f).has("newest")
		assert.Equal(t, ids("alice", "newest"), <-after)
	})
	bubble(t, "set", func(t *testing.T) {
		of, f, _, set := newDirectory(10)
		before := of(t.Context(), "alice")
		set("Alice", "new")
		assert.Equal(t, ids("alice", "new"), <-of(t.Context(), "alice"))
		(<-f).has("old")
		assert.Equal(t, ids("alice", "old"), <-before)
		assert.Equal(t, ids("alice", "new"), <-of(t.Context(), "alice"))
		assert.Empty(t, f)
	})
}

// blockedTransport blocks requests for sessions until open is closed, and counts them.
type blockedTransport struct {
	http.RoundTripper
	queried chan struct{}
	open    chan struct{}
}

func (g *blockedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/sessions/fetch") {
		g.queried <- struct{}{}
		<-g.open
	}
	return g.RoundTripper.RoundTrip(req)
}

func TestConcurrentSendsLookUpSessionsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &blockedTransport{queried: make(chan struct{}, 10), open: make(chan struct{})}
		s := newServer()
		s.Errorf = t.Errorf
		defer s.Close()
		c := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) {
			transport := &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
			g.RoundTripper, cfg.HTTPClient = transport, &http.Client{Transport: g}
		})
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
				errs <- err
			}()
		}
		synctest.Wait()
		close(g.open)
		require.NoError(t, <-errs)
		require.NoError(t, <-errs)
		assert.Len(t, g.queried, 1)
		assert.Len(t, s.Sent(), 2)
	})
}

// roundTripper is an http.RoundTripper of user code.
type roundTripper func() (*http.Response, error)

func (f roundTripper) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestALookupSurvivesTheUsersRoundTripper(t *testing.T) {
	for name, f := range map[string]roundTripper{
		"panic: boom":    func() (*http.Response, error) { panic("boom") },
		"runtime.Goexit": func() (*http.Response, error) { runtime.Goexit(); return nil, nil },
	} {
		bubble(t, name, func(t *testing.T) {
			s := newServer()
			defer s.Close()
			c := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) { cfg.HTTPClient = &http.Client{Transport: f} })
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, err := c.Send(ctx, encryptedText(c, "alice", "x"))
				cancel()
				assert.ErrorContains(t, err, name)
			}
		})
	}
}
