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

// dialer makes the connection of one link: TCP, then the proxy, then TLS, then the websocket.
type dialer struct {
	cfg       *Config
	handshake context.Context
	raw       *bounded    // nil: there is none yet
	stop      func() bool // ends the watch over handshake; false: raw was closed for it

	proxy   *url.URL // nil: none
	reached bool     // the server, or what a tunnel leads to
}

// dial makes the handshake. The websocket library knows SOCKS5; it has no TLS to HTTP proxies and hides their status,
// so tunnels through them are made here.
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

// choose asks for the proxy, and returns it if it is left to the websocket library.
func (d *dialer) choose(r *http.Request) (*url.URL, error) {
	u, err := d.cfg.Proxy(r)
	if err != nil || u == nil {
		return nil, err
	}
	d.proxy = u
	if err := proxy.Check(u); err != nil || proxy.Tunnels(u) {
		return nil, err
	}
	// Names are resolved by the proxy with either scheme, as net/http does it.
	socks := *u
	socks.Scheme, socks.Host = "socks5", proxy.Addr(u)
	return &socks, nil
}

// connect connects to addr, through the proxy if there is one that makes tunnels.
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
	// Once connected, the websocket library heeds the deadline of the context only, not its cancellation.
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

// late names the proxy in the error of a handshake that took too long before the proxy had made a connection.
func (d *dialer) late(ctx context.Context, err error) error {
	if d.proxy != nil && !d.reached && d.handshake.Err() != nil && ctx.Err() == nil {
		return &proxy.Error{Host: d.proxy.Host, Err: err}
	}
	return err
}

// byProxy says that an error is that of a proxy.
func byProxy(u *url.URL, err error) error {
	if _, said := err.(*proxy.Error); said { //nolint:errorlint // errors.As would ask an error of user code
		return err
	}
	return proxy.Errorf(u, "cannot be reached, or does not connect: %w", err)
}
