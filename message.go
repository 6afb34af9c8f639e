package blaze

import (
	"time"
)

// Message is one message as it arrived. Each attempt to handle it gets a fresh value, which the handler may keep.
// String, Format, LogValue and JSON show its ids, its category and its size, never what it says.
type Message struct {
	ID               string
	ConversationID   string
	UserID           string // who wrote it, as the wire says
	SessionID        string // the session it was written on, or ""
	RepresentativeID string // on whose behalf UserID wrote it, or ""
	QuoteID          string // the message it quotes, or ""
	// Group is set when ConversationID is not the conversation between the bot and UserID. It is false for SYSTEM_* messages.
	Group     bool
	Category  Category
	Payload   Payload       // never nil, always a value, never a pointer; Raw for what could not be decoded
	Data      []byte        // the bytes Payload was decoded from
	Silent    bool          // the recipient's client does not notify
	ExpireIn  time.Duration // how long after reading it disappears; 0: never
	Backlog   bool          // it was stored while the bot was away
	Attempt   int           // of the handler, in this process: 1, 2, ...
	CreatedAt time.Time

	// LastAttempt is set when an error returned now drops the message.
	LastAttempt bool
}

// Outgoing is a message to be sent: a plain value, tied to no Client. It prints without its body; compare with
// [reflect.DeepEqual].
type Outgoing struct {
	ConversationID   string
	Payload          Payload
	MessageID        string        // idempotency key, a UUID; "" means a new random one
	RecipientID      string        // set by Reply, Quote and ToUser in contact conversations; needed when Encrypted
	QuoteID          string        // the message quoted; texts and posts only
	RepresentativeID string        // on whose behalf the bot writes; contact conversations only
	Mentions         []string      // user ids, with their @identity_number in the text; groups only
	ExpireIn         time.Duration // whole seconds; 0: never
	Silent           bool
	Encrypted        bool
}

// Sent says what was stored.
type Sent struct{ MessageID, ConversationID string }
