package soak

import (
	"encoding/base64"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// push returns the next message, now and then twice, or with an older one behind it, or something else.
func (c *conn) push(t *time.Timer) []answer {
	s := c.server
	message, live, ok := c.take()
	if !ok {
		return nil
	}
	if c.temper.pace > 0 && c.pushed < slowPushes && !c.pause(t, c.temper.pace) {
		return nil
	}
	if s.isKnown() && s.strikes("closed by the server", s.hangUpEvery) {
		c.bye()
	}
	if s.strikes("ping", 500) {
		_ = c.ws.WriteControl(websocket.PingMessage, []byte("still there?"), time.Now().Add(time.Second))
	}
	views := []replyFrame{c.view(message, live)}
	if s.strikes("pushed twice", 100) {
		views = append(views, views[0])
	}
	if s.strikes("pushed again later", 100) {
		if older, ok := s.mail.older(c.listedUpTo(message), s.below(1<<20)); ok {
			views = append(views, c.view(older, false))
		}
	}
	s.pushes.Add(uint64(len(views)))
	if s.worked.Load() && s.strikes("401 in an ERROR frame", s.sickEvery/2+50) {
		views = append(views, replyFrame{ID: s.uuid(0x4007, message), Action: "ERROR", Error: &unauthorized})
	}
	frames := make([]answer, len(views))
	for i, v := range views {
		frames[i].frame = v
	}
	c.mu.Lock()
	c.pushed += len(frames)
	c.mu.Unlock()
	return append(frames, c.flood()...)
}

// floodLen is how many receipts a flood has.
const floodLen = 300

// flood returns many receipts of one message at once.
func (c *conn) flood() (frames []answer) {
	s := c.server
	if !s.isKnown() || !s.strikes("receipt flood", s.sickEvery+100) {
		return nil
	}
	id := s.uuid(0x4008, s.below(1<<20))
	s.out.readBy(id, floodLen)
	for n := range floodLen {
		frames = append(frames, answer{frame: receipt(s.uuid(0x4009, n), id)})
	}
	return frames
}

// receipt is the frame that says that a message was read.
func receipt(frameID, messageID string) replyFrame {
	return replyFrame{ID: frameID, Action: "ACKNOWLEDGE_MESSAGE_RECEIPT", Data: serve.View{
		MessageID: messageID, Status: "READ", Source: "ACKNOWLEDGE_MESSAGE_RECEIPT",
		UpdatedAt: "2026-01-02T03:04:05.678901Z",
	}}
}

// take takes the next message off the list, or one that has just been written: the list streams beside those.
func (c *conn) take() (message int, live, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.server
	if !c.listed {
		return 0, false, false
	}
	if c.listing {
		c.listing, c.cursor, c.live = false, 0, s.mail.count()
	}
	if s.strikes("pushed live beside the list", 50) {
		if message, ok = s.mail.write(c.cursor); ok {
			return message, true, true
		}
	}
	if message, ok = s.mail.next(c.cursor); ok {
		c.cursor = message + 1
	}
	return message, message >= c.live, ok
}

// listedUpTo returns the number below which everything was pushed, when a message was pushed last.
func (c *conn) listedUpTo(message int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(message, c.cursor)
}

// view is a message as it is pushed.
func (c *conn) view(message int, live bool) replyFrame {
	s := c.server
	text := s.text(message)
	v := serve.View{
		Type: "message", ConversationID: s.conversationID(s.conversation(message)),
		UserID:    s.userID(s.conversation(message)),
		SessionID: s.userID(1), MessageID: s.messageID(message), Category: "PLAIN_TEXT", Status: "SENT",
		Source: "LIST_PENDING_MESSAGES", CreatedAt: "2026-01-02T03:04:05.678901Z",
		UpdatedAt: "2026-01-02T03:04:05.678901Z",
		Data:      base64.StdEncoding.EncodeToString([]byte(text)),
	}
	if message%2 == 0 {
		v.DataBase64 = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	if live {
		v.Source = "CREATE_MESSAGE"
	}
	return replyFrame{ID: s.uuid(0x4004, message), Action: "CREATE_MESSAGE", Data: v}
}
