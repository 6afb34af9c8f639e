package blaze

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Message is one message as it arrived. Each attempt to handle it gets a fresh value, which the handler may keep and
// change. Printed, logged or written as JSON it shows its ids, its category and its size, never its content. A
// Message made by hand, for a test of a handler or out of a queue, makes the same replies as the received one if its
// ID, BotID, ConversationID, UserID, Category and Group are the same.
type Message struct {
	ID               string
	BotID            string // the bot that received it; its replies get their ids from it
	ConversationID   string
	UserID           string // who wrote it, as the wire says
	SessionID        string // the session it was written on, or ""
	RepresentativeID string // on whose behalf UserID wrote it, or ""
	QuoteID          string // the message it quotes, or ""
	Category         Category
	Payload          Payload       // never nil, always a value, never a pointer; Raw for what could not be decoded
	Data             []byte        // the bytes Payload was decoded from, opened if they were sealed; the wire's own text where that is not base64
	ExpireIn         time.Duration // how long after reading it disappears; 0: never
	CreatedAt        time.Time     // by the server's clock
	Attempt          int           // of the handler, in this process: 1, 2, ...
	LastAttempt      bool          // an error now drops the message
	Group            bool          // ConversationID is not the one between the bot and UserID; false for SYSTEM_*
	Silent           bool          // the recipient's client does not notify
	Backlog          bool          // the server pushed it from what was pending, as it does after each connect

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
	m.Data = []byte(v.Data)
	as := m.Category // of Data
	defer func() {
		if p := recover(); p != nil {
			err := fmt.Errorf("blaze: a %s message cannot be decoded: %w", clip(v.Category), decoderPanic(p))
			m.Payload = Raw{As: as, Data: m.Data, Err: err}
		}
	}()
	switch {
	case v.NotBase64:
		err := fmt.Errorf("blaze: the data of a %s message is not base64", clip(v.Category))
		m.Payload = Raw{As: as, Data: m.Data, Err: err}
	case !m.Category.Encrypted():
		m.Payload = decodePayload(as, v.Data, m.Data)
	default:
		data, err := unseal(v)
		if err != nil {
			m.Payload = Raw{As: as, Data: m.Data, Err: err}
			return
		}
		m.Data, as = data, m.Category.Plain()
		m.Payload = DecodePayload(as, data)
	}
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

// NewReply returns a message to the conversation of m. It sends nothing: Client.Send does, and Client.Reply does both.
//
// Its MessageID is derived from m.BotID, m.ID, the content, and the number of equal replies that were made from m
// before. So a handler that runs again and says the same is stored once by the service. Each call counts, whether or
// not its result is sent: to send one reply again, pass the same Outgoing to Send. It is Encrypted if m was.
// ConversationID stays empty where nothing can be answered, as with transfers. An invalid payload gets no MessageID;
// Send returns what is wrong with it. NewReply is safe for concurrent use; but the first reply of a Message made by
// hand must not run while the Message is copied or printed.
func (m *Message) NewReply(p Payload) Outgoing { return m.reply(p, false).Outgoing }

// NewQuote is NewReply, quoting m. Texts and posts can quote.
func (m *Message) NewQuote(p Payload) Outgoing { return m.quote(p, false).Outgoing }

// NewForward is NewReply into another conversation, with an id of its own for each. RecipientID is empty: set it
// where it is needed.
func (m *Message) NewForward(conversationID string, p Payload) Outgoing {
	out := m.answer("forward", conversationID, p, false).Outgoing
	out.RecipientID, out.ConversationID = "", conversationID
	return out
}

// answer is a message that answers another one.
type answer struct {
	Outgoing
	id      uuid.UUID // the MessageID; zero if the payload is invalid
	key     string    // of the content: equal ones have the same
	ordinal int       // among equal ones
}

func (m *Message) reply(p Payload, mayRepeat bool) answer {
	return m.answer("reply", m.ConversationID, p, mayRepeat)
}

func (m *Message) quote(p Payload, mayRepeat bool) answer {
	//mutant:quote-kind
	a := m.answer("quote", m.ConversationID, p, mayRepeat)
	a.QuoteID = m.ID
	return a
}

// answer makes an answer. One that may repeat an equal one which was not confirmed gets the id of that one.
func (m *Message) answer(kind, conversationID string, p Payload, mayRepeat bool) answer {
	a := answer{Outgoing: Outgoing{Payload: p, Encrypted: m.Category.Encrypted()}}
	if m.answerable() {
		a.ConversationID = m.ConversationID
		if !m.Group && !strings.HasPrefix(string(m.Category), systemPrefix) {
			a.RecipientID = m.UserID
		}
	}
	if value, data, err := encodePayload(p); err == nil {
		sum := sha256.Sum256(data)
		a.key = strings.Join(
			[]string{kind, strings.ToLower(conversationID), string(value.Category()), hex.EncodeToString(sum[:])}, " ")
		//mutant:reply-again
		a.ordinal = m.counter().ordinal(a.key, mayRepeat)
		//mutant:reply-id
		a.id = derive("reply", strings.ToLower(m.BotID), wire.LowerID(m.ID), a.key, strconv.Itoa(a.ordinal))
		a.MessageID = a.id.String()
	}
	return a
}

// answerable reports whether m's conversation can be written to. Notices about a conversation are written in it; other
// notices of the system name no conversation, the bot, or nobody.
func (m *Message) answerable() bool {
	if strings.HasPrefix(string(m.Category), systemPrefix) && m.Category != CategorySystemConversation {
		return false
	}
	id := m.ConversationID
	return id != "" && id != uuid.Nil.String() && !strings.EqualFold(id, m.BotID)
}

// String shows the message without its body.
func (m Message) String() string {
	return fmt.Sprintf("Message{%s %s from %s in %s, %d bytes, attempt %d}", clip(string(m.Category)), clip(m.ID), clip(m.UserID), clip(m.ConversationID), len(m.Data), m.Attempt)
}

// Format writes String, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(m.String())) }

// LogValue is what log/slog shows: ids, category and size.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", m.ID), slog.String("category", clip(string(m.Category))), slog.String("conversation", m.ConversationID),
		slog.String("user", m.UserID), slog.Int("bytes", len(m.Data)), slog.Int("attempt", m.Attempt))
}

// MarshalJSON writes ids, category and size. To keep a message, keep Category and Data.
func (m Message) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": m.ID, "category": m.Category, "conversation_id": m.ConversationID, "user_id": m.UserID, "bytes": len(m.Data), "attempt": m.Attempt,
	})
}
