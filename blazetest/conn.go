package blazetest

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// deflaters are those that nobody uses. They are shared by all connections, because each is large and few are in use at
// once.
var deflaters = make(chan *wire.Deflater, 8)

// deflate returns the gzip of p.
func deflate(p []byte) []byte {
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

// conn is one websocket connection. Its reader goroutine carries out what the client asks for; its writer goroutine is
// the only one that writes. Between them is a queue without a bound: a pipe in memory has no buffer at all, so a reader
// that waited for the writer would wait for a client that waits for the reader.
type conn struct {
	s    *Server
	ws   *websocket.Conn
	raw  net.Conn
	wake chan struct{} // the queue is not empty
	gone chan struct{} // closed when there is nothing left to write for

	// Guarded by s.mu.
	queue   []item
	writing bool    // the writer has an item that is not written
	listed  bool    // LIST_PENDING_MESSAGES was asked for: messages may be pushed
	ended   bool    // nothing is queued any more
	replay  *replay // gets what the client writes, while it is there
}

// item is what the writer does next: write a frame, or a message that is finished, or a control frame, or cut.
type item struct {
	frame   any    // to be encoded and compressed
	message []byte // a binary message as it is
	control int    // websocket.PongMessage or CloseMessage, with message as its payload
	cut     bool   // end the connection, afterwards
	answers bool   // the answer to a request that Idle waits for
}

// adopt starts serving a connection.
func (s *Server) adopt(c *conn) {
	c.ws.SetReadLimit(wire.MaxFrame)
	c.ws.SetPingHandler(func(payload string) error {
		c.enqueue(item{control: websocket.PongMessage, message: []byte(payload)})
		return nil
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		c.enqueue(item{control: websocket.CloseMessage, message: websocket.FormatCloseMessage(code, ""), cut: true})
		return nil
	})
	s.mu.Lock()
	c.replay = s.replay
	s.conns = append(s.conns, c)
	s.changed()
	s.mu.Unlock()
	go c.run()
}

// run is the reader goroutine. It owns the connection.
func (c *conn) run() {
	defer c.s.forget(c.raw)
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
		c.cut()
	}()
	if closing := c.read(); !closing {
		c.cut()
		close(c.gone)
	}
	<-written
	c.end()
}

// cut ends the connection without a close frame.
func (c *conn) cut() { cut(c.raw) }

// end takes the connection out of the server. Requests it did not answer are not waited for.
func (c *conn) end() {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ended = true
	for _, it := range c.queue {
		if it.answers {
			s.unanswered--
		}
	}
	c.queue = nil
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	s.changed()
}

// read serves one request after the other until the connection ends. True means that the client has asked to close it,
// and that the answer to that is in the queue.
func (c *conn) read() (closing bool) {
	var inflater wire.Inflater
	for {
		kind, p, err := c.ws.ReadMessage()
		if err != nil {
			return c.lost(err)
		}
		if kind != websocket.BinaryMessage {
			c.s.fault("a text message; frames are binary")
			continue
		}
		text, err := inflater.Inflate(p)
		if err != nil {
			c.s.fault("a message that is no frame: %v", err)
			continue
		}
		f, err := wire.Parse(text)
		if err != nil {
			c.s.fault("a message that is no frame: %v", err)
			continue
		}
		if !c.s.replayed(c, f, bytes.Clone(text)) && !c.serve(f, len(text)) {
			return false
		}
	}
}

// lost says whether reading ended with the client's close frame, and reports an end that breaks the rules of
// websockets.
func (c *conn) lost(err error) (closing bool) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		// The library makes up this code for a connection that was lost.
		return closed.Code != websocket.CloseAbnormalClosure
	}
	if strings.HasPrefix(err.Error(), "websocket: ") {
		c.s.fault("%v", err)
	}
	return false
}

// enqueue hands an item to the writer.
func (c *conn) enqueue(it item) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.enqueueLocked(it)
}

func (c *conn) enqueueLocked(it item) {
	if c.ended {
		if it.answers {
			c.s.unanswered--
		}
		return
	}
	c.queue = append(c.queue, it)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write is the writer goroutine.
func (c *conn) write() {
	for {
		it, ok := c.next()
		if !ok {
			return
		}
		err := c.writeItem(it)
		c.written(it)
		if err != nil || it.cut {
			return
		}
	}
}

// next waits for the next item. False means that the connection has ended.
func (c *conn) next() (item, bool) {
	for {
		c.s.mu.Lock()
		if len(c.queue) > 0 {
			it := c.queue[0]
			c.queue[0] = item{}
			c.queue = c.queue[1:]
			c.writing = true
			c.s.mu.Unlock()
			return it, true
		}
		c.s.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.gone:
			return item{}, false
		}
	}
}

func (c *conn) written(it item) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.writing = false
	if it.answers {
		c.s.unanswered--
	}
	if it.answers || len(c.queue) == 0 {
		c.s.changed()
	}
}

// writeItem writes without a deadline: a client that does not read is ended by Cut, by Close, or by itself.
func (c *conn) writeItem(it item) error {
	switch {
	case it.control != 0:
		return c.ws.WriteControl(it.control, it.message, time.Time{})
	case it.frame != nil:
		text, err := wire.Marshal(it.frame)
		if err != nil {
			c.s.misuse("a frame that is no JSON: %v", err)
			return nil
		}
		return c.ws.WriteMessage(websocket.BinaryMessage, deflate(text))
	case it.message != nil:
		return c.ws.WriteMessage(websocket.BinaryMessage, it.message)
	}
	return nil
}
