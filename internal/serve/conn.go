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
	// PingEvery is the time between two pings of the service. The Node SDK ends a connection that was not pinged for
	// 30 s.
	PingEvery = 15 * time.Second
	// PongWithin is how long a connection may go without a pong.
	PongWithin = 30 * time.Second
)

// Hooks are what a Conn calls. Each may be nil but Frame. None is called with a lock of the Conn held.
type Hooks struct {
	// Frame gets each frame of the client, one after the other, on the goroutine that called Serve. text is its JSON,
	// which is valid during the call. False ends the connection without a close frame.
	Frame func(f *wire.Frame, text []byte) bool
	// Sending gets the JSON of each frame before it is written, on the writer's goroutine. It is not called for an Item
	// that is a finished message.
	Sending func(text []byte)
	// Ping returns the payload of the next ping.
	Ping func() []byte
	// Pong gets the payload of each pong, on the goroutine that called Serve.
	Pong func(payload []byte)
	// Done is called for each Item that Enqueue took: once it is written, or dropped since the connection ended.
	Done func(Item)
	// Fault gets what the client did against the protocol, and Misuse a frame of ours that is no JSON.
	Fault, Misuse func(format string, args ...any)
}

// Item is what is written next: a frame, or a finished message, or a control frame, or nothing. It may end the
// connection.
type Item struct {
	Frame   any    // is encoded and compressed
	Message []byte // a binary message as it is, or the payload of Control
	Control int    // websocket.PingMessage, PongMessage or CloseMessage
	Cut     bool   // the connection ends without a close frame, once this is written
	Answers bool   // for the caller: this answers a request

	at time.Time // when it was enqueued
}

// Conn is one websocket connection of a client. The goroutine that calls Serve reads; one of its own is the only one
// that writes, and another one pings. Between reader and writer is a queue without a bound: a pipe in memory has no
// buffer at all, so that a reader that waited for the writer would wait for a client that waits for the reader. All
// methods are safe for concurrent use, except that Serve is called once.
type Conn struct {
	ws    *websocket.Conn
	raw   net.Conn
	hooks Hooks
	wake  chan struct{} // the queue is not empty
	gone  chan struct{} // closed when there is nothing left to write for
	over  chan struct{} // closed when the network connection is

	mu      sync.Mutex
	queue   []Item
	writing bool      // the writer has an item that is not written
	ended   bool      // nothing is queued any more
	excused int       // the reasons for which no pong can be expected now
	since   time.Time // when the first of them began
	busy    bool      // the reader does not read: no pong can be noticed
	pinged  bool      // a ping is queued
	ponged  time.Time
	cut     sync.Once
	pace    Pace
	paced   chan struct{} // closed when pace changes
	closing bool          // a close frame came, or is queued, or a cut is
}

// Enqueue hands items to the writer, which writes them in this order, without others between them. False means that the
// connection has ended, and that Hooks.Done is not called for them. It does not block.
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

// Flushed reports whether everything that was enqueued is written.
func (c *Conn) Flushed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) == 0 && !c.writing
}

// Ending reports whether the connection has ended or is about to: it was cut or will be once the queue is written, or a
// close frame came or is queued.
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

// Serve reads until the connection ends, and returns when its goroutines have ended and Hooks.Done was called for all.
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

// end drops what is not written.
func (c *Conn) end() {
	c.mu.Lock()
	left := c.queue
	c.queue, c.ended = nil, true
	c.mu.Unlock()
	for _, it := range left {
		c.done(it)
	}
}

// read serves one request after the other until the connection ends. True means that the client has asked to close it,
// and that the answer to that is in the queue.
func (c *Conn) read() (closing bool) {
	var inflater wire.Inflater
	for {
		kind, p, err := c.ws.ReadMessage()
		if err != nil {
			return c.lost(err)
		}
		c.receive(len(p))
		if kind != websocket.BinaryMessage {
			c.fault("a text message; frames are binary")
			continue
		}
		text, err := inflater.Inflate(p)
		if err != nil {
			c.fault("a message that is no frame: %v", err)
			continue
		}
		f, err := wire.Parse(text)
		if err != nil {
			c.fault("a message that is no frame: %v", err)
			continue
		}
		if !c.take(f, text) {
			return false
		}
	}
}

// lost says whether reading ended with the client's close frame, and reports an end that breaks the rules of
// websockets.
func (c *Conn) lost(err error) (closing bool) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		// The library makes up this code for a connection that was lost.
		return closed.Code != websocket.CloseAbnormalClosure
	}
	if strings.HasPrefix(err.Error(), "websocket: ") {
		c.fault("%v", err)
	}
	return false
}

// take hands a frame on. As long as that takes, no pong is noticed.
func (c *Conn) take(f *wire.Frame, text []byte) bool {
	defer c.occupy()()
	return c.hooks.Frame(f, text)
}

// occupy is excuse for the reader. No ping is queued meanwhile.
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

// excuse stops the time in which the client owes a pong, until the function that it returns is called.
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
			c.ponged = now // a pong came meanwhile
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

// ping pings until the connection ends, and ends it where no pong comes.
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

// wakes returns when the next pong is due, or when the next ping is, if that is earlier or no pong can be expected now.
func (c *Conn) wakes(next time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if due := c.ponged.Add(PongWithin + c.pace.Latency); c.excused == 0 && due.Before(next) {
		return due
	}
	return next
}

// late reports whether the client owes a pong for too long.
func (c *Conn) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.excused == 0 && time.Since(c.ponged) >= PongWithin+c.pace.Latency
}

// PingNow queues a ping, unless one is queued, or no pong can be noticed now: it would block a client whose connection
// has no buffer. On a slow line it is queued like everything else.
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

// write is the writer's goroutine.
func (c *Conn) write() {
	var free time.Time // when the bytes of what was written were sent
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

// next waits for the next item. False means that the connection has ended.
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

// writeItem writes without a deadline: a client that does not read sends no pong either.
func (c *Conn) writeItem(it Item, free *time.Time) error {
	message := it.Message
	if it.Frame != nil {
		text, err := wire.Marshal(it.Frame)
		if err != nil {
			c.misuse("a frame that is no JSON: %v", err)
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
