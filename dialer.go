package blaze

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/address"
	"github.com/mixin-blaze/blaze/internal/proxy"
)

// idleHTTP is the idle timeout of the Client's own HTTP client. A Client that is used without Run is never closed, so
// its connections must close on their own.
const idleHTTP = 5 * time.Second

// http1 returns a copy of c for HTTP/1.1 and websockets. c may be nil. It replaces NextProtos, because net/http adds
// HTTP/2 to a configuration that it uses, and the Client does not speak HTTP/2.
func http1(c *tls.Config) *tls.Config {
	if c = c.Clone(); c == nil {
		c = new(tls.Config)
	}
	//mutant:dial-alpn
	c.NextProtos = []string{"http/1.1"}
	return c
}

// dialPublic connects to a public address or to the proxy of the request. The address of a proxy is not restricted.
func dialPublic(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{ControlContext: address.Control}
	if use, ok := ctx.Value(proxyKey{}).(*proxyUse); ok && use.proxy.Load() != nil {
		d.ControlContext = nil
	}
	//mutant:dial-public
	return d.DialContext(ctx, network, addr)
}

// maxHeaders is the maximum size, in bytes, of the headers of an HTTP response.
const maxHeaders = 1 << 20

// newHTTPClient returns a client with the given dialer, and the TLS configuration and proxy function of the websocket.
func newHTTPClient(
	dial func(ctx context.Context, network, addr string) (net.Conn, error), secure *tls.Config,
	choose func(*http.Request) (*url.URL, error), agent string,
) *http.Client {
	return &http.Client{Transport: proxied{&http.Transport{
		DialContext: apartDial(dial), TLSClientConfig: secure,
		Proxy: func(r *http.Request) (*url.URL, error) {
			u, err := choose(r)
			if err == nil {
				err = proxy.Check(u)
			}
			if use, ok := r.Context().Value(proxyKey{}).(*proxyUse); ok {
				use.proxy.Store(u)
			}
			return u, err
		},
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: idleHTTP, MaxIdleConnsPerHost: 16,
		//mutant:http-headers
		MaxResponseHeaderBytes: maxHeaders,
		ProxyConnectHeader:     http.Header{"User-Agent": {agent}},
		OnProxyConnectResponse: func(_ context.Context, u *url.URL, _ *http.Request, resp *http.Response) error {
			return proxy.Rejected(u, resp)
		},
		// Files must arrive byte for byte, because their length is checked.
		DisableCompression: true,
	}}}
}
