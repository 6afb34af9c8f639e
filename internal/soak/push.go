package soak

import (
	"encoding/base64"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// push returns the next message, with occasional extra frames: a duplicate, an older message, an ERROR frame or many
// receipts.
func (c *conn) push(t *time.Timer) []queuedFrame {
	s := c.server
	message, live, ok := c.next()
	if !ok {
		return nil
	}
	if c.behaviour.pushPause > 0 && c.pushed < slowPushes && !c.pause(t, c.behaviour.pushPause) {
		return nil
	}
	if s.isKnown() && s.happens("closed by the server", s.hangUpEvery) {
		c.startClose()
	}
	if s.happens("ping", 500) {
		_ = c.ws.WriteControl(websocket.PingMessage, []byte("still there?"), time.Now().Add(time.Second))
	}
	views := []replyFrame{c.view(message, live)}
	if s.happens("pushed twice", 100) {
		views = append(views, views[0])
	}
	if s.happens("redelivered later", 100) {
		if older, ok := s.mail.older(c.listedUpTo(message), s.below(1<<20)); ok {
			views = append(views, c.view(older, false))
		}
	}
	s.pushes.Add(uint64(len(views)))
	if s.worked.Load() && s.happens("401 in an ERROR frame", s.failingEvery/2+50) {
		views = append(views, replyFrame{ID: s.uuid(0x4007, message), Action: "ERROR", Error: &unauthorized})
	}
	frames := make([]queuedFrame, len(views))
	for i, v := range views {
		frames[i].frame = v
	}
	c.mu.Lock()
	c.pushed += len(frames)
	c.mu.Unlock()
	return append(frames, c.flood()...)
}

// floodLen is the number of receipts in a flood.
const floodLen = 300

// flood returns, at random times, many receipts of one message.
func (c *conn) flood() (frames []queuedFrame) {
	s := c.server
	if !s.isKnown() || !s.happens("receipt flood", s.failingEvery+100) {
		return nil
	}
	id := s.uuid(0x4008, s.below(1<<20))
	s.out.receiptsSent(id, floodLen)
	for n := range floodLen {
		frames = append(frames, queuedFrame{frame: receipt(s.uuid(0x4009, n), id)})
	}
	return frames
}

// receipt returns the receipt frame of a message that was read.
func receipt(frameID, messageID string) replyFrame {
	return replyFrame{ID: frameID, Action: "ACKNOWLEDGE_MESSAGE_RECEIPT", Data: serve.View{
		MessageID: messageID, Status: "READ", Source: "ACKNOWLEDGE_MESSAGE_RECEIPT",
		UpdatedAt: "2026-01-02T03:04:05.678901Z",
	}}
}

// next returns the next message of the list, or a newly created one, because those are pushed while the list is
// streamed.
func (c *conn) next() (message int, live, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.server
	if !c.listed {
		return 0, false, false
	}
	if c.listing {
		c.listing, c.cursor, c.live = false, 0, s.mail.count()
	}
	if s.happens("pushed live during the list", 50) {
		if message, ok = s.mail.write(c.cursor); ok {
			return message, true, true
		}
	}
	if message, ok = s.mail.next(c.cursor); ok {
		c.cursor = message + 1
	}
	return message, message >= c.live, ok
}

// listedUpTo returns the number below which all messages have been pushed, given the message pushed last.
func (c *conn) listedUpTo(message int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(message, c.cursor)
}

// view returns the push frame of a message.
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
