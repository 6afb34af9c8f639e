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
	rejected bool // its token was rejected: no request is carried out

	// Guarded by s.mu.
	link     int     // number of the connection, from 1
	unwanted bool    // cut before it was registered
	listed   bool    // the client sent LIST_PENDING_MESSAGES, so messages are pushed
	replay   *replay // receives the client's frames, if set
}

// upgrade upgrades a request to a websocket and serves it. If rejection is not nil, the token was rejected, and the
// first frame is an error with code 401, as on the service.
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
			s.fault("invalid handshake: %v", err)
			return
		}
		s.forget(raw) // net/http no longer tracks it
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

// number counts the connection before the client can notice it, so that numbers are in order of connection.
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

// abandon removes a connection after a failed handshake.
func (c *conn) abandon() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.s.coming, c.link)
}

// register adds the connection to the list. It returns all connections but the newest. unwanted no longer changes
// afterwards.
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

// actionError is the action of an error frame that does not answer a request.
const actionError = "ERROR"

// take handles a frame of the client. It returns false if the connection must end.
func (c *conn) take(f *wire.Frame, text []byte) bool {
	c.watched(EventOut, f.Action, text)
	if c.rejected {
		return true
	}
	return c.s.replayed(c, f, bytes.Clone(text)) || c.serve(f, len(text))
}

// sending emits the event of a server's frame before it is written.
func (c *conn) sending(text []byte) { c.watched(EventIn, "", text) }

// done is called after an item was written or dropped.
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

// answer queues the reply to a request and the items that follow it. The caller holds s.mu.
func (c *conn) answer(items ...serve.Item) {
	items[0].Answers = true
	if !c.Enqueue(items...) {
		c.s.unanswered--
	}
}
