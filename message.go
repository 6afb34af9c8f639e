package blaze

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Message is an incoming message. Each attempt to handle it gets a new value, which the handler may keep and modify.
// Its printed and JSON forms have its ids, category and size, without its content. A Message constructed by hand, in a
// test or from a queue, makes the same replies as the original if ID, BotID, ConversationID, UserID, Category, Group
// and Data are equal.
//
// In an encrypted message, only Data and Payload are protected by encryption. All other fields, including the sender,
// are vouched for by the service only. Messages are not signed: whoever knows the bot's public key can make one.
type Message struct {
	ID               string
	BotID            string // the bot that received it; reply ids are derived from it
	ConversationID   string
	UserID           string // the author, as stated by the service
	SessionID        string // the session it was written on, or ""
	RepresentativeID string // on whose behalf UserID wrote it, or ""
	QuoteID          string // the message it quotes, or ""
	Category         Category
	Payload          Payload // never nil and never a pointer; Raw if it could not be decoded
	// the bytes that Payload was decoded from, decrypted if possible; the wire's text if that is not valid base64
	Data        []byte
	ExpireIn    time.Duration // time until it disappears after it was read; 0: never
	CreatedAt   time.Time     // server time, in UTC
	Attempt     int           // of the handler in this process: 1, 2, ...
	LastAttempt bool          // an error drops the message
	Group       bool          // ConversationID is not the one between the bot and UserID; false for SYSTEM_*
	Silent      bool          // the recipient's client does not notify
	Backlog     bool          // pushed in response to the request for pending messages, as after each connect
	// Mentions has the identity numbers that a text or post mentions, such as 7000101488 for "@7000101488": each once,
	// in order. Only the first 256 mentions of a text are read. The service does not check them.
	Mentions []string

	attempt handling      // nil in a Message constructed by hand
	self    *identity     // of the bot; nil in a Message constructed by hand
	replies *replyCounter // nil in a Message constructed by hand, until its first reply
}

// handling detaches and settles a received Message.
type handling interface {
	detach() bool
	settle(err error)
	running() bool
	open() bool
	onStop(f func()) (undo func())
}

// handMade guards Message.replies of Messages constructed by hand, which is set on first use. A mutex in Message would
// prevent copying.
var handMade sync.Mutex

// counter returns the reply counter of m. It creates one for a Message constructed by hand.
func (m *Message) counter() *replyCounter {
	handMade.Lock()
	defer handMade.Unlock()
	if m.replies == nil {
		m.replies = new(replyCounter)
	}
	return m.replies
}

// Sender returns the visible author: RepresentativeID if set, otherwise UserID.
func (m *Message) Sender() string {
	if m.RepresentativeID != "" {
		return m.RepresentativeID
	}
	return m.UserID
}

// String returns a description without the body.
func (m Message) String() string {
	return fmt.Sprintf("Message{%s %s from %s in %s, %d bytes, attempt %d}",
		clip(string(m.Category)), clip(m.ID), clip(m.UserID), clip(m.ConversationID), len(m.Data), m.Attempt)
}

// Format writes String for every verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(m.String())) }

// LogValue implements [slog.LogValuer]. It shows the ids, the category and the size.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", clip(m.ID)), slog.String("category", clip(string(m.Category))),
		slog.String("conversation", clip(m.ConversationID)), slog.String("user", clip(m.UserID)),
		slog.Int("bytes", len(m.Data)), slog.Int("attempt", m.Attempt))
}

// MarshalJSON writes the ids, the category and the size. To store a message, store Category and Data.
func (m Message) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": m.ID, "category": m.Category, "conversation_id": m.ConversationID,
		"user_id": m.UserID, "bytes": len(m.Data), "attempt": m.Attempt,
	})
}
