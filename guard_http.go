package blaze

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// guardHTTP returns a copy of a user's transport with guarded hooks. net/http calls most hooks on its own goroutines,
// where a panic would end the process.
func guardHTTP(t *http.Transport) *http.Transport {
	t = t.Clone()
	if t.DialContext != nil {
		t.DialContext = apartDial(guardedDial(t.DialContext))
	}
	if dial := t.DialTLSContext; dial != nil {
		t.DialTLSContext = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			err = apart("HTTPClient.Transport.DialTLSContext", func() (err error) {
				if conn, err = dial(ctx, network, addr); err == nil && conn == nil {
					err = errors.New("no connection and no error from the DialTLSContext of Config.HTTPClient")
				}
				return err
			})
			if _, secure := conn.(*tls.Conn); err != nil || secure { // net/http asks a *tls.Conn for its protocol
				return conn, err
			}
			return guardedApart(guarded(conn)), nil
		}
	}
	if t.TLSClientConfig != nil {
		guardTLS(t.TLSClientConfig)
	}
	if t.Proxy != nil {
		t.Proxy = careful(guardedProxy(t.Proxy))
	}
	guardProxyHooks(t)
	return t
}

// apartDial adapts dial for net/http; see guardedApart.
func apartDial(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return guardedApart(conn), nil
	}
}

// guardProxyHooks guards the hooks that net/http calls to open a tunnel through a proxy.
func guardProxyHooks(t *http.Transport) {
	if ask := t.GetProxyConnectHeader; ask != nil {
		t.GetProxyConnectHeader = func(ctx context.Context, proxy *url.URL, target string) (h http.Header, err error) {
			err = apart("HTTPClient.Transport.GetProxyConnectHeader", func() (err error) {
				h, err = ask(ctx, proxy, target)
				return err
			})
			return h, err
		}
	}
	if tell := t.OnProxyConnectResponse; tell != nil {
		t.OnProxyConnectResponse = func(
			ctx context.Context, proxy *url.URL, r *http.Request, resp *http.Response,
		) error {
			return apart("HTTPClient.Transport.OnProxyConnectResponse", func() error {
				return tell(ctx, proxy, r, resp)
			})
		}
	}
}

// guardedClient returns an HTTP client with the guarded Transport and Jar of a user's client.
func guardedClient(hc http.Client) *http.Client {
	if t, ok := hc.Transport.(*http.Transport); ok && t != nil {
		hc.Transport = guardHTTP(t)
	}
	if hc.Transport != nil {
		hc.Transport = guardedTransport{hc.Transport}
	}
	//mutant:guarded-jar
	if hc.Jar != nil {
		hc.Jar = guardedJar{hc.Jar}
	}
	return &hc
}

// guardedJar is the Jar of a user's HTTPClient.
type guardedJar struct{ jar http.CookieJar }

// SetCookies implements http.CookieJar.
func (g guardedJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	// Errors are ignored: the service needs no cookies.
	_ = apart("HTTPClient.Jar", func() error {
		g.jar.SetCookies(u, cookies)
		return nil
	})
}

// Cookies implements http.CookieJar. It returns none if the jar fails.
func (g guardedJar) Cookies(u *url.URL) (cookies []*http.Cookie) {
	err := apart("HTTPClient.Jar", func() error {
		cookies = g.jar.Cookies(u)
		return nil
	})
	if err != nil {
		return nil
	}
	return cookies
}

// guardedTransport is the Transport of a user's HTTPClient.
type guardedTransport struct{ next http.RoundTripper }

// closeIdle closes the idle connections of the copy of a user's http.Transport. Other transports are left alone.
func (g guardedTransport) closeIdle() {
	if t, ok := g.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (g guardedTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	err = apart("HTTPClient.Transport", func() (err error) {
		resp, err = g.next.RoundTrip(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, ours := g.next.(*http.Transport); !ours && resp != nil && resp.Body != nil {
		resp.Body = guardedBody{resp.Body}
	}
	return resp, nil
}

// guardedBody is a response body made by a user's transport.
type guardedBody struct{ body io.ReadCloser }

// Read implements io.Reader.
func (g guardedBody) Read(p []byte) (n int, err error) {
	err = guard.Apart(func() (err error) {
		n, err = g.body.Read(p)
		n, err = guard.Count(n, len(p), err)
		return guard.ReadError(err)
	})
	return n, err
}

// Close implements io.Closer.
func (g guardedBody) Close() error { return apart("HTTPClient.Transport", g.body.Close) }

// guardedApart wraps conn for net/http. During a TLS handshake, net/http waits without limit for a goroutine that a
// user's connection may end.
func guardedApart(conn net.Conn) net.Conn {
	//mutant:guarded-apart
	if g, ok := conn.(guardedConn); ok {
		return apartConn{g}
	}
	return conn
}

// apartConn is a guardedConn with each call on a goroutine of its own.
type apartConn struct{ guardedConn }

func (apartConn) call(f func() error) error { return named("DialContext", guard.Apart(f)) }

// Read implements net.Conn.
func (a apartConn) Read(p []byte) (n int, err error) {
	err = a.call(func() (err error) { n, err = a.guardedConn.Read(p); return err })
	return n, err
}

// Write implements net.Conn.
func (a apartConn) Write(p []byte) (n int, err error) {
	err = a.call(func() (err error) { n, err = a.guardedConn.Write(p); return err })
	return n, err
}

// Close implements net.Conn.
func (a apartConn) Close() error { return a.call(a.guardedConn.Close) }

// SetDeadline implements net.Conn.
func (a apartConn) SetDeadline(t time.Time) error {
	return a.call(func() error { return a.guardedConn.SetDeadline(t) })
}

// SetReadDeadline implements net.Conn.
func (a apartConn) SetReadDeadline(t time.Time) error {
	return a.call(func() error { return a.guardedConn.SetReadDeadline(t) })
}

// SetWriteDeadline implements net.Conn.
func (a apartConn) SetWriteDeadline(t time.Time) error {
	return a.call(func() error { return a.guardedConn.SetWriteDeadline(t) })
}
