package blaze

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// receivedMessage is a Message with its reply counter and its attempt, in one allocation.
type receivedMessage struct {
	message Message
	replies replyCounter
	attempt attempt
}

// newMessage returns the Message of one attempt. It never fails: a message that cannot be decoded gets a Raw payload.
func newMessage(
	v *wire.Message, botID string, number int, unseal func(*wire.Message) ([]byte, error),
) *receivedMessage {
	a := new(receivedMessage)
	m := &a.message
	*m = Message{
		ID: v.MessageID, ConversationID: v.ConversationID, UserID: v.UserID, SessionID: v.SessionID,
		RepresentativeID: v.RepresentativeID, QuoteID: v.QuoteMessageID, Category: Category(v.Category),
		Silent: v.Silent, ExpireIn: time.Duration(v.ExpireIn) * time.Second, Backlog: v.Pending,
		Attempt: number, CreatedAt: v.CreatedAt, BotID: botID, replies: &a.replies,
		attempt: &a.attempt,
	}
	m.Group = !strings.HasPrefix(v.Category, systemPrefix) && !isContact(v.ConversationID, botID, v.UserID)
	m.decode(v, unseal)
	m.Mentions = mentionsOf(m.Payload)
	return a
}

// decode sets Data and Payload. If a decoder panics, which is a bug in this package, the payload is a Raw.
func (m *Message) decode(v *wire.Message, unseal func(*wire.Message) ([]byte, error)) {
	as, sealed := m.Category, m.Category.Encrypted() && !v.NotBase64 // as: the category of Data
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

// decoderPanic converts the value of a panic. It quotes runtime errors only: other values may hold content.
func decoderPanic(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return err
	}
	return fmt.Errorf("panic with a %T", value)
}
