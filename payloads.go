package blaze

import (
	"reflect"
)

// Payload is the content of a message: one of this package's payload types, one for each category. The set is closed,
// so that a type switch can be complete; [Raw] covers all other categories. Incoming payloads are values, never
// pointers. A non-nil pointer may be sent too.
type Payload interface {
	// Category returns the plain category of the payload. Outgoing.Encrypted selects its encrypted form.
	Category() Category
	// data validates the payload and returns its bytes before base64 encoding.
	data() ([]byte, error)
}

// EncodePayload validates p and returns the bytes that are base64-encoded in the field `data` of a frame: compact JSON
// in the field order of the service's samples, or the text itself. Every error is an [InvalidError]. Tests may also
// encode payloads that only the service sends; Client.Send rejects them. For a Raw it returns Data without copying.
func EncodePayload(p Payload) ([]byte, error) {
	_, data, err := encodePayload(p)
	return data, err
}

// encodePayload is like EncodePayload, and also returns the payload as a value.
func encodePayload(p Payload) (value Payload, data []byte, err error) {
	if value, err = payloadValue(p); err != nil {
		return nil, nil, err
	}
	if data, err = value.data(); err != nil {
		return nil, nil, err
	}
	return value, data, nil
}

// payloadValue dereferences a payload. It rejects nil, and a type of another package that embeds a payload type,
// because its own fields would be lost silently.
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

// payloadAttachment returns the attachment of a payload that has one.
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

// inboundOnly reports whether only the service may send a payload.
func inboundOnly(p Payload) bool {
	switch p.(type) {
	case SystemConversation, AccountSnapshot, SafeSnapshot:
		return true
	}
	return false
}
