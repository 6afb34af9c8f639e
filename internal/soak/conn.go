package soak

import (
	"bytes"
	"encoding/base64"
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

	mu      sync.Mutex
	ready   []replyFrame
	late    []lateReply // by no order: there are few
	listed  bool
	listing bool // the list is to begin anew
	cursor  int  // the oldest message that was not pushed since the last list
	live    int  // messages from here on were written after the last list
	leaving bool
}

type lateReply struct {
	at    time.Time
	frame replyFrame
}

// serve returns when the connection has ended.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.read()
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

func (c *conn) read() {
	var z inflater
	for {
		kind, p, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if kind != websocket.BinaryMessage {
			c.server.add(Protocol, "a message that is not binary")
			return
		}
		r, text, err := z.read(p)
		if err != nil {
			c.server.add(Protocol, "%v", err)
			return
		}
		c.server.take(c, r, text)
		c.poke()
	}
}

// answer queues a reply, after a delay if that is not zero.
func (c *conn) answer(f replyFrame, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if after > 0 {
		c.late = append(c.late, lateReply{time.Now().Add(after), f})
		return
	}
	c.ready = append(c.ready, f)
}

// list pushes everything pending again, oldest first.
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

// bye closes the connection with a close frame.
func (c *conn) bye() {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	c.poke()
}

// write writes replies before pushes, until the connection ends.
func (c *conn) write() {
	var buf bytes.Buffer
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		frames, leaving := c.due()
		if len(frames) == 0 && !leaving {
			frames = c.push()
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
		t.Reset(lookAgain)
		select {
		case <-c.wake:
		case <-t.C:
		case <-c.gone:
			return
		}
	}
}

// lookAgain is how long the writer waits for something to do. Late replies tell nobody when they are due.
const lookAgain = 10 * time.Millisecond

// leave says goodbye and gives the client a moment to answer.
func (c *conn) leave() {
	codes := []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseServiceRestart}
	farewell := websocket.FormatCloseMessage(codes[c.server.below(len(codes))], "bye")
	_ = c.ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(time.Second))
	_ = c.ws.SetReadDeadline(time.Now().Add(time.Second))
}

func (c *conn) put(buf *bytes.Buffer, f replyFrame) bool {
	buf.Reset()
	spare := compressors
	if f.Action == "CREATE_MESSAGE" && f.Data != nil {
		spare = wrappers
	}
	if err := compress(buf, f, spare); err != nil {
		c.server.add(Protocol, "%v", err)
		return false
	}
	if c.ws.WriteMessage(websocket.BinaryMessage, buf.Bytes()) != nil {
		c.end()
		return false
	}
	return true
}

// due returns the replies to be written now.
func (c *conn) due() (frames []replyFrame, leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames, c.ready = c.ready, nil
	now := time.Now()
	kept := c.late[:0]
	for _, l := range c.late {
		if l.at.After(now) {
			kept = append(kept, l)
		} else {
			frames = append(frames, l.frame)
		}
	}
	c.late = kept
	return frames, c.leaving
}

// push returns the next message, now and then twice, or with an older one behind it.
func (c *conn) push() []replyFrame {
	s := c.server
	message, live, ok := c.take()
	if !ok {
		return nil
	}
	if s.isKnown() && s.strikes("closed by the server", s.hangUpEvery) {
		c.bye()
	}
	if s.strikes("ping", 500) {
		_ = c.ws.WriteControl(websocket.PingMessage, []byte("still there?"), time.Now().Add(time.Second))
	}
	frames := []replyFrame{c.view(message, live)}
	if s.strikes("pushed twice", 100) {
		frames = append(frames, frames[0])
	}
	if s.strikes("pushed again later", 100) {
		if older, ok := s.mail.older(message, s.below(1<<20)); ok {
			frames = append(frames, c.view(older, false))
		}
	}
	s.pushes.Add(uint64(len(frames)))
	return frames
}

// take takes the next message off the list.
func (c *conn) take() (message int, live, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.listed {
		return 0, false, false
	}
	if c.listing {
		c.listing, c.cursor, c.live = false, 0, c.server.mail.count()
	}
	if message, ok = c.server.mail.next(c.cursor); ok {
		c.cursor = message + 1
	}
	return message, message >= c.live, ok
}

// view is a message as it is pushed.
func (c *conn) view(message int, live bool) replyFrame {
	s := c.server
	text := s.text(message)
	v := view{
		Type: "message", ConversationID: s.conversationID(s.conversation(message)), UserID: s.userID(s.conversation(message)),
		SessionID: s.userID(1), MessageID: s.messageID(message), Category: "PLAIN_TEXT", Status: "SENT",
		Source: "LIST_PENDING_MESSAGES", CreatedAt: "2026-01-02T03:04:05.678901Z", UpdatedAt: "2026-01-02T03:04:05.678901Z",
		Data: base64.StdEncoding.EncodeToString([]byte(text)),
	}
	if message%2 == 0 {
		v.DataBase64 = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	if live {
		v.Source = "CREATE_MESSAGE"
	}
	return replyFrame{ID: s.uuid(0x4004, message), Action: "CREATE_MESSAGE", Data: v}
}
