// Package link is one connection to the service, from the handshake to the close handshake. It never connects again:
// that is its owner's business. One goroutine reads, another one writes, and neither ever waits for the other.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/header"
)

// Subprotocol is what the client asks for. A server may leave it unanswered, as the service may; it must not choose
// another.
const Subprotocol = "Mixin-Blaze-1"

// Timing of a link.
const (
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 10 * time.Second // since the peer took a byte
	closeTimeout     = time.Second      // for the peer's close frame
)

// maxHandshake is how many bytes a handshake may take, certificates and the answer of a proxy among them.
const maxHandshake = 1 << 20

// Config says where and how to connect.
type Config struct {
	URL         string
	Token       string // goes into the Authorization header, and nowhere else
	UserAgent   string // header; "": none
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config // for servers and proxies; it must not offer HTTP/2; nil: the defaults
	Proxy       func(*http.Request) (*url.URL, error)
	// Pong is how long the first ping may be unanswered; 0: as the bounds of the context say. They say it for the pings
	// after the first pong.
	Pong time.Duration
	// Patience is how long Dial waits, once its context has ended, for functions of the caller that ignore this. It
	// waits for a second at most: zero means a second, negative not at all.
	Patience time.Duration
}

// Errors of a handshake that goes on for too long, or succeeded in a way we cannot use.
var (
	errHandshake   = fmt.Errorf("a handshake of more than %d bytes", maxHandshake)
	errCompression = errors.New("the server uses a compression that was not asked for")
	errSubprotocol = errors.New("the server chose another subprotocol")
)

// connect does what Dial says, and waits for the functions of the caller.
func connect(ctx context.Context, cfg Config) (*Link, error) {
	handshake, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	d := dialer{cfg: &cfg, handshake: handshake, stop: func() bool { return true }}
	ws, resp, err := d.dial()
	if !d.stop() && err == nil {
		err = handshake.Err()
	}
	if err == nil {
		err = check(resp, ws)
	}
	if err != nil {
		if d.raw != nil {
			_ = d.raw.Close()
		}
		return nil, d.late(ctx, explain(ctx, handshake, resp, err))
	}
	l := newLink(ctx, ws, d.raw)
	if cfg.Pong > 0 {
		l.patience.Store(int64(cfg.Pong))
	}
	l.serverTime, _ = header.ServerTime(resp.Header)
	return l, nil
}

// check refuses what the dialer lets through: a compression under which the read limit would count the wrong bytes, and
// another protocol.
func check(resp *http.Response, ws *websocket.Conn) error {
	for _, extension := range resp.Header.Values("Sec-Websocket-Extensions") {
		if extension != "" {
			//mutant:compression-check
			return errCompression
		}
	}
	if p := ws.Subprotocol(); p != "" && p != Subprotocol {
		return errSubprotocol
	}
	return nil
}

// explain says why there is no link. A refusal is one even where the end of its body was not waited for.
func explain(ctx, handshake context.Context, resp *http.Response, err error) error {
	if deadline, _ := handshake.Deadline(); !time.Now().Before(deadline) {
		<-handshake.Done() // the connection has the same deadline, and may be the first to notice
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	//nolint:errorlint // errors.Is would ask an error of user code
	case err == websocket.ErrBadHandshake && resp != nil:
		return refused(resp)
	case handshake.Err() != nil:
		return fmt.Errorf("no handshake within %v: %w", handshakeTimeout, handshake.Err())
	}
	return safe(err) // it may be an error of the caller's functions
}
