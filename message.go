package blaze

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Message is one message as it arrived. Each attempt to handle it gets a fresh value, which the handler may keep and
// change. Printed, logged or written as JSON it shows its ids, its category and its size, never its content. A
// Message made by hand, for a test of a handler or out of a queue, makes the same replies as the received one if its
// ID, BotID, ConversationID, UserID, Category, Group and Data are the same.
//
// All fields but Data and Payload of an encrypted message are the service's word, the sender among them: the encryption
// protects Data from changes and from being read, and signs nothing. Whoever knows the bot's public key can make such a
// message.
type Message struct {
	ID               string
	BotID            string // the bot that received it; its replies get their ids from it
	ConversationID   string
	UserID           string // who wrote it, as the service says
	SessionID        string // the session it was written on, or ""
	RepresentativeID string // on whose behalf UserID wrote it, or ""
	QuoteID          string // the message it quotes, or ""
	Category         Category
	Payload          Payload // never nil, always a value, never a pointer; Raw for what could not be decoded
	// the bytes Payload was decoded from, opened if they were sealed; the wire's own text where that is not base64
	Data        []byte
	ExpireIn    time.Duration // how long after reading it disappears; 0: never
	CreatedAt   time.Time     // by the server's clock, in UTC
	Attempt     int           // of the handler, in this process: 1, 2, ...
	LastAttempt bool          // an error now drops the message
	Group       bool          // ConversationID is not the one between the bot and UserID; false for SYSTEM_*
	Silent      bool          // the recipient's client does not notify
	Backlog     bool          // the server pushed it from what was pending, as it does after each connect

	replies *replyCounter // nil in a Message made by hand, until its first reply
}

// handMade guards Message.replies, which is set late in a Message made by hand. A mutex in the Message would forbid
// to copy it.
var handMade sync.Mutex

// counter returns the counter of m, and makes one for a Message made by hand.
func (m *Message) counter() *replyCounter {
	handMade.Lock()
	defer handMade.Unlock()
	if m.replies == nil {
		m.replies = new(replyCounter)
	}
	return m.replies
}

// newMessage makes the Message of one attempt. It never fails: what cannot be read becomes Raw.
func newMessage(v *wire.Message, botID string, attempt int, unseal func(*wire.Message) ([]byte, error)) *Message {
	a := new(struct { // one allocation for both
		message Message
		replies replyCounter
	})
	m := &a.message
	*m = Message{
		ID: v.MessageID, ConversationID: v.ConversationID, UserID: v.UserID, SessionID: v.SessionID,
		RepresentativeID: v.RepresentativeID, QuoteID: v.QuoteMessageID, Category: Category(v.Category),
		Silent: v.Silent, ExpireIn: time.Duration(v.ExpireIn) * time.Second, Backlog: v.Pending,
		Attempt: attempt, CreatedAt: v.CreatedAt, BotID: botID, replies: &a.replies,
	}
	m.Group = !strings.HasPrefix(v.Category, systemPrefix) && !isContact(v.ConversationID, botID, v.UserID)
	m.decode(v, unseal)
	return m
}

// decode sets Data and Payload. A panic in a decoder is a fault of this package: the message becomes a Raw, and the
// process goes on.
func (m *Message) decode(v *wire.Message, unseal func(*wire.Message) ([]byte, error)) {
	as, sealed := m.Category, m.Category.Encrypted() && !v.NotBase64 // as: of Data
	raw := func(err error) {
		if m.Data == nil {
			m.Data = []byte(v.Data)
		}
		m.Payload = Raw{As: as, Data: m.Data, Err: err}
	}
	defer func() {
		if p := recover(); p != nil {
			raw(fmt.Errorf("blaze: a %s message cannot be decoded: %w", clip(v.Category), decoderPanic(p)))
		}
	}()
	if sealed {
		data, err := unseal(v)
		if err != nil {
			raw(err)
			return
		}
		m.Data, as = data, m.Category.Plain()
		m.Payload = DecodePayload(as, data)
		return
	}
	m.Data = []byte(v.Data)
	if v.NotBase64 {
		raw(fmt.Errorf("blaze: the data of a %s message is not base64", clip(v.Category)))
		return
	}
	m.Payload = decodePayload(as, v.Data, m.Data)
}

// decoderPanic makes an error of the value of a panic. Only a runtime error is quoted: another value may hold content.
func decoderPanic(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return err
	}
	return fmt.Errorf("panic with a %T", value)
}

// Sender returns who speaks: RepresentativeID if it is set, else UserID.
func (m *Message) Sender() string {
	if m.RepresentativeID != "" {
		return m.RepresentativeID
	}
	return m.UserID
}

// String shows the message without its body.
func (m Message) String() string {
	return fmt.Sprintf("Message{%s %s from %s in %s, %d bytes, attempt %d}",
		clip(string(m.Category)), clip(m.ID), clip(m.UserID), clip(m.ConversationID), len(m.Data), m.Attempt)
}

// Format writes String, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(m.String())) }

// LogValue is what log/slog shows: ids, category and size.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", clip(m.ID)), slog.String("category", clip(string(m.Category))),
		slog.String("conversation", clip(m.ConversationID)), slog.String("user", clip(m.UserID)),
		slog.Int("bytes", len(m.Data)), slog.Int("attempt", m.Attempt))
}

// MarshalJSON writes ids, category and size. To keep a message, keep Category and Data.
func (m Message) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": m.ID, "category": m.Category, "conversation_id": m.ConversationID,
		"user_id": m.UserID, "bytes": len(m.Data), "attempt": m.Attempt,
	})
}
