package serve

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Subprotocol is what clients ask for, and what the service confirms. Some apps ask for another one or for none, and
// are served all the same.
const Subprotocol = "Mixin-Blaze-1"

// Upgrade makes a websocket of a handshake. raw is the network connection of the request, which the Conn owns from then
// on; header is added to the answer. It asks for no compression of websockets and accepts none, as the service does. An
// error that is a websocket.HandshakeError has been answered; any other one means that raw is lost, and must be closed
// by the caller. The caller sets no header with w.
func Upgrade(w http.ResponseWriter, r *http.Request, raw net.Conn, header http.Header, h Hooks) (*Conn, error) {
	up := websocket.Upgrader{Subprotocols: []string{Subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, header)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		ws: ws, raw: raw, hooks: h, ponged: time.Now(),
		wake: make(chan struct{}, 1), gone: make(chan struct{}), over: make(chan struct{}),
		paced: make(chan struct{}),
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

// Cut closes c without the close_notify of TLS, which might have to wait for the peer.
func Cut(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.Close()
}

// deflaters are those that nobody uses. They are shared by all connections, because each is large and few are in use at
// once.
var deflaters = make(chan *wire.Deflater, 8)

// Deflate returns the gzip of p.
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
