package blaze_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// brokenJar calls end in every method.
type brokenJar struct{ end func() }

func (j brokenJar) SetCookies(*url.URL, []*http.Cookie) { j.end() }

func (j brokenJar) Cookies(*url.URL) []*http.Cookie {
	j.end()
	return nil
}

// withCookies adds a cookie to responses, so that a jar is called.
type withCookies struct{ next http.RoundTripper }

func (w withCookies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err == nil {
		resp.Header.Set("Set-Cookie", "a=b")
	}
	return resp, err
}

// A jar that fails counts as empty. The service needs no cookies.
func TestAJarThatDoesNotReturn(t *testing.T) {
	for how, no := range noReturns {
		bubble(t, how, func(t *testing.T) {
			r := run(t, ok, func(cfg *blaze.Config) {
				direct := &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
				cfg.HTTPClient = &http.Client{Jar: brokenJar{no.end}, Transport: withCookies{direct}}
			})
			_, err := r.batchWithinAnHour(t.Context(), encryptedText(r.Client, "alice", "x"))
			require.NoError(t, err)
			_, err = r.Send(t.Context(), encryptedText(r.Client, "bob", "x"))
			require.NoError(t, err)
			assert.Len(t, r.Sent(), 2)
		})
	}
}

// batchWithinAnHour calls SendBatch and fails if that takes an hour.
func (r *rig) batchWithinAnHour(ctx context.Context, outs ...blaze.Outgoing) (sent []blaze.Sent, err error) {
	r.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sent, err = r.SendBatch(ctx, outs...)
	}()
	select {
	case <-ended:
	case <-time.After(time.Hour):
		require.FailNow(r.t, "SendBatch goes on")
	}
	return sent, err
}

// A context may run user code. SendBatch returns even if that code fails, with an UnconfirmedError.
func TestAContextThatDoesNotReturn(t *testing.T) {
	for how, no := range noReturns {
		bubble(t, how, func(t *testing.T) {
			r := run(t, ok, nil)
			requests := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(string) {
				if requests++; requests == 2 { // the first request looks up the sessions
					no.end()
				}
			}})
			_, err := r.batchWithinAnHour(ctx, encryptedText(r.Client, "alice", "x"))
			var unconfirmed *blaze.UnconfirmedError
			require.ErrorAs(t, err, &unconfirmed)
			require.ErrorContains(t, err, no.contains)
			assert.Zero(t, r.Stats().OutboxRequests, "its capacity is free again")
		})
	}
}

// fickleContext is a user's context. Its Done ends the goroutine after a number of calls.
type fickleContext struct {
	context.Context
	calls atomic.Int32
}

func (c *fickleContext) Done() <-chan struct{} {
	if c.calls.Add(-1) < 0 {
		runtime.Goexit()
	}
	return c.Context.Done()
}

// Whichever call exits, SendBatch returns and frees its capacity.
func TestABatchWithAContextThatExits(t *testing.T) {
	for _, limited := range []bool{false, true} {
		for calls := range int32(8) {
			bubble(t, fmt.Sprintf("limited %v, %d calls", limited, calls), func(t *testing.T) {
				r := run(t, nil, func(cfg *blaze.Config) {
					if limited {
						cfg.Limiter = limiterFunc(func(context.Context) error { return nil })
					}
				})
				synctest.Wait()
				ctx := &fickleContext{Context: t.Context()}
				ctx.calls.Store(calls)
				returned := make(chan struct{})
				go func() {
					defer close(returned)
					_, _ = r.SendBatch(ctx, r.ToUser(userID("alice"), blaze.Text("a")),
						r.ToUser(userID("bob"), blaze.Text("b")))
				}()
				select {
				case <-returned:
				case <-time.After(time.Hour):
					t.Error("SendBatch hangs")
				}
				synctest.Wait()
				assert.Zero(t, r.Stats().OutboxRequests)
			})
		}
	}
}

// The Client calls no method of a dialer's error that may block.
func TestADialersErrorWithMethodsThatBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		wait := func() { <-block }
		r := prepare(t, func(cfg *blaze.Config) {
			calls, dial := 0, cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if calls++; calls == 3 {
					return dial(ctx, network, addr)
				}
				return nil, &brokenError{onIs: wait, onAs: wait, onUnwrap: wait}
			}
		})
		r.start(t.Context(), ok)
		late := time.AfterFunc(time.Hour, func() {
			t.Error("something waits for the error")
			close(block)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := r.Send(ctx, r.ToUser(userID("alice"), blaze.Text("x")))
		require.ErrorContains(t, err, "asked")
		time.Sleep(time.Minute)
		assert.Equal(t, 1, r.connects.len())
		assert.Equal(t, 2, r.disconnects.len())
		r.Cut()
		time.Sleep(10 * time.Second)
		began := time.Now()
		require.NoError(t, r.stop())
		assert.Zero(t, time.Since(began))
		late.Stop()
	})
}

// brokenConn is a connection that fails by calling read or write once broken is closed.
type brokenConn struct {
	net.Conn
	broken <-chan struct{}
	read   func() error
	write  func() error
}

func (c brokenConn) fail(how func() error) (failed bool, err error) {
	select {
	case <-c.broken:
		if how != nil {
			return true, how()
		}
	default:
	}
	return false, nil
}

func (c brokenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if failed, err := c.fail(c.read); failed {
		return 0, err
	}
	return n, err
}

func (c brokenConn) Write(p []byte) (int, error) {
	if failed, err := c.fail(c.write); failed {
		return 0, err
	}
	return c.Conn.Write(p)
}

// A user's connection that panics or exits, or returns an error that does so, counts as lost and has no other effect.
func TestAConnectionThatDoesNotReturn(t *testing.T) {
	nasty := func(end func()) func() error {
		return func() error { return &brokenError{onIs: end, onAs: end, onUnwrap: end} }
	}
	for name, how := range map[string]func() error{
		"panics":                  func() error { boom(); return nil },
		"exits":                   func() error { runtime.Goexit(); return nil },
		"returns what panics":     nasty(boom),
		"returns what exits":      nasty(runtime.Goexit),
		"returns unprintable":     func() error { return &brokenError{onError: boom} },
		"returns an exiting text": func() error { return &brokenError{onError: runtime.Goexit} },
	} {
		for _, reads := range []bool{true, false} {
			bubble(t, fmt.Sprintf("%s, reading %v", name, reads), func(t *testing.T) {
				broken := make(chan struct{})
				r := run(t, ok, func(cfg *blaze.Config) {
					first, dial := true, cfg.DialContext
					cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := dial(ctx, network, addr)
						if err != nil || !first {
							return conn, err
						}
						first = false
						if reads {
							return brokenConn{Conn: conn, broken: broken, read: how}, nil
						}
						return brokenConn{Conn: conn, broken: broken, write: how}, nil
					}
				})
				synctest.Wait()
				close(broken)
				id := r.say("alice", "hello")
				time.Sleep(time.Minute)
				assert.Equal(t, []string{id}, r.Acked())
				assert.EqualValues(t, 2, r.Stats().Connects)
				assert.Equal(t, 1, r.disconnects.len(), r.disconnects.String())
			})
		}
	}
}

// The panic of a dialer is logged with its stack.
func TestAPanicOfADialerIsLoggedWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.DialContext = sometimes(func() (net.Conn, error) { panic("boom") }, cfg.DialContext)
		})
		time.Sleep(time.Minute)
		assert.Contains(t, r.log.String(), "calling Config.DialContext: panic: boom")
		assert.Contains(t, r.log.String(), "usercode_http_test.go")
	})
}
