package blaze_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Files and requests use the websocket's dialer, TLS configuration and proxy.
func TestHTTPOverTLSAndTheProxy(t *testing.T) {
	ts := httptest.NewTLSServer(nil)
	defer ts.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newServerOn(tls.NewListener(ln, &tls.Config{Certificates: ts.TLS.Certificates}))
	defer s.Close()
	s.Errorf = t.Errorf
	var dialled, proxied atomic.Int64
	c := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) {
		cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		cfg.Proxy = func(r *http.Request) (*url.URL, error) {
			assert.True(t, strings.HasPrefix(r.URL.String(), "https://"))
			proxied.Add(1)
			return nil, nil
		}
	})
	a, err := c.Upload(t.Context(), strings.NewReader("hello"), 5)
	require.NoError(t, err)
	got, err := download(t, c, a)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
	assert.Positive(t, dialled.Load())
	assert.EqualValues(t, 4, proxied.Load(), "each request")

	stranger := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) {
		cfg.TLSClientConfig, cfg.SendAttempts = nil, 1
	})
	_, err = stranger.Upload(t.Context(), strings.NewReader("hello"), 5)
	require.ErrorContains(t, err, "certificate")
}

// open counts open connections.
type open struct {
	net.Conn
	n    *atomic.Int64
	once atomic.Bool
}

func (c *open) Close() error {
	if c.once.CompareAndSwap(false, true) {
		c.n.Add(-1)
	}
	return c.Conn.Close()
}

// A Client used for HTTP only leaves no connection open: idle ones are closed after five seconds, or at once by
// CloseIdleConnections.
func TestIdleHTTPConnectionsEnd(t *testing.T) {
	for name, end := range map[string]func(c *blaze.Client){
		"by themselves": func(*blaze.Client) { time.Sleep(5 * time.Second) },
		"on demand":     (*blaze.Client).CloseIdleConnections,
	} {
		bubble(t, name, func(t *testing.T) {
			var n atomic.Int64
			r := prepare(t, func(cfg *blaze.Config) {
				dial := cfg.DialContext
				cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dial(ctx, network, addr)
					if err == nil {
						n.Add(1)
					}
					return &open{Conn: c, n: &n}, err
				}
			})
			before := runtime.NumGoroutine()
			_, err := r.Upload(t.Context(), strings.NewReader("hello"), 5)
			require.NoError(t, err)
			synctest.Wait()
			assert.EqualValues(t, 1, n.Load(), "kept for another request")
			end(r.Client)
			synctest.Wait()
			assert.Zero(t, n.Load())
			assertGoroutines(t, before)
		})
	}
}

func TestRunClosesIdleHTTPConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		r := prepare(t, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				if err == nil {
					n.Add(1)
				}
				return &open{Conn: c, n: &n}, err
			}
		})
		r.start(t.Context(), nil)
		_, err := r.Upload(t.Context(), strings.NewReader("hello"), 5)
		require.NoError(t, err)
		synctest.Wait()
		assert.EqualValues(t, 2, n.Load(), "the websocket, and one kept for another request")
		require.NoError(t, r.stop())
		synctest.Wait()
		assert.Zero(t, n.Load())
	})
}

// If a message is rejected because the user never wrote to the bot, the error names the remedy.
func TestWritingFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		r.Intercept("CREATE_MESSAGE", func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		require.ErrorIs(t, err, blaze.CodeForbidden)
		assert.ErrorContains(t, err, "OpenConversation")
		assert.NotContains(t, err.Error(), "ToUser", "it was used")
	})
}
