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
// for both. It is safe for concurrent use, except for the first reply to a Message that was constructed by hand and is
// copied or printed at the same time.
//
// The MessageID is derived from m.BotID, m.ID, the content, and the number of equal replies made from m before. If a
// handler runs again and makes the same replies, the service therefore stores each once. Content that differs in each
// run, such as a time or the id of a file that the handler uploads, gives another MessageID: set it with [DeriveID].
//
// Each call counts, whether or not its result is sent: to send one reply again, pass the same Outgoing to Send. If m
// cannot be answered, for example a system notice without a conversation, ConversationID stays empty. An invalid payload
// gets no MessageID, and Send returns an InvalidError.
//
// In the conversation between the bot and one user, the reply is encrypted if m was and the payload has an encrypted
// form (PLAIN_ categories). If no session of the recipient can decrypt it, it is sent unencrypted; see
// Outgoing.Encrypted. In a group it is sent unencrypted, and the Client logs that once per group. To encrypt it for one
// member, set RecipientID to the member's id, and Encrypted.
//
// If p is the payload that arrived with m, it is sent unchanged and without validation.
func (m *Message) NewReply(p Payload) Outgoing { return m.reply(p, false).Outgoing }

// NewQuote is like NewReply, and quotes m. Recall and Pin cannot quote.
func (m *Message) NewQuote(p Payload) Outgoing { return m.quote(p, false).Outgoing }

// NewForward is like NewReply, into any conversation. The MessageID depends on the conversation. RecipientID is set if
// m came from the conversation with one user and conversationID is that conversation; otherwise set it where it is
// needed.
//
// An encrypted message is forwarded to another conversation unencrypted. To encrypt it, set RecipientID and Encrypted.
// The key of an encrypted file must not be sent unencrypted: an attachment with a key is an [InvalidError] then.
// [Client.Reupload] stores the file unencrypted.
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
	key     string    // identifies the content
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

// answer returns an answer to m. With mayRepeat, it reuses the id of an equal answer that was not confirmed.
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
// missing, the nil UUID or the bot's id. A transfer belongs to the conversation with its payer.
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

// encode is like encodePayload, except for the payload that arrived with m: if encoding would change its data, encode
// returns the original data unchecked and sets passed.
func (m *Message) encode(p Payload) (value Payload, data []byte, passed bool, err error) {
	value, err = payloadValue(p)
	if err != nil {
		return nil, nil, false, err
	}
	data, err = value.data()
	if err == nil && bytes.Equal(data, m.Data) {
		_, attached := payloadAttachment(value)
		//mutant:forwarded-file
		return value, data, attached, nil // a file keeps its key, or the lack of one
	}
	//mutant:forwarded-data
	if m.Data != nil && value.Category() == m.Category.Plain() && arrivedAs(value, m.Data) {
		return value, m.Data, true, nil
	}
	return value, data, false, err
}

// originOf returns the origin of an answer, or nil if there is nothing to keep.
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
