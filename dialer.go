package blaze

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/proxy"
)

// idleHTTP is how long a connection of our own HTTP client waits for another request: a Client that is used for HTTP
// only has no end at which to close it.
const idleHTTP = 5 * time.Second

// http1 returns a copy of c, which may be nil, for HTTP/1.1 and websockets. A configuration that net/http has used
// offers HTTP/2 as well, which neither half of the Client speaks.
func http1(c *tls.Config) *tls.Config {
	if c = c.Clone(); c == nil {
		c = new(tls.Config)
	}
	//mutant:dial-alpn
	c.NextProtos = []string{"http/1.1"}
	return c
}

// ownHTTPClient has the dialer, the TLS and the proxy of the websocket.
func (c *Config) ownHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: c.DialContext, TLSClientConfig: c.TLSClientConfig,
		Proxy: func(r *http.Request) (*url.URL, error) {
			u, err := c.Proxy(r)
			if err == nil {
				err = proxy.Check(u)
			}
			return u, err
		},
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: idleHTTP, MaxIdleConnsPerHost: 16,
		ProxyConnectHeader: http.Header{"User-Agent": {c.UserAgent}},
		OnProxyConnectResponse: func(_ context.Context, u *url.URL, _ *http.Request, resp *http.Response) error {
			return proxy.Refused(u, resp)
		},
		// Files must arrive byte for byte, because their length is checked.
		DisableCompression: true,
	}}
}
