package blaze

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/proxy"
	"github.com/mixin-blaze/blaze/internal/tame"
)

// proxied is an http.Transport. Its errors name the proxy that caused them.
type proxied struct{ *http.Transport }

// proxyUse records how far one request got. net/http writes it on goroutines of its own.
type proxyUse struct {
	proxy      atomic.Pointer[url.URL] // nil: none
	reached    atomic.Bool             // there was a connection to the server
	handshakes atomic.Int32            // of TLS, that began
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

// cause returns an error that names the proxy, if there was one and it did not get as far as the server.
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
