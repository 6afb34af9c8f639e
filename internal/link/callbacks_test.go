package link_test

import (
	"context"
	"crypto/tls"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// ends are the ways in which a callback does not return, with the expected error of Dial.
var ends = map[string]struct {
	end  func()
	want string
}{
	"panics": {func() { panic("own") }, "panic: own"},
	"exits":  {runtime.Goexit, "runtime.Goexit was called"},
}

// A callback that panics or ends its goroutine makes Dial return an error, with and without a proxy.
func TestFunctionsOfTheCallerThatDoNotReturn(t *testing.T) {
	viaProxy := func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test:3128") }
	for how, e := range ends {
		t.Run(how, func(t *testing.T) {
			dial := func(context.Context, string, string) (net.Conn, error) {
				e.end()
				return nil, nil
			}
			for name, cfg := range map[string]link.Config{
				"DialContext":          {URL: "ws://blaze.test/", DialContext: dial},
				"DialContext, proxied": {URL: "ws://blaze.test/", DialContext: dial, Proxy: viaProxy},
				"Proxy": {URL: "ws://blaze.test/", Proxy: func(*http.Request) (*url.URL, error) {
					e.end()
					return nil, nil
				}},
			} {
				_, err := link.Dial(t.Context(), cfg)
				assert.ErrorContains(t, err, e.want, name)
			}
		})
	}
}

func TestATLSCallbackThatDoesNotReturn(t *testing.T) {
	for how, e := range ends {
		t.Run(how, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
			srv.StartTLS()
			defer srv.Close()
			_, err := link.Dial(t.Context(), link.Config{
				URL: "wss" + strings.TrimPrefix(srv.URL, "https") + "/", DialContext: new(net.Dialer).DialContext,
				TLS: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error {
					e.end()
					return nil
				}},
			})
			assert.ErrorContains(t, err, e.want)
		})
	}
}

// Dial does not wait for a dialer that ignores its context. A connection that it returns later is closed.
func TestADialerThatIgnoresTheEnd(t *testing.T) {
	for _, tt := range []struct{ patience, want time.Duration }{
		{0, time.Second}, {-1, 0}, {300 * time.Millisecond, 300 * time.Millisecond}, {time.Minute, time.Second},
	} {
		bubble(t, func(t *testing.T) {
			client, server := pipe()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			began := time.Now()
			_, err := link.Dial(ctx, link.Config{
				URL: "ws://blaze.test/", Patience: tt.patience,
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					time.Sleep(time.Hour)
					return client, nil
				},
			})
			assert.Equal(t, context.Canceled, err)
			assert.Equal(t, 3*time.Second+tt.want, time.Since(began))
			time.Sleep(time.Hour)
			synctest.Wait()
			_, err = server.Read(make([]byte, 1))
			assert.Equal(t, io.EOF, err)
		})
	}
}

// A hook that ends the goroutine of the reader or writer ends only the link.
func TestAHookThatExits(t *testing.T) {
	for _, name := range []string{"Trace", "Wrote"} {
		bubble(t, func(t *testing.T) {
			l, err := answer(t, func(p *wspeer.Peer) {
				_, _ = io.WriteString(p, p.Upgrade())
				_, _ = p.Write(named("a"))
				_, _ = io.Copy(io.Discard, p.Conn)
			})
			require.NoError(t, err)
			hooks, src := new(log).hooks(), newSource()
			if name == "Trace" {
				hooks.Trace = func([]byte) { runtime.Goexit() }
			} else {
				hooks.Wrote = func([]byte) { runtime.Goexit() }
				src.add(`{"id":"b"}`)
			}
			l.Start(src, hooks)
			<-l.Done()
			assert.EqualError(t, l.Err(), "a hook called runtime.Goexit")
		})
	}
}
