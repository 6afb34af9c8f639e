package blaze

import (
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

// EncodePayload validates p and returns the bytes that go base64-encoded into the field `data` of a frame: compact JSON
// with the field order of the service's samples, or the text itself. Every error is an [InvalidError]. Payloads that
// only the service sends can be encoded too, which tests need; Client.Send refuses them. Of a Raw it returns Data
// itself, no copy.
func EncodePayload(p Payload) ([]byte, error) {
	_, data, err := encodePayload(p)
	return data, err
}

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
	case Text, Post, Image, Data, Sticker, Contact, ButtonGroup, Card, Audio, Video, Live, Location, Transcript, Recall,
		Pin, SystemConversation, AccountSnapshot, SafeSnapshot, Raw:
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
