package blaze

import (
	"errors"
	"fmt"
)

// decoders is the one table that says how each category is read. A category that is not in it is delivered as Raw. It
// is never written to.
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

// DecodePayload returns what data says in a message of category c. It never fails: a category without a type of its own
// gives a [Raw], and so does data that does not fit its category, with Err saying why. Fields that are not known are
// ignored; limits that are checked before sending are not checked here. A Raw keeps data itself, no copy; all else is
// copied.
//
// Data beyond what apps make does not fit: more than 18 buttons, 300 pinned messages or 300 messages of a
// transcript, 64 fields in one object, 64 objects and arrays within each other. Decoding allocates at most 8 times the
// size of data and 4 KiB.
func DecodePayload(c Category, data []byte) Payload { return decodePayload(c, "", data) }

// textOf returns data as text; text is the same, or "".
func textOf(text string, data []byte) string {
	if text == "" {
		return string(data)
	}
	return text
}

// decodePayload is DecodePayload of data that may be there as text, too; else text is "".
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
