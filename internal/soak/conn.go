package soak

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// conn is one connection. serve reads; another goroutine writes.
type conn struct {
	server *server
	ws     *websocket.Conn
	wake   chan struct{} // there may be something to write
	gone   chan struct{} // closed when reading has ended
	done   chan struct{} // closed when both have
	temper temper

	mu      sync.Mutex
	ready   []answer
	late    []lateAnswer // by no order: there are few
	asked   bool         // for the list
	listed  bool
	listing bool // the list is to begin
	cursor  int  // the oldest message that was not pushed since the list began
	live    int  // messages from here on were written after the list began
	pushed  int  // frames
	slowed  int  // answers that were slow
	leaving bool
}

// temper is how a connection behaves, from its beginning to its end.
type temper struct {
	fifo    bool          // answers queue behind what is pushed
	pace    time.Duration // between two pushes, for a while
	latency time.Duration // of its first answers
	stores  bool          // nothing is compressed
}

// How long a connection is slow.
const (
	slowPushes  = 60
	slowAnswers = 20
)

func newConn(s *server, ws *websocket.Conn) *conn {
	c := &conn{server: s, ws: ws, wake: make(chan struct{}, 1), gone: make(chan struct{}), done: make(chan struct{})}
	if !s.isKnown() {
		return c
	}
	c.temper.stores = s.below(4) > 0
	c.temper.fifo = s.strikes("replies behind pushes", 3)
	if s.strikes("slow pushes", 30) {
		c.temper.pace = 1 + s.within(s.times.pace)
	}
	if s.strikes("latency above the reply timeout", 60) {
		c.temper.latency = s.times.reply + s.within(2*s.times.reply)
	}
	if c.temper.fifo {
		ws.SetPingHandler(func(data string) error {
			c.answer(answer{pong: []byte(data)}, 0)
			c.poke()
			return nil
		})
	}
	return c
}

// answer is a frame, or a pong, that is written once so many frames were pushed, or nothing is left to push.
type answer struct {
	frame  replyFrame
	pong   []byte
	behind int
}

type lateAnswer struct {
	at time.Time
	answer
}

// serve returns when the connection has ended.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.ended(c.read())
	close(c.gone)
	c.end()
	writer.Wait()
	close(c.done)
}

// end breaks the connection.
func (c *conn) end() { _ = c.ws.NetConn().Close() }

func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// errProtocol is why a connection that broke a rule is not read any more. The rule was reported.
var errProtocol = errors.New("against the protocol")

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
		if !c.server.take(c, r, text) {
			return nil // hung up
		}
		c.poke()
	}
}

// ended looks at why the client left: 1000 is said at the end of Run, and 1001 to have everything listed again.
func (c *conn) ended(err error) {
	var farewell *websocket.CloseError
	if !errors.As(err, &farewell) || c.isLeaving() {
		return // nothing was said, or only what the server said first
	}
	switch s := c.server; {
	case farewell.Code == websocket.CloseNormalClosure && !s.ending.Load():
		s.add(CloseCode, "1000, and Run goes on")
	case farewell.Code == websocket.CloseNormalClosure:
		s.goodbye.Store(true)
	case farewell.Code == websocket.CloseGoingAway && c.hasListed():
		s.note("listed again over a new link")
	case farewell.Code == websocket.CloseGoingAway:
		s.add(CloseCode, "1001, and nothing was listed yet")
	}
}

func (c *conn) isLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

// answer queues a frame, after a delay if that is not zero.
func (c *conn) answer(a answer, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.temper.latency > 0 && c.slowed < slowAnswers {
		c.slowed++
		after += c.temper.latency
	}
	if c.temper.fifo && c.listed && !c.first(a) {
		a.behind = c.pushed + c.server.mail.from(c.cursor)
	}
	if after > 0 {
		c.late = append(c.late, lateAnswer{time.Now().Add(after), a})
		return
	}
	c.ready = append(c.ready, a)
}

// list pushes everything pending, oldest first.
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

// first reports whether an answer comes before all pushes, as that to the list does most of the time.
func (c *conn) first(a answer) bool {
	return a.frame.Action == "LIST_PENDING_MESSAGES" && !c.server.strikes("list answered behind its messages", 4)
}

// listAgain reports whether the connection had asked for its list before.
func (c *conn) listAgain() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.asked
	c.asked = true
	return again
}

// bye closes the connection with a close frame.
func (c *conn) bye() {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	c.poke()
}

// write writes answers and pushes, until the connection ends.
func (c *conn) write() {
	var buf bytes.Buffer
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		frames, leaving := c.due(false)
		if len(frames) == 0 && !leaving {
			frames = c.push(t)
		}
		if len(frames) == 0 {
			frames, leaving = c.due(true)
		}
		for _, f := range frames {
			if !c.put(&buf, f) {
				return
			}
		}
		if leaving {
			c.leave()
			return
		}
		if len(frames) > 0 {
			continue
		}
		if !c.pause(t, lookAgain) {
			return
		}
	}
}

// lookAgain is how long the writer waits for something to do. Late answers tell nobody when they are due.
const lookAgain = 10 * time.Millisecond

// pause waits, or until there may be something to write. It reports whether the connection still lives.
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

// leave says goodbye and gives the client a moment to answer.
func (c *conn) leave() {
	codes := []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseServiceRestart}
	farewell := websocket.FormatCloseMessage(codes[c.server.below(len(codes))], "bye")
	_ = c.ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(time.Second))
	_ = c.ws.SetReadDeadline(time.Now().Add(time.Second))
}

func (c *conn) put(buf *bytes.Buffer, a answer) bool {
	var err error
	if a.pong != nil {
		err = c.ws.WriteControl(websocket.PongMessage, a.pong, time.Now().Add(time.Second))
	} else {
		buf.Reset()
		spare := compressors
		if c.temper.stores || a.frame.Action == "CREATE_MESSAGE" && a.frame.Data != nil {
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

// due returns the answers to be written now: when nothing is left to push, those too that are to come behind it.
func (c *conn) due(idle bool) (frames []answer, leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	kept := c.late[:0]
	for _, l := range c.late {
		if l.at.After(now) {
			kept = append(kept, l)
		} else {
			c.ready = append(c.ready, l.answer)
		}
	}
	c.late = kept
	n := 0
	for n < len(c.ready) && (idle || c.ready[n].behind <= c.pushed) {
		n++
	}
	frames = c.ready[:n:n]
	c.ready = c.ready[n:]
	return frames, c.leaving
}
