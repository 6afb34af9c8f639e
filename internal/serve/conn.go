package serve

import (
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/wire"
)

const (
	// PingEvery is the interval of the service's pings. The Node SDK ends a connection that received no ping for 30 s.
	PingEvery = 15 * time.Second
	// PongWithin is the longest time between two pongs of a client.
	PongWithin = 30 * time.Second
)

// Hooks are called by a Conn, without a lock of it. All but Frame may be nil.
type Hooks struct {
	// Frame is called for each frame of the client, serially, on the goroutine that called Serve. text is the frame's
	// JSON and is valid only during the call. If it returns false, the connection ends without a close frame.
	Frame func(f *wire.Frame, text []byte) bool
	// Sending is called on the writer's goroutine with the JSON of each Item.Frame, before it is written.
	Sending func(text []byte)
	// Ping returns the payload of the next ping.
	Ping func() []byte
	// Pong is called with the payload of each pong, on the goroutine that called Serve.
	Pong func(payload []byte)
	// Done is called once for each Item that Enqueue accepted: when it was written, or when it was dropped because the
	// connection has ended.
	Done func(Item)
	// Fault is called for each protocol error of the client, Misuse for an Item.Frame that cannot be encoded.
	Fault, Misuse func(format string, args ...any)
}

// Item is one entry of the write queue. It has a Frame, a Message, a control frame or nothing, and may end the
// connection.
type Item struct {
	Frame   any    // encoded and compressed by the writer
	Message []byte // a binary message to be written unchanged, or the payload of Control
	Control int    // websocket.PingMessage, PongMessage or CloseMessage
	Cut     bool   // cut the connection after this was written
	Answers bool   // for the caller: this answers a request

	at time.Time // when it was enqueued
}

// Conn is one websocket connection of a client. The goroutine that calls Serve reads. A second goroutine writes, and a
// third sends pings. The write queue is unbounded: an in-memory connection has no buffer, so a reader that waited for
// the writer could deadlock with a client that waits for the reader. All methods are safe for concurrent use. Serve is
// called once.
type Conn struct {
	ws    *websocket.Conn
	raw   net.Conn
	hooks Hooks
	wake  chan struct{} // signals that the queue is not empty
	gone  chan struct{} // closed when the writer must stop
	over  chan struct{} // closed when the network connection is closed

	mu           sync.Mutex
	queue        []Item
	writing      bool      // the writer is writing an item
	ended        bool      // the queue accepts nothing
	excused      int       // number of reasons that suspend the pong timeout
	since        time.Time // start of the suspension
	busy         bool      // the reader is not reading, so it would not read a pong
	pinged       bool      // a ping is queued
	ponged       time.Time
	cut          sync.Once
	speed        Speed
	speedChanged chan struct{} // closed when speed changes
	closing      bool          // a close frame was received or queued, or a cut was queued or made
}

// Enqueue appends items to the write queue. They are written consecutively, in this order. It does not block. It
// returns false if the connection has ended; Hooks.Done is then not called for them.
func (c *Conn) Enqueue(items ...Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	now := time.Now()
	for _, it := range items {
		it.at = now
		c.closing = c.closing || it.Cut || it.Control == websocket.CloseMessage
		c.queue = append(c.queue, it)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// Flushed reports whether all queued items are written.
func (c *Conn) Flushed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) == 0 && !c.writing
}

// Ending reports whether the connection has ended or is about to end: it was cut, will be cut after a queued item, or a
// close frame was received or queued.
func (c *Conn) Ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing || c.ended
}

// Cut ends the connection without a close frame.
func (c *Conn) Cut() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.cut.Do(func() {
		close(c.over)
		Cut(c.raw)
	})
}

// Serve reads until the connection ends. It returns after its goroutines have ended and Hooks.Done was called for all
// items.
func (c *Conn) Serve() {
	var others sync.WaitGroup
	others.Go(func() {
		c.write()
		c.Cut()
	})
	others.Go(c.ping)
	if closing := c.read(); !closing {
		c.Cut()
		close(c.gone)
	}
	others.Wait()
	c.end()
}

// end drops the queued items.
func (c *Conn) end() {
	c.mu.Lock()
	left := c.queue
	c.queue, c.ended = nil, true
	c.mu.Unlock()
	for _, it := range left {
		c.done(it)
	}
}

// read handles frames serially until the connection ends. It returns true if the client sent a close frame; the
// response to it is queued.
func (c *Conn) read() (closing bool) {
	var inflater wire.Inflater
	for {
		kind, p, err := c.ws.ReadMessage()
		if err != nil {
			return c.lost(err)
		}
		c.receive(len(p))
		if kind != websocket.BinaryMessage {
			c.fault("text message; frames must be binary messages")
			continue
		}
		text, err := inflater.Inflate(p)
		if err != nil {
			c.fault("invalid frame: %v", err)
			continue
		}
		f, err := wire.Parse(text)
		if err != nil {
			c.fault("invalid frame: %v", err)
			continue
		}
		if !c.take(f, text) {
			return false
		}
	}
}

// lost reports whether a read error is a close frame of the client. Errors of
// the websocket library are reported as protocol errors.
func (c *Conn) lost(err error) (closing bool) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		// The library uses this code for a connection that was lost.
		return closed.Code != websocket.CloseAbnormalClosure
	}
	if strings.HasPrefix(err.Error(), "websocket: ") {
		c.fault("%v", err)
	}
	return false
}

// take calls Hooks.Frame. The pong timeout is suspended meanwhile.
func (c *Conn) take(f *wire.Frame, text []byte) bool {
	defer c.occupy()()
	return c.hooks.Frame(f, text)
}

// occupy is excuse for the reader. It also suspends pings.
func (c *Conn) occupy() (free func()) {
	resume := c.excuse()
	busy := func(b bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy = b
	}
	busy(true)
	return func() {
		busy(false)
		resume()
	}
}

// excuse suspends the pong timeout until resume is called.
func (c *Conn) excuse() (resume func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.excused++; c.excused == 1 {
		c.since = time.Now()
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.excused--; c.excused > 0 {
			return
		}
		now := time.Now()
		if c.ponged = c.ponged.Add(now.Sub(c.since)); c.ponged.After(now) {
			c.ponged = now // a pong was received during the suspension
		}
	}
}

func (c *Conn) pong(payload string) error {
	c.mu.Lock()
	c.ponged = time.Now()
	c.mu.Unlock()
	if c.hooks.Pong != nil {
		c.hooks.Pong([]byte(payload))
	}
	return nil
}

// ping sends pings until the connection ends, and cuts it after the pong timeout.
func (c *Conn) ping() {
	next := time.Now().Add(PingEvery)
	for {
		t := time.NewTimer(time.Until(c.wakes(next)))
		select {
		case <-t.C:
		case <-c.over:
			t.Stop()
			return
		}
		if c.late() {
			c.Cut()
			return
		}
		if !time.Now().Before(next) {
			next = next.Add(PingEvery)
			c.PingNow()
		}
	}
}

// wakes returns when the pong timeout expires, or the time of the next ping if that is earlier or the timeout is
// suspended.
func (c *Conn) wakes(next time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if due := c.ponged.Add(PongWithin + c.speed.Latency); c.excused == 0 && due.Before(next) {
		return due
	}
	return next
}

// late reports whether the pong timeout has expired.
func (c *Conn) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.excused == 0 && time.Since(c.ponged) >= PongWithin+c.speed.Latency
}

// PingNow queues a ping, unless one is queued or the reader is busy. A ping while the reader is busy would block a
// client on an unbuffered connection, which could not write its pong.
func (c *Conn) PingNow() {
	c.mu.Lock()
	not := c.busy || c.pinged
	c.pinged = c.pinged || !not
	c.mu.Unlock()
	if not {
		return
	}
	ping := Item{Control: websocket.PingMessage}
	if c.hooks.Ping != nil {
		ping.Message = c.hooks.Ping()
	}
	c.Enqueue(ping)
}

// write is the writer's goroutine. It ends after an error, a cut, or when gone is closed.
func (c *Conn) write() {
	var free time.Time // when the last byte of the previous item was sent
	for {
		it, ok := c.next()
		if !ok {
			return
		}
		err := c.writeItem(it, &free)
		c.catchUp(&free)
		c.written(it)
		c.done(it)
		if err != nil || it.Cut {
			return
		}
	}
}

// next removes the oldest item, or waits for one. It returns false if the writer must stop.
func (c *Conn) next() (Item, bool) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			it := c.queue[0]
			c.queue[0] = Item{}
			c.queue = c.queue[1:]
			c.writing = true
			c.mu.Unlock()
			return it, true
		}
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.gone:
			return Item{}, false
		}
	}
}

func (c *Conn) written(it Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if it.Control == websocket.PingMessage {
		c.pinged = false
	}
}

// writeItem writes without a deadline. A client that does not read sends no pongs, so the pong timeout ends its
// connection.
func (c *Conn) writeItem(it Item, free *time.Time) error {
	message := it.Message
	if it.Frame != nil {
		text, err := wire.Marshal(it.Frame)
		if err != nil {
			c.misuse("a frame cannot be encoded as JSON: %v", err)
			return nil
		}
		message = Deflate(text)
		c.waitFor(it, len(message), free)
		if c.hooks.Sending != nil {
			c.hooks.Sending(text)
		}
	} else {
		c.waitFor(it, len(message), free)
	}
	switch {
	case it.Control != 0:
		return c.ws.WriteControl(it.Control, message, time.Time{})
	case message != nil:
		return c.ws.WriteMessage(websocket.BinaryMessage, message)
	}
	return nil
}

func (c *Conn) done(it Item) {
	if c.hooks.Done != nil {
		c.hooks.Done(it)
	}
}

func (c *Conn) fault(format string, args ...any) {
	if c.hooks.Fault != nil {
		c.hooks.Fault(format, args...)
	}
}

func (c *Conn) misuse(format string, args ...any) {
	if c.hooks.Misuse != nil {
		c.hooks.Misuse(format, args...)
	}
}
