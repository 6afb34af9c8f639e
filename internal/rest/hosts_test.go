package rest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
)

// twoHosts returns a client with two hosts. The second one always succeeds.
func twoHosts(t *testing.T, edit func(*rest.Config), first ...http.HandlerFunc) (one, two *server, c *rest.Client) {
	t.Helper()
	one, two = serve(t, first...), serve(t, answers(200, `{"data":{"name":"x"}}`))
	return one, two, one.client(func(cfg *rest.Config) {
		cfg.Bases = []string{one.URL, two.URL}
		if edit != nil {
			edit(cfg)
		}
	})
}

// After no response, or one that is not the service's, requests go to the other host and stay there.
func TestTheOtherHost(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		fails  string // the error if the first host's response counts
		change bool
	}{
		"cut":                    {answer: cuts, change: true},
		"a gateway's 502":        {answer: answers(502, "<html>"), change: true},
		"a gateway's 503":        {answer: answers(503, ""), change: true},
		"a gateway's 403":        {answer: answers(403, "<html>"), change: true},
		"a page":                 {answer: answers(200, "<html>welcome"), change: true},
		"a redirect":             {answer: answers(302, ""), change: true},
		"the service says 403":   {answer: answers(202, `{"error":{"status":202,"code":403}}`), fails: "code 403"},
		"the service says 500":   {answer: answers(500, `{"error":{"status":500,"code":500}}`), fails: "code 500"},
		"the service is content": {answer: answers(200, `{"data":{"name":"y"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			one, two, c := twoHosts(t, nil, tt.answer)
			for range 2 {
				err := c.Do(t.Context(), "GET", "/things?a=1", nil, nil)
				if tt.fails != "" {
					require.ErrorContains(t, err, tt.fails)
				} else {
					require.NoError(t, err)
				}
			}
			if tt.change {
				assert.Len(t, one.all(), 1)
				assert.Equal(t, []string{"GET /things?a=1 ", "GET /things?a=1 "}, two.all())
			} else {
				assert.Empty(t, two.all())
			}
		})
	}
}

// A host that cannot be reached is replaced, and used again when the other one fails.
func TestHostsInTurn(t *testing.T) {
	one, two := serve(t, answers(200, `{}`)), serve(t, cuts)
	c := one.client(func(cfg *rest.Config) { cfg.Bases = []string{"http://127.0.0.1:1", two.URL, one.URL} })
	require.NoError(t, c.Do(t.Context(), "GET", "/x", nil, nil))
	assert.Len(t, two.all(), 1)
	assert.Len(t, one.all(), 1)
}

// Once makes one attempt, and the next request goes to the other host.
func TestOnceChangesTheHost(t *testing.T) {
	one, two, c := twoHosts(t, nil, cuts)
	require.Error(t, c.Once(t.Context(), "GET", "/me", nil))
	require.NoError(t, c.Once(t.Context(), "GET", "/me", nil))
	assert.Len(t, one.all(), 1)
	assert.Len(t, two.all(), 1)
}

// A request that one host may have carried out stays unconfirmed, whatever the other one responds.
func TestUnconfirmedAcrossHosts(t *testing.T) {
	one, two := serve(t, cuts), serve(t, answers(202, `{"error":{"status":202,"code":403}}`))
	c := one.client(func(cfg *rest.Config) { cfg.Bases = []string{one.URL, two.URL} })
	unconfirmed, err := c.Make(t.Context(), rest.Request{Method: "POST", Path: "/messages"})
	assert.True(t, unconfirmed)
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected)
	assert.True(t, rejected.Unconfirmed)
	assert.Len(t, two.all(), 1)
}

// A host is replaced if it does not respond, but not if the caller had little time or canceled.
func TestAHostIsLeftForItsSilence(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		want string
	}{
		"the caller's time is up": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 10*time.Second)
		}, "two"},
		"the caller has little time": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, "one"},
		"the caller canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, "one"},
		"the time was up before": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, -time.Second)
		}, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				c := rest.New(rest.Config{
					Bases: []string{"https://one", "https://two"}, Timeout: 20 * time.Second, Attempts: 1,
					HTTP: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
						asked = append(asked, r.URL.Host)
						<-r.Context().Done()
						return nil, r.Context().Err()
					})},
					Token: func(string, string, []byte) (string, string, error) { return "token", "id", nil },
				})
				ctx, cancel := tt.end(t.Context())
				defer cancel()
				require.Error(t, c.Do(ctx, "GET", "/x", nil, nil))
				asked = nil
				require.Error(t, c.Do(t.Context(), "GET", "/x", nil, nil))
				assert.Equal(t, []string{tt.want}, asked)
			})
		})
	}
}

// If several requests fail at the same time, only the first changes the host.
func TestRequestsThatFailTogetherChangeTheHostOnce(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	sign := func(cfg *rest.Config) {
		cfg.Token = func(string, string, []byte) (string, string, error) { return "token", "id", nil }
	}
	one, two, c := twoHosts(t, sign, func(w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait()
		cuts(w, r)
	})
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() { assert.NoError(t, c.Do(t.Context(), "POST", "/x", nil, nil)) })
	}
	done.Wait()
	assert.Len(t, one.all(), 2)
	assert.Len(t, two.all(), 2)
}

// All requests have the User-Agent, those for files included.
func TestUserAgent(t *testing.T) {
	var agents []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		agents = append(agents, r.UserAgent())
		_, _ = io.WriteString(w, `{}`)
	})
	c := s.client(func(cfg *rest.Config) { cfg.UserAgent = "bot/1" })
	require.NoError(t, c.Do(t.Context(), "GET", "/x", nil, nil))
	require.NoError(t, c.Put(t.Context(), s.URL+"/file", http.NoBody, 0))
	body, err := c.Get(t.Context(), s.URL+"/file", 100)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, []string{"bot/1", "bot/1", "bot/1"}, agents)
}

// A Retry-After applies to both hosts.
func TestARetryAfterBindsBothHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked []string
		c := rest.New(rest.Config{
			Bases: []string{"https://one", "https://two"}, Timeout: 20 * time.Second, Attempts: 2,
			HTTP: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, fmt.Sprint(r.URL.Host, " ", time.Since(began)))
				return &http.Response{
					StatusCode: 503, Header: http.Header{"Retry-After": {"60"}}, Body: http.NoBody,
				}, nil
			})},
			Token: func(string, string, []byte) (string, string, error) { return "token", "id", nil },
			Rest:  func(int) time.Duration { return time.Second },
		})
		require.Error(t, c.Do(t.Context(), "GET", "/x", nil, nil))
		assert.Equal(t, []string{"one 0s", "two 1m1s"}, asked)
	})
}
