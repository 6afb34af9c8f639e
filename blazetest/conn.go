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
	s       *Server
	refused bool // its token was refused: nothing is carried out

	// Guarded by s.mu.
	link   int     // counts the server's connections, from 1
	listed bool    // LIST_PENDING_MESSAGES was asked for: messages may be pushed
	replay *replay // gets what the client writes, while it is there
}

// upgrade makes a websocket of the request and serves it. refused is what is wrong with its token: a client learns it
// from the first frame, as from the service.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, refused error) {
	raw, _ := r.Context().Value(connKey{}).(net.Conn)
	c := &conn{s: s, refused: refused != nil}
	var err error
	c.Conn, err = serve.Upgrade(w, r, raw, http.Header{"X-Server-Time": w.Header()["X-Server-Time"]}, serve.Hooks{
		Frame: c.take, Done: c.done, Fault: s.fault, Misuse: s.misuse,
	})
	if err != nil {
		var refusal websocket.HandshakeError
		if errors.As(err, &refusal) {
			s.fault("the handshake: %v", err)
			return
		}
		s.forget(raw) // net/http has let go of it
		return
	}
	go c.run(raw)
}

// run serves the connection until it ends.
func (c *conn) run(raw net.Conn) {
	s := c.s
	defer s.forget(raw)
	s.mu.Lock()
	if !c.refused {
		c.replay = s.replay
	}
	s.links++
	c.link = s.links
	c.SetPace(s.pace)
	s.conns = append(s.conns, c)
	s.changed()
	s.mu.Unlock()
	if c.refused {
		c.Enqueue(serve.Item{Frame: &wire.Frame{Action: actionError, Error: (&serve.Refusal{Code: serve.CodeUnauthorized}).Error()}})
	}
	c.Serve()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	s.changed()
}

// actionError is that of a frame about the connection, not about a request.
const actionError = "ERROR"

// take carries out a frame of the client. False ends the connection.
func (c *conn) take(f *wire.Frame, text []byte) bool {
	if c.refused {
		return true
	}
	return c.s.replayed(c, f, bytes.Clone(text)) || c.serve(f, len(text))
}

// done notes that an item is written, or never will be.
func (c *conn) done(it serve.Item) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if it.Answers {
		s.unanswered--
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
