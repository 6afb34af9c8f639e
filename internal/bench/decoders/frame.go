// Package decoders measures the JSON decoder of this library beside the fastest ones there are for Go. It is a module
// of its own, so that nobody who uses the library downloads them.
package decoders

// Frame is a frame of the service with what a client needs of it; data is left out, for data_base64 has the same.
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
