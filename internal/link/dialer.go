package link

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/proxy"
)

// dialer establishes the connection of one link: TCP, proxy, TLS, websocket.
type dialer struct {
	cfg       *Config
	handshake context.Context
	raw       *bounded    // nil: none yet
	stop      func() bool // stops watching handshake; false: raw was closed by it

	proxy   *url.URL // nil: none
	reached bool     // the server, or the end of a tunnel, was reached
}

// dial performs the handshake. The websocket library supports SOCKS5 only: it does not speak TLS to HTTP proxies and
// hides their status. So tunnels through HTTP proxies are opened here.
func (d *dialer) dial() (*websocket.Conn, *http.Response, error) {
	ws := websocket.Dialer{
		TLSClientConfig: d.cfg.TLS, Subprotocols: []string{Subprotocol}, ReadBufferSize: 4096, WriteBufferSize: 1024,
		NetDialContext: d.connect,
	}
	if d.cfg.Proxy != nil {
		ws.Proxy = d.choose
	}
	h := http.Header{"Authorization": {"Bearer " + d.cfg.Token}}
	if d.cfg.UserAgent != "" {
		h["User-Agent"] = []string{d.cfg.UserAgent}
	}
	ctx := httptrace.WithClientTrace(d.handshake, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { d.reached = true },
	})
	conn, resp, err := ws.DialContext(ctx, d.cfg.URL, h)
	if err != nil && d.proxy != nil && !d.reached {
		err = byProxy(d.proxy, err)
	}
	return conn, resp, err
}

// choose determines the proxy. It returns it if the websocket library should use it.
func (d *dialer) choose(r *http.Request) (*url.URL, error) {
	u, err := d.cfg.Proxy(r)
	if err != nil || u == nil {
		return nil, err
	}
	d.proxy = u
	if err := proxy.Check(u); err != nil || proxy.Tunnels(u) {
		return nil, err
	}
	// The proxy resolves names with either scheme, as in net/http.
	socks := *u
	socks.Scheme, socks.Host = "socks5", proxy.Addr(u)
	return &socks, nil
}

// connect connects to addr, through a tunnel if there is an HTTP proxy.
func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	tunnels := d.proxy != nil && proxy.Tunnels(d.proxy)
	target := addr
	if tunnels {
		addr = proxy.Addr(d.proxy)
	}
	c, err := d.cfg.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	// After the connect, the websocket library respects the deadline of the context, but not its cancellation.
	//mutant:handshake-cancel
	d.raw, d.stop = &bounded{Conn: c, left: maxHandshake}, context.AfterFunc(d.handshake, func() { _ = c.Close() })
	if !tunnels {
		return d.raw, nil
	}
	h := http.Header{}
	if d.cfg.UserAgent != "" {
		h.Set("User-Agent", d.cfg.UserAgent)
	}
	return proxy.Tunnel(ctx, d.raw, d.proxy, target, d.cfg.TLS, h)
}

// late names the proxy in the error of a handshake that timed out before the proxy had connected.
func (d *dialer) late(ctx context.Context, err error) error {
	if d.proxy != nil && !d.reached && d.handshake.Err() != nil && ctx.Err() == nil {
		return &proxy.Error{Host: d.proxy.Host, Err: err}
	}
	return err
}

// byProxy marks an error as caused by a proxy.
func byProxy(u *url.URL, err error) error {
	if _, named := err.(*proxy.Error); named { //nolint:errorlint // errors.As would ask an error of user code
		return err
	}
	return proxy.Errorf(u, "cannot be reached, or does not connect: %w", err)
}
