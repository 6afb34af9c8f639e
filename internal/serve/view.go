package serve

import (
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// View is the data of a pushed message. It has every field that the service sends.
type View struct {
	Type             string `json:"type"`
	RepresentativeID string `json:"representative_id"`
	QuoteMessageID   string `json:"quote_message_id"`
	ConversationID   string `json:"conversation_id"`
	UserID           string `json:"user_id"`
	SessionID        string `json:"session_id"`
	MessageID        string `json:"message_id"`
	Category         string `json:"category"`
	Data             string `json:"data"`
	DataBase64       string `json:"data_base64"`
	Status           string `json:"status"`
	Source           string `json:"source"`
	Silent           bool   `json:"silent"`
	ExpireIn         int64  `json:"expire_in"`
	CreatedAt        string `json:"created_at"`
	UpdatedAt        string `json:"updated_at"`
}

// note is the data of receipts and of replies to CREATE_MESSAGE. Most of its fields are empty.
type note struct {
	Type             string `json:"type"`
	RepresentativeID string `json:"representative_id"`
	QuoteMessageID   string `json:"quote_message_id"`
	ConversationID   string `json:"conversation_id"`
	UserID           string `json:"user_id"`
	MessageID        string `json:"message_id"`
	Category         string `json:"category"`
	Data             string `json:"data"`
	Status           string `json:"status"`
	Source           string `json:"source"`
	CreatedAt        string `json:"created_at"`
	UpdatedAt        string `json:"updated_at"`
}

// Push is a frame that does not answer a request.
type Push struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	Data   any    `json:"data"`
}

// PushMessage returns the frame that pushes a message. pending is true if it answers LIST_PENDING_MESSAGES.
func PushMessage(v View, pending bool) *Push {
	v.Source = wire.ActionCreateMessage
	if pending {
		v.Source = wire.ActionListPending
	}
	return &Push{ID: NewID(), Action: wire.ActionCreateMessage, Data: &v}
}

// PushReceipt returns the frame that pushes the status of a message of the bot. As in a frame recorded in 2019, only
// message_id, status, source and updated_at have a meaningful value.
func PushReceipt(messageID, status string, at time.Time) *Push {
	return &Push{ID: NewID(), Action: wire.ActionAck, Data: &note{
		Type: "message", MessageID: messageID, Status: status, Source: wire.ActionAck,
		CreatedAt: Stamp(time.Time{}), UpdatedAt: Stamp(at),
	}}
}

// Stub returns the data of the reply to a successful CREATE_MESSAGE. It has the ids of the bot and the message, and
// neither category nor conversation, as in a frame recorded in 2019 and as the apps read it in 2026.
func Stub(userID, messageID string, at time.Time) any {
	return &note{
		Type: "message", UserID: userID, MessageID: messageID, Status: "SENT", Source: wire.ActionCreateMessage,
		CreatedAt: at.UTC().Format(time.RFC3339Nano), UpdatedAt: at.UTC().Format(time.RFC3339Nano),
	}
}

// Stamp formats a time as the service does, in microseconds.
func Stamp(at time.Time) string { return at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) }

// NewID returns a random UUID.
func NewID() string { return uuid.Must(uuid.NewV4()).String() }

// IsUUID reports whether s is a UUID in the form of the service: lowercase, with hyphens.
func IsUUID(s string) bool {
	id, err := uuid.FromString(s)
	return err == nil && id.String() == s
}
