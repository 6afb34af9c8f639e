package blaze

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/proxy"
	"github.com/mixin-blaze/blaze/internal/tame"
)

// proxied is an http.Transport with errors that name the proxy that caused them.
type proxied struct{ *http.Transport }

// proxyUse records the progress of one request. net/http writes it from its own goroutines.
type proxyUse struct {
	proxy      atomic.Pointer[url.URL] // nil: none
	reached    atomic.Bool             // a connection to the server was established
	handshakes atomic.Int32            // TLS handshakes started
}

type proxyKey struct{}

// RoundTrip implements http.RoundTripper.
func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	use := new(proxyUse)
	ctx := httptrace.WithClientTrace(context.WithValue(r.Context(), proxyKey{}, use), &httptrace.ClientTrace{
		GotConn:           func(httptrace.GotConnInfo) { use.reached.Store(true) },
		TLSHandshakeStart: func() { use.handshakes.Add(1) },
	})
	resp, err := p.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, use.cause(err)
	}
	return resp, nil
}

// cause wraps err with the proxy's name if the request used a proxy and failed before it reached the server.
func (u *proxyUse) cause(err error) error {
	by := u.proxy.Load()
	if by == nil || u.reached.Load() || errors.As(err, new(*proxy.Error)) {
		return err
	}
	own := int32(0) // handshakes with the proxy
	if by.Scheme == "https" {
		own = 1
	}
	//mutant:proxy-cause
	if u.handshakes.Load() > own {
		return err // in the handshake with the server
	}
	return &proxy.Error{Host: by.Host, Err: guard.Short(err, tame.Most)}
}

// errProxyURL replaces errors that quote the URL of a proxy, which may contain a password.
var errProxyURL = errors.New("the proxy's URL, from Config.Proxy, Config.HTTPClient or the environment, cannot be " +
	"used; it is not shown, because it may have a password")

// errPlainProxy prevents a token from being sent unencrypted to a proxy.
var errPlainProxy = errors.New("blaze: the Proxy of Config or of its HTTPClient returns a proxy for a request " +
	"without TLS, and the proxy would see the token: return nil for loopback hosts, or use TLS")

// careful wraps a proxy function. Requests without TLS, which are allowed to loopback hosts only, must not use a proxy.
// Errors do not quote URLs.
func careful(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r)
		switch {
		case err != nil && (strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "://")):
			return nil, errProxyURL
		case err != nil:
			return nil, err
		//mutant:plain-proxy
		case u != nil && r.URL.Scheme == "http":
			return nil, errPlainProxy
		}
		return u, nil
	}
}
