// Package link is one connection to the service, from the handshake to the close handshake. It never reconnects. One
// goroutine reads, another one writes, and neither waits for the other.
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

// Subprotocol is requested by the client. A server may ignore it, and must not choose another.
const Subprotocol = "Mixin-Blaze-1"

// Timing of a link.
const (
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 10 * time.Second // without progress
	closeTimeout     = time.Second      // wait for the peer's close frame
)

// maxHandshake is the maximum size of a handshake in bytes, including certificates and the response of a proxy.
const maxHandshake = 1 << 20

// Config has the options of a connection.
type Config struct {
	URL         string
	Token       string // sent in the Authorization header only
	UserAgent   string // header; "": none
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config // for servers and proxies; must not offer HTTP/2; nil: the defaults
	Proxy       func(*http.Request) (*url.URL, error)
	// Pong is how long the first ping may be unanswered; 0: the bound in the context. That bound applies after the
	// first pong.
	Pong time.Duration
	// Patience is how long Dial waits after the end of its context for functions of the caller that ignore it. The
	// maximum is a second: zero means a second, negative not at all.
	Patience time.Duration
}

// Errors of a handshake that takes too long, or succeeds with an unusable result.
var (
	errHandshake   = fmt.Errorf("a handshake of more than %d bytes", maxHandshake)
	errCompression = errors.New("the server uses a compression that was not asked for")
	errSubprotocol = errors.New("the server chose another subprotocol")
)

// connect implements Dial, and waits for the functions of the caller.
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

// check rejects results that the dialer accepts: another subprotocol, and compression, with which the read limit would
// count the wrong bytes.
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

// explain returns the error of a failed dial. A rejection is reported even if the end of its body was not awaited.
func explain(ctx, handshake context.Context, resp *http.Response, err error) error {
	if deadline, _ := handshake.Deadline(); !time.Now().Before(deadline) {
		<-handshake.Done() // the connection has the same deadline and may fail first
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	//nolint:errorlint // errors.Is would ask an error of user code
	case err == websocket.ErrBadHandshake && resp != nil:
		return rejection(resp)
	case handshake.Err() != nil:
		return fmt.Errorf("no handshake within %v: %w", handshakeTimeout, handshake.Err())
	}
	return safe(err) // it may be an error of the caller's functions
}
