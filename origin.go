package blaze

import (
	"bytes"
	"reflect"
	"strings"
)

// origin is the part of an Outgoing that its author does not set: facts about the message that it answers. It never
// changes, so copies of the Outgoing share it.
type origin struct {
	encrypted bool // the message was
	// The conversation that the answer was made for, where it is a group or the answer was encrypted for its recipient
	// by default. An author who changes one of them decides alone.
	conversation, recipient string

	passed bool   // the payload is the one that arrived,
	data   string // as this
}

// arrivedAs reports whether value is what data decodes to, and may be passed on.
func arrivedAs(value Payload, data []byte) bool {
	switch v := value.(type) {
	case Raw: // sends its data as it is anyhow
		return false
	case Text:
		return string(v) == string(data)
	case Post:
		return string(v) == string(data)
	}
	return !inboundOnly(value) && reflect.DeepEqual(DecodePayload(value.Category(), data), value)
}

// sealable reports whether a payload value has an encrypted form.
func sealable(value Payload) bool {
	return value != nil && strings.HasPrefix(string(value.Category()), plainPrefix)
}

// hasKey reports whether a payload value tells how to open an encrypted file.
func hasKey(value Payload) bool {
	if a, ok := payloadAttachment(value); ok {
		return len(a.Key) > 0 || len(a.Digest) > 0
	}
	switch v := value.(type) {
	case Transcript:
		for _, m := range v {
			if len(m.MediaKey) > 0 || len(m.MediaDigest) > 0 {
				return true
			}
		}
	case Raw:
		if !sealable(v) || v.As == CategoryPlainText || v.As == CategoryPlainPost {
			return false
		}
		return bytes.Contains(v.Data, []byte(`"key"`)) || bytes.Contains(v.Data, []byte(`"media_key"`))
	}
	return false
}

// defaultError is an [InvalidError] that the author of a message did not cause alone: the message is encrypted, or is
// not, because the message it answers was. A handler that returns it is tried again: a text would have been sent.
type defaultError struct{ invalid error }

// Error returns the text of the InvalidError.
func (e *defaultError) Error() string { return e.invalid.Error() }

// Unwrap returns the InvalidError.
func (e *defaultError) Unwrap() error { return e.invalid }
