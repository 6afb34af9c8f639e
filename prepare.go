package blaze

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Limits of the service for requests.
const (
	maxData       = 128 << 10 // bytes of data of one message, before base64
	batchMessages = 100       // messages in one request
	batchBytes    = 128 << 10 // bytes of its JSON
)

// prepared is a validated message in wire form.
type prepared struct {
	messageParams
	way way

	reply       *Outgoing // the Outgoing, if it is encrypted by default and may be sent unencrypted; otherwise nil
	plainReason string    // to be logged: why an answer to an encrypted message is sent unencrypted; or ""
	group       bool      // to be logged: an unencrypted answer in a group to an encrypted message
}

// way is how a message is sent.
type way uint8

const (
	single way = iota // as CREATE_MESSAGE
	plain             // in CREATE_PLAIN_MESSAGES with others, or as CREATE_MESSAGE
	sealed            // over HTTP; Data is not encrypted yet
	ways              // number of ways
)

// item is a prepared message that is being sent, and its result.
type item struct {
	*prepared
	size        int             // estimate of its JSON in a request with several messages
	json        json.RawMessage // of the encrypted message, while it is sent
	unconfirmed bool            // an earlier request may have stored it
	changed     bool            // the recipient's sessions differed from those it was encrypted for
	again       bool            // to be sent again in a smaller request
	most        int             // maximum number of messages in its next request; 0: the default
	allowed     time.Time       // when the Limiter allowed it
	err         error
}

// messageParams are the params of CREATE_MESSAGE. Fields that the protocol's samples show come first, in their order.
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
	const most = len(`{"conversation_id":"","category":"","status":"SENT","message_id":"","data":"",`+
		`"recipient_id":"","quote_message_id":"","representative_id":"","silent":true,"expire_in":}`) + 6*36
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

// prepare validates out and converts it to wire form. Every error is or wraps an [InvalidError].
func (out Outgoing) prepare() (*prepared, error) {
	if out.ConversationID == "" {
		return nil, invalid("Outgoing.ConversationID", "missing: use To with a conversation's id, or ToUser with a "+
			"user's; some notices of the system have no conversation to answer in")
	}
	d := &prepared{messageParams: messageParams{Silent: out.Silent}}
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
	// Messages with fields that CREATE_PLAIN_MESSAGES lacks are sent alone, and so are quotes, except in texts and
	// posts.
	//mutant:quote-frame
	shares := d.QuoteID == "" || d.Category == CategoryPlainText || d.Category == CategoryPlainPost
	if shares && batchable(d.Category) && d.RecipientID != "" && !d.Silent && d.ExpireIn == 0 && d.Mentions == nil {
		d.way = plain
	}
	return d, nil
}

// batchable reports whether a category may be in CREATE_PLAIN_MESSAGES. The category of a Raw may have characters that
// need escaping, so the size of its frame would not be known in advance.
func batchable(c Category) bool {
	other := func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') }
	return strings.HasPrefix(string(c), plainPrefix) && !strings.ContainsFunc(string(c), other)
}

// fill adds the payload.
func (d *prepared) fill(out Outgoing) error {
	value, data, passed, err := out.encode()
	switch {
	case err != nil:
		return err
	case inboundOnly(value):
		return invalid("Outgoing.Payload", "only the service sends %s", value.Category())
	case out.sealedByDefault():
		return d.fillAnswer(out, value, data, passed)
	case out.Encrypted:
		return d.fillSealed(&out, value, data, passed)
	}
	return d.fillPlain(&out, value, data, passed)
}

// fillPlain adds the payload of an unencrypted message.
func (d *prepared) fillPlain(out *Outgoing, value Payload, data []byte, passed bool) error {
	a, attached := payloadAttachment(value)
	switch {
	//mutant:plain-key
	case out.answersEncrypted() && hasKey(value):
		return &defaultError{invalid("Attachment.Key", "this answers an encrypted message but is sent "+
			"unencrypted, so the key of its file would be readable: use Reupload for that file, or Upload or "+
			"UploadImage for a new one")}
	case passed: // it has no key, or one that was readable in the unencrypted original, too
	case attached && len(a.Key) > 0:
		return invalid("Attachment.Key",
			"a key belongs to attachments of encrypted messages only: Reupload makes a plain file of an encrypted one")
	case attached && len(a.Digest) > 0:
		return invalid("Attachment.Digest", "a digest belongs to attachments of encrypted messages only")
	}
	switch category := value.Category(); {
	case out.QuoteID != "" && (category == CategoryMessageRecall || category == CategoryMessagePin):
		return invalid("Outgoing.QuoteID", "%s cannot quote a message", category)
	case len(data) > maxData:
		return invalid("Outgoing.Payload", "%d bytes of data, more than %d", len(data), maxData)
	}
	d.Category, d.Data = value.Category(), data
	d.group = out.plainInGroup() && sealable(value)
	return nil
}

// fillSealed adds the payload of a message to encrypt.
func (d *prepared) fillSealed(out *Outgoing, value Payload, data []byte, passed bool) error {
	rest, isPlain := strings.CutPrefix(string(value.Category()), plainPrefix)
	a, attached := payloadAttachment(value)
	switch {
	case !isPlain:
		return invalid("Outgoing.Encrypted",
			"%s cannot be encrypted; to send it in plain text say so with Encrypted = false", value.Category())
	case d.RecipientID == "":
		return invalid("Outgoing.RecipientID", "missing: it is needed to encrypt the message")
	case passed && out.answersEncrypted(): // its file is as in the original
	case attached && (len(a.Key) == 0 || len(a.Digest) == 0):
		return invalid("Attachment.Key", "the file of an encrypted message has to be encrypted itself: upload it with "+
			"UploadEncryptedImage or UploadEncrypted, or send it in plain text with Encrypted = false")
	}
	switch {
	case d.ExpireIn > 0:
		return invalid("Outgoing.ExpireIn", "is not supported in encrypted messages")
	case len(d.Mentions) > 0:
		return invalid("Outgoing.Mentions", "are not supported in encrypted messages")
	case sealedSize(len(data)) > batchBytes:
		return invalid("Outgoing.Payload",
			"%d bytes of data are too many for an encrypted message: the limit is about 97,000", len(data))
	}
	d.Category, d.Data, d.way = Category(encryptedPrefix+rest), data, sealed
	return nil
}

// fillAnswer adds the payload of an answer that is encrypted by default. A payload that cannot be encrypted is sent
// unencrypted, so that the recipient gets it.
func (d *prepared) fillAnswer(out Outgoing, value Payload, data []byte, passed bool) error {
	open := true
	switch {
	case !sealable(value): // the apps send it unencrypted too
	case d.ExpireIn > 0:
		d.plainReason = "it expires, and encrypted messages cannot"
	case sealedSize(len(data)) > batchBytes && len(data) <= maxData:
		d.plainReason = "it is too large to be encrypted"
	//mutant:plain-file
	case !passed && plainFile(value):
		d.plainReason = "its file was uploaded in plain text: UploadEncryptedImage and UploadEncrypted encrypt it"
	default:
		open = false
	}
	if open {
		out.Encrypted = false
		return d.fillPlain(&out, value, data, passed)
	}
	d.reply = &out
	return d.fillSealed(&out, value, data, passed)
}

// plainFile reports whether a payload refers to an unencrypted file, which encrypted messages must not.
func plainFile(value Payload) bool {
	a, attached := payloadAttachment(value)
	return attached && len(a.Key) == 0 && len(a.Digest) == 0
}

// encode encodes out's payload. If it is the payload of an incoming message, encode returns the original data
// unchecked.
func (out *Outgoing) encode() (value Payload, data []byte, passed bool, err error) {
	if o := out.origin; o != nil && o.passed {
		data = []byte(o.data)
		//mutant:forwarded-changed
		if value, err = payloadValue(out.Payload); err == nil && arrivedAs(value, data) {
			return value, data, true, nil
		}
	}
	value, data, err = encodePayload(out.Payload)
	return value, data, false, err
}

// answersEncrypted reports whether out answers an encrypted message.
func (out *Outgoing) answersEncrypted() bool { return out.origin != nil && out.origin.encrypted }

// sealedByDefault reports whether out is encrypted only because the message it answers was.
func (out *Outgoing) sealedByDefault() bool {
	//mutant:encrypted-default
	return out.Encrypted && out.origin != nil && out.origin.recipient != "" &&
		out.origin.recipient == out.RecipientID && out.origin.conversation == out.ConversationID
}

// plainInGroup reports whether out is a plain answer to an encrypted message, for all members of its group.
func (out *Outgoing) plainInGroup() bool {
	return !out.Encrypted && out.origin != nil && out.origin.conversation != "" && out.origin.recipient == "" &&
		out.origin.conversation == out.ConversationID
}

// sealedSize estimates the size, in bytes, of an encrypted message in a request, for a recipient with few sessions.
func sealedSize(data int) int {
	const sessions, each, fields = 3, 64, 600
	return base64.RawURLEncoding.EncodedLen(data+100+sessions*64) + sessions*each + fields
}
