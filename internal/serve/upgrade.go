package serve

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Subprotocol is the subprotocol that the service confirms. Some apps request another one or none, and are served too.
const Subprotocol = "Mixin-Blaze-1"

// Upgrade upgrades a handshake to a websocket. raw is the network connection of the request; the Conn owns it after
// success. header is added to the response, and the caller sets no headers on w. Like the service, it does not
// negotiate compression. After a websocket.HandshakeError the client has its response. After any other error the caller
// must close raw.
func Upgrade(w http.ResponseWriter, r *http.Request, raw net.Conn, header http.Header, h Hooks) (*Conn, error) {
	up := websocket.Upgrader{Subprotocols: []string{Subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, header)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		ws: ws, raw: raw, hooks: h, ponged: time.Now(),
		wake: make(chan struct{}, 1), gone: make(chan struct{}), over: make(chan struct{}),
		speedChanged: make(chan struct{}),
	}
	ws.SetReadLimit(wire.MaxFrame)
	ws.SetPingHandler(func(payload string) error {
		c.Enqueue(Item{Control: websocket.PongMessage, Message: []byte(payload)})
		return nil
	})
	ws.SetPongHandler(c.pong)
	ws.SetCloseHandler(func(code int, _ string) error {
		c.Enqueue(Item{Control: websocket.CloseMessage, Message: websocket.FormatCloseMessage(code, ""), Cut: true})
		return nil
	})
	return c, nil
}

// Cut closes c without sending the close_notify of TLS, which could block until the peer reads.
func Cut(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.Close()
}

// deflaters holds the idle Deflaters. All connections share them, because a Deflater is large and few are in use at a
// time.
var deflaters = make(chan *wire.Deflater, 8)

// Deflate returns p, compressed with gzip.
func Deflate(p []byte) []byte {
	var d *wire.Deflater
	select {
	case d = <-deflaters:
	default:
		d = new(wire.Deflater)
	}
	p = d.Append(nil, p)
	select {
	case deflaters <- d:
	default:
	}
	return p
}
