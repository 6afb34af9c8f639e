package blaze

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// NewReply returns a message to the conversation of m. It does not send it: pass it to Client.Send, or use Client.Reply
// for both. NewReply is safe for concurrent use, with one exception: the first reply to a Message constructed by hand
// changes that Message, so do not copy or print it at the same time.
//
//   - MessageID is derived from m.BotID, m.ID, the kind of answer (reply, quote or forward), the conversation, the
//     category, the content, and the number of equal answers made from m before. If a handler runs again and makes the
//     same replies, the service therefore stores each once. Content that differs in each run, such as a time or the id
//     of a file that the handler uploads, gives another MessageID: set it with [DeriveID]. Each call counts, whether or
//     not its result is sent: to send one reply again, pass the same Outgoing to Send.
//   - ConversationID is empty if m cannot be answered. An example is a system notice without a conversation.
//   - Encrypted is set in the conversation between the bot and one user, if m was encrypted and the payload has an
//     encrypted form (PLAIN_ categories). If no session of the recipient can decrypt the reply, it is sent unencrypted;
//     see Outgoing.Encrypted.
//   - In a group the reply is unencrypted. If m was encrypted, the Client logs that once per group. To encrypt the
//     reply for one member, set RecipientID to the member's id, and Encrypted.
//   - If p is the payload that arrived with m, it is sent unchanged and without validation. Any other invalid payload
//     gets no MessageID, and Send returns an InvalidError.
func (m *Message) NewReply(p Payload) Outgoing { return m.reply(p, false).Outgoing }

// NewQuote is like NewReply, and quotes m. Recall and Pin cannot quote.
func (m *Message) NewQuote(p Payload) Outgoing { return m.quote(p, false).Outgoing }

// NewForward is like NewReply, into any conversation. RecipientID is set if m came from the conversation with one user
// and conversationID is that conversation. Otherwise it is empty: set it to encrypt the message, or to let SendBatch
// send it in a frame with others.
//
// An encrypted message is forwarded to another conversation unencrypted. To encrypt it, set RecipientID and Encrypted.
// If the forward is unencrypted, an attachment with a key is an [InvalidError], because the key would be readable. Make
// an unencrypted copy of the file with [Client.Reupload] first.
func (m *Message) NewForward(conversationID string, p Payload) Outgoing {
	return m.answer(kindForward, conversationID, p, false).Outgoing
}

// Kinds of answers. They are part of the input of derived ids.
const (
	kindReply   = "reply"
	kindQuote   = "quote"
	kindForward = "forward"
)

// answer is a message that answers another one.
type answer struct {
	Outgoing
	id      uuid.UUID // the MessageID; zero if the payload is invalid
	key     string    // kind, conversation, category and hash of the content
	ordinal int       // number of equal answers before this one
}

func (m *Message) reply(p Payload, mayRepeat bool) answer {
	return m.answer(kindReply, m.ConversationID, p, mayRepeat)
}

func (m *Message) quote(p Payload, mayRepeat bool) answer {
	//mutant:quote-kind
	a := m.answer(kindQuote, m.ConversationID, p, mayRepeat)
	a.QuoteID = m.ID
	return a
}

// answer returns an answer to m. With mayRepeat, it reuses the id of an equal answer that was neither confirmed nor
// rejected.
func (m *Message) answer(kind, conversationID string, p Payload, mayRepeat bool) answer {
	a := answer{Outgoing: Outgoing{Payload: p}}
	if kind == kindForward || m.answerable() {
		a.ConversationID = conversationID
		//mutant:reply-recipient
		if m.inContact() && strings.EqualFold(conversationID, m.ConversationID) {
			a.RecipientID = m.UserID
		}
	}
	value, data, passed, err := m.encode(p)
	a.Encrypted = m.Category.Encrypted() && a.RecipientID != "" && sealable(value)
	a.origin = m.originOf(&a.Outgoing, data, passed)
	if err == nil {
		sum := sha256.Sum256(data)
		a.key = strings.Join(
			[]string{kind, strings.ToLower(conversationID), string(value.Category()), hex.EncodeToString(sum[:])}, " ")
		//mutant:reply-unconfirmed
		a.ordinal = m.counter().ordinal(a.key, mayRepeat)
		//mutant:reply-id
		a.id = derive("reply", strings.ToLower(m.BotID), wire.LowerID(m.ID), a.key, strconv.Itoa(a.ordinal))
		a.MessageID = a.id.String()
	}
	return a
}

// answerable reports whether the bot can write to m's conversation. The conversation id of a system notice may be
// missing, the nil UUID or the bot's id. The notice of a transfer has the id of the conversation with its payer, and
// can be answered.
func (m *Message) answerable() bool {
	id := m.ConversationID
	return id != "" && id != uuid.Nil.String() && !strings.EqualFold(id, m.BotID)
}

// inContact reports whether m's conversation is the one between the bot and m.UserID.
func (m *Message) inContact() bool {
	if strings.HasPrefix(string(m.Category), systemPrefix) {
		return isContact(m.ConversationID, strings.ToLower(m.BotID), m.UserID)
	}
	return !m.Group
}

// encode is like encodePayload, except for the payload that arrived with m. If encoding would change its data, encode
// returns the original data unchecked. It sets passed then, and for an unchanged attachment.
func (m *Message) encode(p Payload) (value Payload, data []byte, passed bool, err error) {
	value, err = payloadValue(p)
	if err != nil {
		return nil, nil, false, err
	}
	data, err = value.data()
	if err == nil && bytes.Equal(data, m.Data) {
		_, attached := payloadAttachment(value)
		//mutant:forwarded-file
		return value, data, attached, nil // a file is passed on as it arrived, with or without its key
	}
	//mutant:forwarded-data
	if m.Data != nil && value.Category() == m.Category.Plain() && arrivedAs(value, m.Data) {
		return value, m.Data, true, nil
	}
	return value, data, false, err
}

// originOf returns the origin of an answer, or nil if m is not encrypted and its payload is not passed on.
func (m *Message) originOf(out *Outgoing, data []byte, passed bool) *origin {
	encrypted := m.Category.Encrypted()
	if !encrypted && !passed {
		return nil
	}
	o := &origin{encrypted: encrypted, passed: passed}
	if passed {
		o.data = string(data)
	}
	if out.Encrypted || encrypted && m.Group && strings.EqualFold(out.ConversationID, m.ConversationID) {
		o.conversation, o.recipient = out.ConversationID, out.RecipientID
	}
	return o
}
