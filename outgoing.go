package blaze

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Outgoing is a message to be sent: a plain value, tied to no Client. Printed, logged or written as JSON it shows its
// ids and its category, never what it says (in an unexported field of another struct, package fmt prints it whole).
// Compare with [reflect.DeepEqual]. An answer to an encrypted message, or one that passes on what arrived, also has
// an unexported field, so it differs from one made by hand.
type Outgoing struct {
	ConversationID string
	Payload        Payload // at most 128 KB of data
	MessageID      string  // idempotency key, a UUID; "" means a new random one
	// set by NewReply, NewQuote and ToUser in contact conversations; needed when Encrypted
	RecipientID      string
	QuoteID          string        // the message quoted; not with Recall and Pin
	RepresentativeID string        // on whose behalf the bot writes; contact conversations only
	Mentions         []string      // user ids, with their @identity_number in the text; groups only
	ExpireIn         time.Duration // after reading, in whole seconds; 0: never
	Silent           bool          // the recipient's client does not notify

	// Encrypted seals the message for the sessions of RecipientID. PLAIN_ payloads only, no ExpireIn, no Mentions. The
	// service cannot read it, but sees who writes to whom, when, the category and the size. It also tells which
	// sessions the recipient has, and their public keys.
	//
	// An answer that is Encrypted because the message answered was (see [Message.NewReply]) goes out in plain text,
	// with the same MessageID, where it cannot be sealed: the recipient has no session that can open it, the session of
	// the bot has an RSA key, or the author has set ExpireIn, Mentions, a payload that is too large to be sealed, or
	// one with a file that was uploaded in plain text. The Client logs that once for each of the last 4,096 users. To
	// have an error instead, copy the exported fields into an Outgoing of your own: what its author encrypts is never
	// sent in plain text.
	Encrypted bool

	origin *origin // of an answer; nil: nothing to keep
}

// To returns a message to a conversation. It takes a conversation's id, not a user's: for a user, Client.ToUser.
func To(conversationID string, p Payload) Outgoing {
	return Outgoing{ConversationID: conversationID, Payload: p}
}

func (out Outgoing) category() Category {
	p, err := payloadValue(out.Payload)
	if err != nil {
		return ""
	}
	return p.Category()
}

// String shows the message without its body.
func (out Outgoing) String() string {
	return fmt.Sprintf("Outgoing{%s %s to %s}",
		clip(string(out.category())), clip(out.MessageID), clip(out.ConversationID))
}

// Format writes String, whatever the verb.
func (out Outgoing) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(out.String())) }

// LogValue is what log/slog shows: ids and category.
func (out Outgoing) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", clip(out.MessageID)),
		slog.String("category", clip(string(out.category()))),
		slog.String("conversation", clip(out.ConversationID)))
}

// MarshalJSON writes ids and category, and nothing to send the message from: for that, keep what EncodePayload returns.
func (out Outgoing) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": out.MessageID, "category": out.category(), "conversation_id": out.ConversationID,
	})
}

// Sent says what was stored.
type Sent struct{ MessageID, ConversationID string }
