package blazetest

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"slices"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// conn is one websocket connection.
type conn struct {
	*serve.Conn
	s        *Server
	rejected bool // its token was refused: nothing is carried out

	// Guarded by s.mu.
	link     int     // counts the server's connections, from 1
	unwanted bool    // it was cut before it was registered
	listed   bool    // LIST_PENDING_MESSAGES was asked for: messages may be pushed
	replay   *replay // gets what the client writes, while it is there
}

// upgrade makes a websocket of the request and serves it. If refused is not nil, the token was refused: the first frame
// says so, as on the service.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, rejection error) {
	raw, _ := r.Context().Value(connKey{}).(net.Conn)
	c := &conn{s: s, rejected: rejection != nil}
	c.number(r)
	var err error
	c.Conn, err = serve.Upgrade(w, r, raw, http.Header{"X-Server-Time": w.Header()["X-Server-Time"]}, serve.Hooks{
		Frame: c.take, Sending: c.sending, Ping: c.ping, Pong: c.pong, Done: c.done,
		Fault: s.fault, Misuse: s.misuseByWriter,
	})
	if err != nil {
		c.abandon()
		var refusal websocket.HandshakeError
		if errors.As(err, &refusal) {
			s.fault("the handshake: %v", err)
			return
		}
		s.forget(raw) // net/http has let go of it
		return
	}
	older := c.register(rejection)
	if c.unwanted {
		c.Cut()
	}
	go c.run(raw)
	for _, other := range older {
		other.PingNow()
	}
}

// number counts the connection before the client can know of it, so that numbers are in the order of connections.
func (c *conn) number(r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		return
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links++
	c.link = s.links
	s.coming[c.link] = c
}

// abandon forgets a connection that has not come.
func (c *conn) abandon() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.s.coming, c.link)
}

// register lists the connection. It returns all but the newest. unwanted does not change any more.
func (c *conn) register(rejection error) (older []*conn) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	e := Event{Kind: EventConnected, Link: c.link}
	if c.rejected {
		e.Text = rejection.Error()
	} else {
		c.replay = s.replay
	}
	c.SetSpeed(s.speed)
	delete(s.coming, c.link)
	s.conns = append(s.conns, c)
	slices.SortFunc(s.conns, func(a, b *conn) int { return a.link - b.link })
	s.emit(e)
	s.changed()
	return slices.Clone(s.conns[:len(s.conns)-1])
}

// run serves the connection until it ends.
func (c *conn) run(raw net.Conn) {
	s := c.s
	defer s.forget(raw)
	if c.rejected {
		unauthorized := &serve.Rejection{Code: serve.CodeUnauthorized}
		c.Enqueue(serve.Item{Frame: &wire.Frame{Action: actionError, Error: unauthorized.Error()}})
	}
	c.Serve()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	s.emit(Event{Kind: EventDisconnected, Link: c.link})
	s.changed()
}

// actionError is that of a frame about the connection, not about a request.
const actionError = "ERROR"

// take carries out a frame of the client. False ends the connection.
func (c *conn) take(f *wire.Frame, text []byte) bool {
	c.watched(EventOut, f.Action, text)
	if c.rejected {
		return true
	}
	return c.s.replayed(c, f, bytes.Clone(text)) || c.serve(f, len(text))
}

// sending notes a frame of the server before it is written.
func (c *conn) sending(text []byte) { c.watched(EventIn, "", text) }

// done notes that an item is written, or never will be.
func (c *conn) done(it serve.Item) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if it.Answers {
		s.unanswered--
	}
	if it.Message != nil && it.Control == 0 {
		s.emit(Event{Kind: EventIn, Link: c.link, Size: len(it.Message)})
	}
	if it.Answers || c.Flushed() {
		s.changed()
	}
}

// answer queues the answer to a request, and what follows it. The caller holds s.mu.
func (c *conn) answer(items ...serve.Item) {
	items[0].Answers = true
	if !c.Enqueue(items...) {
		c.s.unanswered--
	}
}
