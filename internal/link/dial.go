// Package link is one connection to the service, from the handshake to the close handshake. It never connects again: that
// is its owner's business. One goroutine reads, another one writes, and neither ever waits for the other.
package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Subprotocol is what the client asks for. A server may leave it unanswered, as the service may; it must not choose another.
const Subprotocol = "Mixin-Blaze-1"

// Timing of a link.
const (
	handshakeTimeout = 10 * time.Second
	pingEvery        = 15 * time.Second
	silence          = 35 * time.Second // without a frame, a ping or a pong, the link is dead
	writeTimeout     = 10 * time.Second
	closeTimeout     = time.Second // for the peer's close frame
)

// Config says where and how to connect.
type Config struct {
	URL         string
	Token       string // goes into the Authorization header, and nowhere else
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config
	Proxy       func(*http.Request) (*url.URL, error)
}

// HandshakeError means that the server answered the handshake with something else than a websocket.
type HandshakeError struct {
	Status     int         // HTTP status
	Refusal    *wire.Error // from a JSON body, or nil
	Body       string      // the beginning of any other body
	ServerTime time.Time   // by the server's clock; zero if it did not say
	RetryAfter time.Duration
}

// Error says what the server answered; its text is shortened and escaped.
func (e *HandshakeError) Error() string {
	s := "handshake refused with status " + strconv.Itoa(e.Status)
	switch {
	case e.Refusal != nil:
		s += ", code " + strconv.Itoa(e.Refusal.Code)
	case e.Body != "":
		s += ", body " + strconv.Quote(e.Body)
	}
	return s
}

// Errors of a handshake that succeeded in a way we cannot use.
var (
	errCompression = errors.New("the server uses a compression that was not asked for")
	errSubprotocol = errors.New("the server chose another subprotocol")
)

// Dial connects. It returns within moments of ctx's end, with the error of ctx, in whatever phase it is.
func Dial(ctx context.Context, cfg Config) (*Link, error) {
	handshake, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	var raw net.Conn
	stop := func() bool { return true }
	d := websocket.Dialer{
		Proxy: cfg.Proxy, TLSClientConfig: cfg.TLS, Subprotocols: []string{Subprotocol}, ReadBufferSize: 4096, WriteBufferSize: 1024,
		NetDialContext: func(dial context.Context, network, addr string) (net.Conn, error) {
			c, err := cfg.DialContext(dial, network, addr)
			if err != nil {
				return nil, err
			}
			// Once connected, the dialer itself hears of the context's deadline only, not of its cancellation.
			raw, stop = c, context.AfterFunc(handshake, func() { _ = c.Close() })
			return c, nil
		},
	}
	ws, resp, err := d.DialContext(handshake, cfg.URL, http.Header{"Authorization": {"Bearer " + cfg.Token}})
	if !stop() && err == nil {
		err = handshake.Err()
	}
	if err == nil {
		err = check(resp, ws)
	}
	if err != nil {
		if raw != nil {
			_ = raw.Close()
		}
		return nil, explain(ctx, handshake, resp, cfg.Token, err)
	}
	return newLink(ws, raw), nil
}

// check refuses what the dialer lets through: a compression under which the read limit would count the wrong bytes, and
// another protocol.
func check(resp *http.Response, ws *websocket.Conn) error {
	if resp.Header.Get("Sec-Websocket-Extensions") != "" {
		return errCompression
	}
	if p := ws.Subprotocol(); p != "" && p != Subprotocol {
		return errSubprotocol
	}
	return nil
}

func explain(ctx, handshake context.Context, resp *http.Response, token string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case handshake.Err() != nil:
		return fmt.Errorf("no handshake within %v: %w", handshakeTimeout, handshake.Err())
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		return refused(resp, token)
	}
	return err
}

func refused(resp *http.Response, token string) error {
	e := &HandshakeError{Status: resp.StatusCode}
	// The dialer has already cut the body to 1 KiB. It may repeat what we sent, and is going to be logged.
	body, _ := io.ReadAll(resp.Body)
	for part := range strings.SplitSeq(token, ".") {
		if part != "" {
			body = bytes.ReplaceAll(body, []byte(part), []byte("[redacted]"))
		}
	}
	var reply struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal(body, &reply) == nil && reply.Error != nil {
		e.Refusal = reply.Error
	} else {
		e.Body = string(body[:min(len(body), 200)])
	}
	e.ServerTime = serverTime(resp.Header)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), e.ServerTime)
	return e
}

// serverTime reads X-Server-Time, in unix nanoseconds, or else Date.
func serverTime(h http.Header) time.Time {
	if ns, err := strconv.ParseInt(h.Get("X-Server-Time"), 10, 64); err == nil && ns > 0 {
		return time.Unix(0, ns)
	}
	at, _ := http.ParseTime(h.Get("Date"))
	return at
}

// retryAfter reads either form of the header: seconds, or a date by the server's clock.
func retryAfter(s string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && !now.IsZero() {
		return max(at.Sub(now), 0)
	}
	return 0
}
