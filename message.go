package blaze

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// maxData is the largest data of one message, in bytes before base64: the service's limit for a request's body.
const maxData = 128 << 10

// Message is one message as it arrived. Each attempt to handle it gets a fresh value, which the handler may keep and change.
// Printed, logged or written as JSON it shows its ids, its category and its size, never what it says.
type Message struct {
	ID               string
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

	botID string // whose replies are derived
	said  *said  // nil in a Message that did not come from a Client
}

// said counts what one attempt has said so far.
type said struct {
	mu    sync.Mutex
	times map[string]int
}

// count returns how often key was counted before.
func (s *said) count(key string) int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = make(map[string]int)
	}
	n := s.times[key]
	s.times[key]++
	return n
}

// newMessage makes the Message of one attempt. It never fails: what cannot be read becomes Raw.
func newMessage(v *wire.Message, botID string, attempt int, unseal func(*wire.Message) ([]byte, error)) *Message {
	a := new(struct { // one piece of memory
		Message
		said
	})
	m := &a.Message
	*m = Message{
		ID: v.MessageID, ConversationID: v.ConversationID, UserID: v.UserID, SessionID: v.SessionID,
		RepresentativeID: v.RepresentativeID, QuoteID: v.QuoteMessageID, Category: Category(v.Category),
		Silent: v.Silent, ExpireIn: time.Duration(v.ExpireIn) * time.Second, Backlog: v.Pending,
		Attempt: attempt, CreatedAt: v.CreatedAt, botID: botID, said: &a.said,
	}
	m.Group = !strings.HasPrefix(v.Category, systemPrefix) && !isContact(v.ConversationID, botID, v.UserID)
	m.Data = []byte(v.Data)
	if v.NotBase64 {
		m.Payload = Raw{As: m.Category, Data: m.Data, Err: fmt.Errorf("blaze: the data of a %s message is not base64", clip(v.Category))}
		return m
	}
	if !m.Category.Encrypted() {
		m.Payload = decodePayload(m.Category, v.Data, m.Data)
		return m
	}
	data, err := unseal(v)
	if err != nil {
		m.Payload = Raw{As: m.Category, Data: m.Data, Err: err}
		return m
	}
	m.Data = data
	m.Payload = DecodePayload(m.Category.Plain(), data)
	return m
}

// Sender returns who speaks: RepresentativeID if it is set, else UserID.
func (m *Message) Sender() string {
	if m.RepresentativeID != "" {
		return m.RepresentativeID
	}
	return m.UserID
}

// Reply returns a message to the same conversation, to be sent with Client.Send. Its MessageID is derived from the bot, m,
// what the reply says, and how often this attempt has already said it: a handler that runs again and says the same is
// stored once. It is Encrypted if m was. ConversationID stays empty where nothing can be answered, as with transfers. A
// payload that is not valid gets no MessageID; Send says what is wrong with it. Reply is safe for concurrent use.
func (m *Message) Reply(p Payload) Outgoing { return m.answer("reply", m.ConversationID, p) }

// Quote is Reply, quoting m. Texts and posts can quote.
func (m *Message) Quote(p Payload) Outgoing {
	out := m.answer("quote", m.ConversationID, p)
	out.QuoteID = m.ID
	return out
}

// Forward is Reply into another conversation, with an id of its own for each. RecipientID is empty: set it where it is
// needed.
func (m *Message) Forward(conversationID string, p Payload) Outgoing {
	out := m.answer("forward", conversationID, p)
	out.RecipientID, out.ConversationID = "", conversationID
	return out
}

func (m *Message) answer(kind, conversationID string, p Payload) Outgoing {
	out := Outgoing{Payload: p, Encrypted: m.Category.Encrypted()}
	if m.answerable() {
		out.ConversationID = m.ConversationID
		if !m.Group && !strings.HasPrefix(string(m.Category), systemPrefix) {
			out.RecipientID = m.UserID
		}
	}
	if value, data, err := encodePayload(p); err == nil {
		sum := sha256.Sum256(data)
		key := strings.Join([]string{kind, strings.ToLower(conversationID), string(value.Category()), hex.EncodeToString(sum[:])}, " ")
		out.MessageID = DeriveID("reply", m.botID, m.ID, key, strconv.Itoa(m.said.count(key)))
	}
	return out
}

// answerable reports whether m's conversation can be written to. Notices about a conversation are written in it; other
// notices of the system name no conversation, the bot, or nobody.
func (m *Message) answerable() bool {
	if strings.HasPrefix(string(m.Category), systemPrefix) && m.Category != CategorySystemConversation {
		return false
	}
	id := m.ConversationID
	return id != "" && id != uuid.Nil.String() && !strings.EqualFold(id, m.botID)
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

// Outgoing is a message to be sent: a plain value, tied to no Client. Printed, logged or written as JSON it shows its ids
// and its category, never what it says (in an unexported field of another struct, package fmt prints it whole). Compare with
// [reflect.DeepEqual].
type Outgoing struct {
	ConversationID   string
	Payload          Payload       // at most 128 KB of data
	MessageID        string        // idempotency key, a UUID; "" means a new random one
	RecipientID      string        // set by Reply, Quote and ToUser in contact conversations; needed when Encrypted
	QuoteID          string        // the message quoted; texts and posts only
	RepresentativeID string        // on whose behalf the bot writes; contact conversations only
	Mentions         []string      // user ids, with their @identity_number in the text; groups only
	ExpireIn         time.Duration // after reading, in whole seconds; 0: never
	Silent           bool          // the recipient's client does not notify
	Encrypted        bool          // sealed for the sessions of RecipientID: PLAIN_ payloads only, no ExpireIn, no Mentions
}

// To returns a message to a conversation. It takes a conversation's id, not a user's: for a user, Client.ToUser.
func To(conversationID string, p Payload) Outgoing {
	return Outgoing{ConversationID: conversationID, Payload: p}
}

func (out Outgoing) category() Category {
	p, err := payloadValue(out.Payload)
	if err != nil {
		return ""
	}
	return p.Category()
}

// String shows the message without its body.
func (out Outgoing) String() string {
	return fmt.Sprintf("Outgoing{%s %s to %s}", clip(string(out.category())), clip(out.MessageID), clip(out.ConversationID))
}

// Format writes String, whatever the verb.
func (out Outgoing) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(out.String())) }

// LogValue is what log/slog shows: ids and category.
func (out Outgoing) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", out.MessageID), slog.String("category", string(out.category())), slog.String("conversation", out.ConversationID))
}

// MarshalJSON writes ids and category, and nothing to send the message from: for that, keep what EncodePayload returns.
func (out Outgoing) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": out.MessageID, "category": out.category(), "conversation_id": out.ConversationID})
}

// Sent says what was stored.
type Sent struct{ MessageID, ConversationID string }

// draft is a message that was found valid, in the form of the wire.
type draft struct {
	messageParams
	plain  bool // fits into CREATE_PLAIN_MESSAGES
	sealed bool // is to be encrypted; Data is not yet
}

// messageParams are the params of CREATE_MESSAGE, in the order of the protocol's samples; what they do not show follows.
type messageParams struct {
	ConversationID   string
	Category         Category
	MessageID        string
	Data             []byte
	RecipientID      string
	QuoteID          string
	RepresentativeID string
	Mentions         []string
	Silent           bool
	ExpireIn         int64 // seconds
}

// SizeJSON implements [wire.Params].
func (p *messageParams) SizeJSON() int {
	const most = len(`{"conversation_id":"","category":"","status":"SENT","message_id":"","data":"","recipient_id":"","quote_message_id":"",`+
		`"representative_id":"","silent":true,"expire_in":}`) + 6*36
	return most + len(p.Category) + base64.StdEncoding.EncodedLen(len(p.Data)) + len(p.Mentions)*40
}

// AppendJSON implements [wire.Params].
func (p *messageParams) AppendJSON(b []byte) []byte {
	b = wire.AppendField(append(b, '{'), "conversation_id", p.ConversationID)
	b = wire.AppendField(b, "category", string(p.Category))
	b = wire.AppendField(b, "status", string(StatusSent))
	b = wire.AppendField(b, "message_id", p.MessageID)
	b = wire.AppendData(b, "data", p.Data)
	b = wire.AppendOptional(b, "recipient_id", p.RecipientID)
	b = wire.AppendOptional(b, "quote_message_id", p.QuoteID)
	b = wire.AppendOptional(b, "representative_id", p.RepresentativeID)
	b = wire.AppendList(b, "mentions", p.Mentions, wire.AppendText)
	b = wire.AppendTrue(b, "silent", p.Silent)
	return wire.AppendEnd(wire.AppendInt(b, "expire_in", p.ExpireIn), '}')
}

// draft validates out and puts it into the form of the wire. Every error is an [InvalidError].
func (out Outgoing) draft() (*draft, error) {
	if out.ConversationID == "" {
		return nil, invalid("Outgoing.ConversationID", "missing: use To with a conversation's id, or ToUser with a user's; transfers and notices of the system have no conversation to answer in")
	}
	d := &draft{messageParams: messageParams{Silent: out.Silent}}
	ids := idCheck{prefix: "Outgoing."}
	d.ConversationID = ids.required("ConversationID", out.ConversationID)
	d.MessageID = ids.optional("MessageID", out.MessageID)
	d.RecipientID = ids.optional("RecipientID", out.RecipientID)
	d.QuoteID = ids.optional("QuoteID", out.QuoteID)
	d.RepresentativeID = ids.optional("RepresentativeID", out.RepresentativeID)
	for i, id := range out.Mentions {
		d.Mentions = append(d.Mentions, ids.required("Mentions["+strconv.Itoa(i)+"]", id))
	}
	if ids.err != nil {
		return nil, ids.err
	}
	if out.ExpireIn < 0 || out.ExpireIn%time.Second != 0 {
		return nil, invalid("Outgoing.ExpireIn", "must be whole seconds, not negative")
	}
	d.ExpireIn = int64(out.ExpireIn / time.Second)
	if err := d.fill(out); err != nil {
		return nil, err
	}
	// What CREATE_PLAIN_MESSAGES has no key for goes out alone.
	d.plain = batchable(d.Category) && d.RecipientID != "" && !d.Silent && d.ExpireIn == 0 && d.Mentions == nil
	return d, nil
}

// batchable reports whether a category may be in CREATE_PLAIN_MESSAGES. One that a Raw has made up of anything else than
// capitals may need escaping, and then the size of a frame would not be known beforehand.
func batchable(c Category) bool {
	return strings.HasPrefix(string(c), plainPrefix) &&
		!strings.ContainsFunc(string(c), func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
}

// fill adds the payload.
func (d *draft) fill(out Outgoing) error {
	value, data, err := encodePayload(out.Payload)
	if err != nil {
		return err
	}
	a, attached := payloadAttachment(value)
	_, text := value.(Text)
	_, post := value.(Post)
	switch {
	case inboundOnly(value):
		return invalid("Outgoing.Payload", "%s is written by the service only", value.Category())
	case out.Encrypted:
		return d.fillSealed(out, value, data)
	case attached && len(a.Key) > 0:
		return invalid("Attachment.Key", "a key belongs to attachments of encrypted messages only")
	case attached && len(a.Digest) > 0:
		return invalid("Attachment.Digest", "a digest belongs to attachments of encrypted messages only")
	case out.QuoteID != "" && !text && !post:
		return invalid("Outgoing.QuoteID", "only texts and posts can quote, not %s", value.Category())
	case len(data) > maxData:
		return invalid("Outgoing.Payload", "%d bytes of data, more than %d", len(data), maxData)
	}
	d.Category = value.Category()
	d.Data = data
	return nil
}

// fillSealed adds the payload of a message that is to be encrypted.
func (d *draft) fillSealed(out Outgoing, value Payload, data []byte) error {
	rest, plain := strings.CutPrefix(string(value.Category()), plainPrefix)
	a, attached := payloadAttachment(value)
	switch {
	case !plain:
		return invalid("Outgoing.Encrypted", "%s cannot be encrypted; to send it in plain text say so with Encrypted = false", value.Category())
	case d.RecipientID == "":
		return invalid("Outgoing.RecipientID", "missing: an encrypted message is sealed for its recipient's sessions")
	case attached && (len(a.Key) == 0 || len(a.Digest) == 0):
		return invalid("Attachment.Key", "the file of an encrypted message has to be encrypted itself: see UploadEncrypted")
	case d.ExpireIn > 0:
		return invalid("Outgoing.ExpireIn", "has no place in an encrypted message")
	case len(d.Mentions) > 0:
		return invalid("Outgoing.Mentions", "have no place in an encrypted message")
	case sealedSize(len(data)) > batchBytes:
		return invalid("Outgoing.Payload", "%d bytes of data are too many for an encrypted message: the limit is about 95,000", len(data))
	}
	d.Category, d.Data, d.sealed = Category(encryptedPrefix+rest), data, true
	return nil
}

// idCheck checks one id after the other and keeps the first error.
type idCheck struct {
	prefix string
	err    error
}

func (c *idCheck) required(field, id string) string {
	s, ok := canonicalUUID(id)
	if !ok && c.err == nil {
		c.err = invalid(c.prefix+field, "not a UUID")
	}
	return s
}

func (c *idCheck) optional(field, id string) string {
	if id == "" {
		return ""
	}
	return c.required(field, id)
}
