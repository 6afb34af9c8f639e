package blaze

import (
	"errors"
	"fmt"
)

// decoders maps each category to its decoder. Other categories are delivered as Raw. The map is never written to.
var decoders = map[Category]decoder{
	CategoryPlainText:             func(s string, data []byte) (Payload, error) { return Text(textOf(s, data)), nil },
	CategoryPlainPost:             func(s string, data []byte) (Payload, error) { return Post(textOf(s, data)), nil },
	CategoryPlainImage:            object(readImage),
	CategoryPlainData:             object(readData),
	CategoryPlainSticker:          object(readSticker),
	CategoryPlainContact:          object(readContact),
	CategoryPlainAudio:            object(readAudio),
	CategoryPlainVideo:            object(readVideo),
	CategoryPlainLive:             object(readLive),
	CategoryPlainLocation:         object(readLocation),
	CategoryPlainTranscript:       decodeTranscript,
	CategoryAppButtonGroup:        decodeButtonGroup,
	CategoryAppCard:               object(readCard),
	CategoryMessageRecall:         object(readRecall),
	CategoryMessagePin:            object(readPin),
	CategorySystemConversation:    object(readSystemConversation),
	CategorySystemAccountSnapshot: object(readAccountSnapshot),
	CategorySystemSafeSnapshot:    object(readSafeSnapshot),
	CategorySystemSafeInscription: object(readSafeSnapshot),
}

// DecodePayload decodes data of a message of category c. It never fails: for a category without a payload type, or data
// that does not match the category, it returns a [Raw], in the latter case with Err set. Unknown fields are ignored.
// The limits for outgoing messages are not checked. A Raw refers to data itself; everything else is copied.
//
// Larger data than the apps make does not match: more than 18 buttons, 300 pinned messages, 300 messages in a
// transcript, 64 fields in an object, or 64 levels of nesting. Decoding allocates at most 8 times the size of data plus
// 4 KiB.
func DecodePayload(c Category, data []byte) Payload { return decodePayload(c, "", data) }

// textOf returns data as a string. text is the same as data, or "".
func textOf(text string, data []byte) string {
	if text == "" {
		return string(data)
	}
	return text
}

// decodePayload is DecodePayload. text is data as a string, or "" if there is no such string yet.
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
		err = fmt.Errorf("blaze: the data of a %s message does not match its category: %w", c, err)
		return Raw{As: c, Data: data, Err: err}
	}
	return p
}

var errSealed = errors.New("blaze: encrypted data; only a Client with the session's key can decrypt it")
