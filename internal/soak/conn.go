package soak

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// conn is one connection. serve reads from it; a second goroutine writes.
type conn struct {
	server    *server
	ws        *websocket.Conn
	wake      chan struct{} // there may be something to write
	gone      chan struct{} // closed when reading has ended
	done      chan struct{} // closed when reading and writing have ended
	behaviour behaviour

	mu            sync.Mutex
	ready         []queuedFrame
	late          []delayedFrame // in no order: there are few
	listRequested bool
	listed        bool
	listing       bool // the list starts with the next push
	cursor        int  // oldest message not pushed since the list started
	live          int  // first message written after the list started
	pushed        int  // number of frames
	slowed        int  // number of replies delayed by latency
	closing       bool
}

// behaviour is the behaviour of a connection for its whole life.
type behaviour struct {
	fifo         bool          // replies wait behind the pushes queued before them
	pushPause    time.Duration // pause before each of the first slowPushes pushes
	latency      time.Duration // delay of the first slowReplies replies
	uncompressed bool          // frames are not compressed
}

// Durations of slow phases, in frames.
const (
	slowPushes  = 60
	slowReplies = 20
)

func newConn(s *server, ws *websocket.Conn) *conn {
	c := &conn{server: s, ws: ws, wake: make(chan struct{}, 1), gone: make(chan struct{}), done: make(chan struct{})}
	if !s.isKnown() {
		return c
	}
	c.behaviour.uncompressed = s.below(4) > 0
	c.behaviour.fifo = s.happens("replies after pushes", 3)
	if s.happens("slow pushes", 30) {
		c.behaviour.pushPause = 1 + s.within(s.times.pushPause)
	}
	if s.happens("latency above the reply timeout", 60) {
		c.behaviour.latency = s.times.reply + s.within(2*s.times.reply)
	}
	if c.behaviour.fifo {
		ws.SetPingHandler(func(data string) error {
			c.queue(queuedFrame{pong: []byte(data)}, 0)
			c.signal()
			return nil
		})
	}
	return c
}

// queuedFrame is a frame or a pong. It is written once behind frames have been pushed, or when nothing is left to push.
type queuedFrame struct {
	frame  replyFrame
	pong   []byte
	behind int
}

type delayedFrame struct {
	at time.Time
	queuedFrame
}

// serve reads and writes until the connection has ended.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.ended(c.read())
	close(c.gone)
	c.end()
	writer.Wait()
	close(c.done)
}

// end closes the TCP connection.
func (c *conn) end() { _ = c.ws.NetConn().Close() }

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// errProtocol ends the reading of a connection after a protocol violation, which has been reported.
var errProtocol = errors.New("protocol violation")

func (c *conn) read() error {
	var z inflater
	for {
		kind, p, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		if kind != websocket.BinaryMessage {
			c.server.add(Protocol, "a message that is not binary")
			return errProtocol
		}
		r, text, err := z.read(p)
		if err != nil {
			c.server.add(Protocol, "%v", err)
			return errProtocol
		}
		if !c.server.handle(c, r, text) {
			return nil // the server hung up
		}
		c.signal()
	}
}

// ended checks the client's close code: 1000 only at the end of Run, 1001 only to list pending messages again.
func (c *conn) ended(err error) {
	var closeFrame *websocket.CloseError
	if !errors.As(err, &closeFrame) || c.isClosing() {
		return // no close frame, or an echo of the server's
	}
	switch s := c.server; {
	case closeFrame.Code == websocket.CloseNormalClosure && !s.ending.Load():
		s.add(CloseCode, "1000 while Run continues")
	case closeFrame.Code == websocket.CloseNormalClosure:
		s.closedNormally.Store(true)
	case closeFrame.Code == websocket.CloseGoingAway && c.hasListed():
		s.record("resync over a new link")
	case closeFrame.Code == websocket.CloseGoingAway:
		s.add(CloseCode, "1001 before a list request")
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// queue queues a frame, after a delay if that is not zero.
func (c *conn) queue(a queuedFrame, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behaviour.latency > 0 && c.slowed < slowReplies {
		c.slowed++
		after += c.behaviour.latency
	}
	if c.behaviour.fifo && c.listed && !c.precedesPushes(a) {
		a.behind = c.pushed + c.server.mail.countFrom(c.cursor)
	}
	if after > 0 {
		c.late = append(c.late, delayedFrame{time.Now().Add(after), a})
		return
	}
	c.ready = append(c.ready, a)
}

// list starts pushing all pending messages, oldest first.
func (c *conn) list() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed, c.listing = true, true
}

func (c *conn) hasListed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listed
}

// precedesPushes reports whether a frame is sent before all pushes. The reply to the list request usually is.
func (c *conn) precedesPushes(a queuedFrame) bool {
	return a.frame.Action == "LIST_PENDING_MESSAGES" && !c.server.happens("list reply after its messages", 4)
}

// repeatsList records a list request, and reports whether the connection had one before.
func (c *conn) repeatsList() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	repeated := c.listRequested
	c.listRequested = true
	return repeated
}

// startClose makes the writer close the connection with a close frame.
func (c *conn) startClose() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.signal()
}

// write writes queued frames and pushes until the connection ends.
func (c *conn) write() {
	var buf bytes.Buffer
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		frames, closing := c.due(false)
		if len(frames) == 0 && !closing {
			frames = c.push(t)
		}
		if len(frames) == 0 {
			frames, closing = c.due(true)
		}
		for _, f := range frames {
			if !c.writeFrame(&buf, f) {
				return
			}
		}
		if closing {
			c.writeClose()
			return
		}
		if len(frames) > 0 {
			continue
		}
		if !c.pause(t, pollInterval) {
			return
		}
	}
}

// pollInterval is the longest wait of an idle writer. Nothing signals it when a delayed frame is due.
const pollInterval = 10 * time.Millisecond

// pause waits for d, or until there may be something to write. It reports whether the connection is still open.
func (c *conn) pause(t *time.Timer, d time.Duration) bool {
	t.Reset(d)
	select {
	case <-c.wake:
	case <-t.C:
	case <-c.gone:
		return false
	}
	return true
}

// writeClose writes a close frame and leaves the client one second to answer.
func (c *conn) writeClose() {
	codes := []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseServiceRestart}
	closeFrame := websocket.FormatCloseMessage(codes[c.server.below(len(codes))], "bye")
	_ = c.ws.WriteControl(websocket.CloseMessage, closeFrame, time.Now().Add(time.Second))
	_ = c.ws.SetReadDeadline(time.Now().Add(time.Second))
}

func (c *conn) writeFrame(buf *bytes.Buffer, a queuedFrame) bool {
	var err error
	if a.pong != nil {
		err = c.ws.WriteControl(websocket.PongMessage, a.pong, time.Now().Add(time.Second))
	} else {
		buf.Reset()
		spare := compressors
		if c.behaviour.uncompressed || a.frame.Action == "CREATE_MESSAGE" && a.frame.Data != nil {
			spare = wrappers
		}
		if err := compress(buf, a.frame, spare); err != nil {
			c.server.add(Protocol, "%v", err)
			return false
		}
		err = c.ws.WriteMessage(websocket.BinaryMessage, buf.Bytes())
	}
	if err != nil {
		c.end()
	}
	return err == nil
}

// due removes and returns the frames to write now. If idle, nothing is left to push, so frames that wait behind pushes
// are included.
func (c *conn) due(idle bool) (frames []queuedFrame, closing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	kept := c.late[:0]
	for _, l := range c.late {
		if l.at.After(now) {
			kept = append(kept, l)
		} else {
			c.ready = append(c.ready, l.queuedFrame)
		}
	}
	c.late = kept
	n := 0
	for n < len(c.ready) && (idle || c.ready[n].behind <= c.pushed) {
		n++
	}
	frames = c.ready[:n:n]
	c.ready = c.ready[n:]
	return frames, c.closing
}
