package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Message is the data of a pushed frame: a message, or the receipt of one.
type Message struct {
	ConversationID   string    `json:"conversation_id"`
	UserID           string    `json:"user_id"`
	SessionID        string    `json:"session_id"`
	MessageID        string    `json:"message_id"`
	Category         string    `json:"category"`
	Data             string    `json:"data"`
	DataBase64       string    `json:"data_base64"`
	Status           string    `json:"status"`
	Source           string    `json:"source"`
	QuoteMessageID   string    `json:"quote_message_id"`
	RepresentativeID string    `json:"representative_id"`
	Silent           bool      `json:"silent"`
	ExpireIn         Int       `json:"expire_in"`
	CreatedAt        Timestamp `json:"created_at"`
	UpdatedAt        Timestamp `json:"updated_at"`
}

// ParseMessage reads the data of a pushed frame. Errors hold no part of it.
func ParseMessage(data json.RawMessage) (*Message, error) {
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("wire: a push without data")
	}
	m := new(Message)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, describe(err)
	}
	return m, nil
}

// Encoded returns the base64 text of the message's data. The service sends the same bytes as data_base64 (raw URL
// alphabet) and data (standard alphabet); older servers send data only.
func (m *Message) Encoded() string {
	if m.DataBase64 != "" {
		return m.DataBase64
	}
	return m.Data
}

// DecodeBase64 reads the standard and the URL alphabet, padded or not, and skips line breaks: all of these are in use.
// The error holds no part of s.
func DecodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		s = strings.NewReplacer("\r", "", "\n", "").Replace(s)
	}
	body := strings.TrimRight(s, "=")
	enc := base64.RawStdEncoding
	if strings.ContainsAny(body, "-_") {
		enc = base64.RawURLEncoding
	}
	p, err := enc.DecodeString(body)
	if padding := len(s) - len(body); err != nil || padding > 2 || padding > 0 && len(s)%4 != 0 {
		return nil, errors.New("wire: invalid base64")
	}
	return p, nil
}

// Int is an integer that is also read when it is written as a string, as some clients do.
type Int int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *Int) UnmarshalJSON(p []byte) error {
	s := string(p)
	if s == "null" {
		return nil
	}
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errors.New("wire: not an integer")
	}
	*n = Int(v)
	return nil
}

// Timestamp is an RFC 3339 time. What cannot be read is the zero time: no message is worth losing for its date.
type Timestamp struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Timestamp) UnmarshalJSON(p []byte) error {
	if len(p) >= 2 && p[0] == '"' {
		if at, err := time.Parse(time.RFC3339Nano, string(p[1:len(p)-1])); err == nil {
			t.Time = at
		}
	}
	return nil
}
