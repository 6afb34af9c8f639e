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

// NewReply returns a message to the conversation of m. It sends nothing: Client.Send does, and Client.Reply does both.
//
// Its MessageID is derived from m.BotID, m.ID, the content, and the number of equal replies that were made from m
// before. So a handler that runs again and says the same is stored once by the service. Each call counts, whether or
// not its result is sent: to send one reply again, pass the same Outgoing to Send. ConversationID stays empty where
// nothing can be answered: in notices of the system that name no conversation. An invalid payload gets no MessageID;
// Send then returns an InvalidError. NewReply is safe for concurrent use; but the first reply of a Message made by
// hand must not run while the Message is copied or printed.
//
// In the conversation of the bot with one user the reply is Encrypted if m was and the payload has an encrypted form
// (PLAIN_ categories). If the recipient has no session that can open it, it is sent in plain text: see
// Outgoing.Encrypted. In a group it goes out in plain text, for all members; the Client logs that once for each group.
// To seal it for one member instead, set RecipientID to the member's id, and Encrypted.
//
// The payload that arrived with m is sent as it arrived, without validation.
func (m *Message) NewReply(p Payload) Outgoing { return m.reply(p, false).Outgoing }

// NewQuote is NewReply, quoting m. Every payload can quote but Recall and Pin.
func (m *Message) NewQuote(p Payload) Outgoing { return m.quote(p, false).Outgoing }

// NewForward is NewReply into any conversation, with an id of its own for each. RecipientID is set where that is the
// conversation of m and of one user; set it where it is needed.
//
// Into another conversation an encrypted message goes out in plain text. To seal it there, set RecipientID and
// Encrypted. The key of an encrypted file must not go out in plain text: an attachment with a key is an
// [InvalidError] then, and [Client.Reupload] makes a plain file of it.
func (m *Message) NewForward(conversationID string, p Payload) Outgoing {
	return m.answer(kindForward, conversationID, p, false).Outgoing
}

// The kinds of answers. They are part of what ids are derived from.
const (
	kindReply   = "reply"
	kindQuote   = "quote"
	kindForward = "forward"
)

// answer is a message that answers another one.
type answer struct {
	Outgoing
	id      uuid.UUID // the MessageID; zero if the payload is invalid
	key     string    // of the content: equal ones have the same
	ordinal int       // among equal ones
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

// answer makes an answer. One that may repeat an equal one which was not confirmed gets the id of that one.
func (m *Message) answer(kind, conversationID string, p Payload, mayRepeat bool) answer {
	a := answer{Outgoing: Outgoing{Payload: p}}
	if kind == kindForward || m.answerable() {
		a.ConversationID = conversationID
		//mutant:answer-recipient
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
		//mutant:reply-again
		a.ordinal = m.counter().ordinal(a.key, mayRepeat)
		//mutant:reply-id
		a.id = derive("reply", strings.ToLower(m.BotID), wire.LowerID(m.ID), a.key, strconv.Itoa(a.ordinal))
		a.MessageID = a.id.String()
	}
	return a
}

// answerable reports whether m's conversation can be written to. Notices of the system may name none, the bot, or
// nobody. A transfer is in the conversation with its payer.
func (m *Message) answerable() bool {
	id := m.ConversationID
	return id != "" && id != uuid.Nil.String() && !strings.EqualFold(id, m.BotID)
}

// inContact reports whether m's conversation is the one between the bot and UserID.
func (m *Message) inContact() bool {
	if strings.HasPrefix(string(m.Category), systemPrefix) {
		return isContact(m.ConversationID, strings.ToLower(m.BotID), m.UserID)
	}
	return !m.Group
}

// encode is encodePayload; but of the payload that arrived with m it returns the data that arrived, unchecked, if that
// is not the same. passed reports this.
func (m *Message) encode(p Payload) (value Payload, data []byte, passed bool, err error) {
	value, err = payloadValue(p)
	if err != nil {
		return nil, nil, false, err
	}
	data, err = value.data()
	if err == nil && bytes.Equal(data, m.Data) {
		_, attached := payloadAttachment(value)
		//mutant:passed-file
		return value, data, attached, nil // a file goes on with its key, or without, as it came
	}
	//mutant:passed-on
	if m.Data != nil && value.Category() == m.Category.Plain() && arrivedAs(value, m.Data) {
		return value, m.Data, true, nil
	}
	return value, data, false, err
}

// originOf returns the origin of an answer; nil where there is nothing to keep.
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
