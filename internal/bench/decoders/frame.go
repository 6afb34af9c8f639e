// Package decoders compares the JSON decoder of this library with the fastest ones for Go. It is a separate module, so
// that users of the library do not download them.
package decoders

// Frame is a frame of the service with the fields that a client needs. It has no data, because data_base64 is the same.
//
//go:generate go tool easyjson frame.go
//easyjson:json
type Frame struct {
	ID     string  `json:"id"`
	Action string  `json:"action"`
	Data   Message `json:"data"`
	Error  *Error  `json:"error"`
}

// Message is the data of a pushed frame.
type Message struct {
	ConversationID   string `json:"conversation_id"`
	UserID           string `json:"user_id"`
	SessionID        string `json:"session_id"`
	MessageID        string `json:"message_id"`
	Category         string `json:"category"`
	DataBase64       string `json:"data_base64"`
	Status           string `json:"status"`
	Source           string `json:"source"`
	QuoteMessageID   string `json:"quote_message_id"`
	RepresentativeID string `json:"representative_id"`
	Silent           bool   `json:"silent"`
	ExpireIn         int64  `json:"expire_in"`
	CreatedAt        string `json:"created_at"`
	UpdatedAt        string `json:"updated_at"`
}

// Error is an error of the service.
type Error struct {
	Status      int    `json:"status"`
	Code        int    `json:"code"`
	Description string `json:"description"`
}
