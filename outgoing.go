package blaze

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// The limits of the service for requests.
const (
	maxData       = 128 << 10 // bytes of data of one message, before base64
	batchMessages = 100       // messages of one request
	batchBytes    = 128 << 10 // bytes of its JSON
)

// Outgoing is a message to be sent: a plain value, tied to no Client. Printed, logged or written as JSON it shows its
// ids and its category, never what it says (in an unexported field of another struct, package fmt prints it whole).
// Compare with [reflect.DeepEqual].
type Outgoing struct {
	ConversationID   string
	Payload          Payload       // at most 128 KB of data
	MessageID        string        // idempotency key, a UUID; "" means a new random one
	RecipientID      string        // set by NewReply, NewQuote and ToUser in contact conversations; needed when Encrypted
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
	way way
}

// way is how a message goes out.
type way uint8

const (
	single way = iota // as CREATE_MESSAGE
	plain             // in CREATE_PLAIN_MESSAGES, beside others, or as CREATE_MESSAGE
	sealed            // over HTTP; Data is not encrypted yet
	ways              // their number
)

// item is a draft on its way, and how it ended.
type item struct {
	*draft
	size        int             // about, of its JSON in a request of several
	json        json.RawMessage // of the encrypted message, while it is sent
	unconfirmed bool            // an earlier request may have stored it
	changed     bool            // the recipient's sessions were not those that it was encrypted for
	again       bool            // it is to be in a smaller request
	most        int             // messages in the next request; 0: as many as usual
	allowed     time.Time       // when the Limiter let it through
	err         error
}

// messageParams are the params of CREATE_MESSAGE, in the order of the protocol's samples; what they do not show
// follows.
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
	if batchable(d.Category) && d.RecipientID != "" && !d.Silent && d.ExpireIn == 0 && d.Mentions == nil {
		d.way = plain
	}
	return d, nil
}

// batchable reports whether a category may be in CREATE_PLAIN_MESSAGES. One that a Raw has made up of anything else
// than capitals may need escaping, and then the size of a frame would not be known beforehand.
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
	rest, isPlain := strings.CutPrefix(string(value.Category()), plainPrefix)
	a, attached := payloadAttachment(value)
	switch {
	case !isPlain:
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
	d.Category, d.Data, d.way = Category(encryptedPrefix+rest), data, sealed
	return nil
}

// sealedSize is about how many bytes of the request a message takes, where its recipient has few sessions.
func sealedSize(data int) int {
	const sessions, each, fields = 3, 64, 600
	return base64.RawURLEncoding.EncodedLen(data+100+sessions*64) + sessions*each + fields
}
