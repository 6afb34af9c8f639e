package blaze

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Outgoing is a message to send. It is a plain value and not tied to a Client. Printed, logged or encoded as JSON, it
// shows only ids and category. There are two exceptions: fmt prints all of an Outgoing in an unexported field of
// another struct, and with the verbs %w and %p, which go vet reports. Compare values with [reflect.DeepEqual]. An
// answer to an encrypted message, or one that passes on the incoming payload, also has an unexported field and differs
// from one constructed by hand.
type Outgoing struct {
	ConversationID string
	Payload        Payload // at most 128 KiB of data; encrypted, about 97,000 bytes
	MessageID      string  // idempotency key, a UUID; "" means a new random one
	// set by NewReply, NewQuote and ToUser in contact conversations; required with Encrypted
	RecipientID      string
	QuoteID          string        // the quoted message; not with Recall and Pin
	RepresentativeID string        // the user on whose behalf the bot writes; contact conversations only
	Mentions         []string      // user ids, with their @identity_number in the text; invalid outside groups
	ExpireIn         time.Duration // after reading, in whole seconds; 0: never
	Silent           bool          // the recipient's client does not notify

	// Encrypted encrypts the message for the sessions of RecipientID. It requires RecipientID and a PLAIN_ payload, and
	// excludes ExpireIn and Mentions. The service cannot read the message. It sees sender, recipient, time, category
	// and size, and supplies the recipient's sessions and public keys.
	//
	// An answer is encrypted by default if the message answered was (see [Message.NewReply]). If it cannot be
	// encrypted, it is sent unencrypted with the same MessageID. The reasons are that the recipient has no suitable
	// session, that the bot's session has an RSA key, that the caller has set ExpireIn, or that the payload is too
	// large or has an unencrypted file. The Client logs the first such answer to a user, for the last 4,096
	// users. To get an error instead, copy the exported fields to a new Outgoing: a message for which the caller sets
	// Encrypted is never sent unencrypted.
	Encrypted bool

	origin *origin // of an answer; nil: nothing to keep
}

// To returns a message to the conversation with the given id. For a user's id, use Client.ToUser.
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

// String returns a description without the body.
func (out Outgoing) String() string {
	return fmt.Sprintf("Outgoing{%s %s to %s}",
		clip(string(out.category())), clip(out.MessageID), clip(out.ConversationID))
}

// Format writes String for every verb.
func (out Outgoing) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(out.String())) }

// LogValue implements [slog.LogValuer]. It shows the ids and the category.
func (out Outgoing) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", clip(out.MessageID)),
		slog.String("category", clip(string(out.category()))),
		slog.String("conversation", clip(out.ConversationID)))
}

// MarshalJSON writes the ids and the category only. To store a message, store the result of EncodePayload.
func (out Outgoing) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": out.MessageID, "category": out.category(), "conversation_id": out.ConversationID,
	})
}

// Sent identifies a stored message.
type Sent struct{ MessageID, ConversationID string }
