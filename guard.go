package blaze

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// Everything that a Config brings is user code. What runs on a goroutine that must survive runtime.Goexit is wrapped
// here, once, and called apart. The Handler, the Ledger, OnReceipt and the hooks of frames run on goroutines that are
// replaced: they are called in place in deliver.go and tell.go, which allocates nothing.

// guardUserCode wraps what given brought into c. The defaults are not wrapped.
func (c *Config) guardUserCode(given *Config) {
	if given == nil {
		return
	}
	if given.DialContext != nil {
		c.DialContext = guardedDial(given.DialContext)
	}
	if given.Proxy != nil {
		c.Proxy = guardedProxy(given.Proxy)
	}
	if c.TLSClientConfig != nil {
		guardTLS(c.TLSClientConfig)
	}
	if given.HTTPClient != nil {
		c.HTTPClient = guardedClient(*given.HTTPClient)
	}
	if given.Limiter != nil {
		c.Limiter = guardedLimiter{given.Limiter}
	}
}

func guardedDial(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		err = apart("DialContext", func() (err error) {
			conn, err = dial(ctx, network, addr)
			return err
		})
		if err == nil && conn == nil {
			err = errors.New("no connection and no error from Config.DialContext")
		}
		if err != nil {
			return nil, err
		}
		return guarded(conn), nil
	}
}

func guardedProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (u *url.URL, err error) {
		err = apart("Proxy", func() (err error) {
			u, err = proxy(r)
			return err
		})
		return u, err
	}
}

// guardedClient returns an HTTP client with the Transport and the Jar of a user's.
func guardedClient(hc http.Client) *http.Client {
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
	// The service needs no cookies.
	_ = apart("HTTPClient.Jar", func() error {
		g.jar.SetCookies(u, cookies)
		return nil
	})
}

// Cookies implements http.CookieJar. A jar that fails has no cookies.
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

// guardedBody is the body of a response that a user's transport made.
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

type guardedLimiter struct{ limiter Limiter }

// Wait implements Limiter.
func (g guardedLimiter) Wait(ctx context.Context) error {
	return apart("Limiter", func() error { return g.limiter.Wait(ctx) })
}
