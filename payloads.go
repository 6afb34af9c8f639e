package blaze

import (
	"errors"
	"fmt"
	"reflect"
)

// Payload is what a message says: one of the types of this package that name it, for each category a type. The set is
// closed, so that a type switch over it is complete with [Raw] as the door for everything else. Received payloads are
// values, never pointers; a pointer to one may be sent as well, a nil pointer may not.
type Payload interface {
	// Category is the category the payload is sent as. It is a plain one: whether a message is sealed is up to
	// Outgoing.Encrypted.
	Category() Category
	// data validates the payload and returns the bytes that go base64-encoded into the frame.
	data() ([]byte, error)
}

// EncodePayload validates p and returns the bytes that go base64-encoded into the field `data` of a frame: compact JSON with
// the field order of the service's samples, or the text itself. Every error is an [InvalidError]. Payloads that only the
// service sends can be encoded too, which tests need; Client.Send refuses them. Of a Raw it returns Data itself, no copy.
func EncodePayload(p Payload) ([]byte, error) {
	_, data, err := encodePayload(p)
	return data, err
}

// DecodePayload returns what data says in a message of category c. It never fails: a category without a type of its own
// gives a [Raw], and so does data that does not fit its category, with Err saying why. Fields that are not known are
// ignored; limits that are checked before sending are not checked here. A Raw keeps data itself, no copy; all else is copied.
func DecodePayload(c Category, data []byte) Payload { return decodePayload(c, string(data), data) }

// decodePayload is DecodePayload of data that is there as text, too.
func decodePayload(c Category, text string, data []byte) Payload {
	if c.Encrypted() {
		return Raw{As: c, Data: data, Err: errSealed}
	}
	decode, known := decoders[c]
	if !known {
		return Raw{As: c, Data: data}
	}
	p, err := decode(text, data)
	if err != nil {
		return Raw{As: c, Data: data, Err: fmt.Errorf("blaze: the data of a %s message does not fit: %w", c, err)}
	}
	return p
}

var errSealed = errors.New("blaze: encrypted data cannot be opened without the session's key, as a Client does")

// encodePayload is EncodePayload that also returns the payload as a value.
func encodePayload(p Payload) (value Payload, data []byte, err error) {
	if value, err = payloadValue(p); err != nil {
		return nil, nil, err
	}
	if data, err = value.data(); err != nil {
		return nil, nil, err
	}
	return value, data, nil
}

// payloadValue takes a payload out of the pointer it may come in. It refuses what only looks like a payload: a nil, and
// another package's type that embeds one of ours, whose own fields would be lost without a word.
func payloadValue(p Payload) (Payload, error) {
	if v := reflect.ValueOf(p); v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, invalid("Payload", "is a nil pointer")
		}
		p, _ = v.Elem().Interface().(Payload)
	}
	switch p.(type) {
	case nil:
		return nil, invalid("Payload", "missing")
	case Text, Post, Image, Data, Sticker, Contact, ButtonGroup, Card, Audio, Video, Live, Location, Transcript, Recall, Pin,
		SystemConversation, AccountSnapshot, SafeSnapshot, Raw:
		return p, nil
	}
	return nil, invalid("Payload", "must be one of the payload types of package blaze, not a type that embeds one")
}

// payloadAttachment returns the attachment of a payload value that has one.
func payloadAttachment(p Payload) (Attachment, bool) {
	switch p := p.(type) {
	case Image:
		return p.Attachment, true
	case Data:
		return p.Attachment, true
	case Audio:
		return p.Attachment, true
	case Video:
		return p.Attachment, true
	}
	return Attachment{}, false
}

// inboundOnly reports whether a payload value is one that only the service may send.
func inboundOnly(p Payload) bool {
	switch p.(type) {
	case SystemConversation, AccountSnapshot, SafeSnapshot:
		return true
	}
	return false
}

// Text is a message of plain text, UTF-8; @ and an identity number mention a user. What arrives is kept byte for byte. To be
// sent it must not be empty.
type Text string

// Textf is [fmt.Sprintf] for a Text.
func Textf(format string, args ...any) Text { return Text(fmt.Sprintf(format, args...)) }

// Category returns [CategoryPlainText].
func (Text) Category() Category { return CategoryPlainText }

func (t Text) data() ([]byte, error) {
	if t == "" {
		return nil, invalid("Text", "must not be empty")
	}
	return []byte(t), nil
}

// Post is an article in Markdown, UTF-8. To be sent it must not be empty.
type Post string

// Category returns [CategoryPlainPost].
func (Post) Category() Category { return CategoryPlainPost }

func (p Post) data() ([]byte, error) {
	if p == "" {
		return nil, invalid("Post", "must not be empty")
	}
	return []byte(p), nil
}

// Raw is a message whose data is not looked into: one of a category that this package has no type for, one whose data does
// not fit its category, one that cannot be opened. To send one is to send Data as it is, as a message of category As, with
// nothing checked; Err is not sent.
type Raw struct {
	As   Category // must not be empty to be sent
	Data []byte   // after base64
	Err  error    // why it was not decoded; nil where the category is not known. It never quotes Data
}

// Category returns As.
func (r Raw) Category() Category { return r.As }

func (r Raw) data() ([]byte, error) {
	if r.As == "" {
		return nil, invalid("Raw.As", "missing")
	}
	return r.Data, nil
}
