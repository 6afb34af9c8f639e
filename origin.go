package blaze

import (
	"reflect"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze/internal/lenient"
)

// origin is the part of an Outgoing that the caller does not set: facts about the message that it answers. It is
// immutable and shared by copies of the Outgoing.
type origin struct {
	encrypted bool // the message was encrypted
	// The ConversationID and RecipientID of an answer that is encrypted by default. An unencrypted answer in the group
	// of an encrypted message has its ConversationID here, and all others have neither. If the caller changes these in
	// the Outgoing, the defaults no longer apply.
	conversation, recipient string

	passed bool   // the payload is unchanged from the message
	data   string // with passed: the data of the message
}

// arrivedAs reports whether value is the result of decoding data, and may be passed on.
func arrivedAs(value Payload, data []byte) bool {
	switch v := value.(type) {
	case Raw: // its data is sent unchanged in any case
		return false
	case Text:
		return string(v) == string(data)
	case Post:
		return string(v) == string(data)
	}
	return !inboundOnly(value) && reflect.DeepEqual(DecodePayload(value.Category(), data), value)
}

// sealable reports whether a payload has an encrypted form.
func sealable(value Payload) bool {
	return value != nil && strings.HasPrefix(string(value.Category()), plainPrefix)
}

// hasKey reports whether a payload contains the key of an encrypted file.
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
		//mutant:raw-key
		return sealable(v) && v.As != CategoryPlainText && v.As != CategoryPlainPost && namesKey(v.Data)
	}
	return false
}

// namesKey reports whether data is a JSON object with a key or a digest, or a list with such an object.
func namesKey(data []byte) bool {
	if lenient.Check(data) != nil {
		return false
	}
	for element := range lenient.Elements(data) {
		if objectNamesKey(element) {
			return true
		}
	}
	return objectNamesKey(data)
}

func objectNamesKey(raw []byte) bool {
	for name, value := range lenient.Members(raw) {
		if text, _ := lenient.Text(slices.Concat([]byte(`"`), name, []byte(`"`))); !slices.Contains(keyNames, text) {
			continue
		}
		if v := string(value); v != "null" && v != `""` {
			return true
		}
	}
	return false
}

var keyNames = []string{"key", "digest", "media_key", "media_digest"}

// defaultError is an [InvalidError] for an answer with an encrypted file that must be sent unencrypted. It depends
// on the message answered and not only on the handler, so the handler is retried and the message is not dropped.
type defaultError struct{ invalid error }

// Error returns the text of the InvalidError.
func (e *defaultError) Error() string { return e.invalid.Error() }

// Unwrap returns the InvalidError.
func (e *defaultError) Unwrap() error { return e.invalid }
