package serve

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Limits of the specification.
const (
	MaxBatch = 100       // messages or acknowledgements of one request
	MaxBytes = 128 << 10 // of the data of one message, and of the JSON of a request for several messages
)

// Message is a message in the form in which clients write it. Data is the decoded data. Ids are in lowercase.
type Message struct {
	ConversationID   string   `json:"conversation_id"`
	RecipientID      string   `json:"recipient_id"`
	MessageID        string   `json:"message_id"`
	Category         string   `json:"category"`
	Status           string   `json:"status"`
	Data             []byte   `json:"-"`
	QuoteMessageID   string   `json:"quote_message_id"`
	RepresentativeID string   `json:"representative_id"`
	Mentions         []string `json:"mentions"`
	Silent           bool     `json:"silent"`
	ExpireIn         int64    `json:"expire_in"` // seconds

	Text   string `json:"data"`
	Base64 string `json:"data_base64"`
}

// ReadMessage reads and validates the params of CREATE_MESSAGE.
func ReadMessage(params json.RawMessage) (Message, *Rejection) {
	var m Message
	if json.Unmarshal(params, &m) != nil {
		return m, Invalid("params", "must be the params of a message")
	}
	if m.Status != "" && m.Status != "SENT" && m.Status != "SENDING" {
		return m, Invalid("params.status", "must be SENT, SENDING or empty")
	}
	return m, m.check("params")
}

// ReadBatch reads and validates the params of CREATE_PLAIN_MESSAGES. size is the size of the frame's JSON in bytes.
func ReadBatch(params json.RawMessage, size int) ([]Message, *Rejection) {
	var b struct {
		Messages json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(params, &b) != nil {
		return nil, Invalid("params", "must be an object with messages")
	}
	all, rejection := ReadMessages("params.messages", b.Messages, size)
	if rejection != nil {
		return nil, rejection
	}
	for i := range all {
		m, path := &all[i], index("params.messages", i)
		if !strings.HasPrefix(m.Category, "PLAIN_") {
			return nil, Invalid(path+".category", "must be a PLAIN_ category")
		}
		if m.RecipientID == "" {
			return nil, Invalid(path+".recipient_id", "missing")
		}
		if m.QuoteMessageID != "" && m.Category != "PLAIN_TEXT" && m.Category != "PLAIN_POST" {
			return nil, Invalid(path+".quote_message_id",
				"only PLAIN_TEXT and PLAIN_POST can quote in CREATE_PLAIN_MESSAGES")
		}
	}
	return all, nil
}

// ReadMessages reads and validates a list of messages of a request of size bytes. path names the list in rejections.
func ReadMessages(path string, list json.RawMessage, size int) ([]Message, *Rejection) {
	var all []Message
	switch {
	case json.Unmarshal(list, &all) != nil:
		return nil, Invalid(path, "must be a list of messages")
	case len(all) == 0 || len(all) > MaxBatch:
		return nil, Invalid(path, "has %d messages; must have 1 to %d", len(all), MaxBatch)
	case size > MaxBytes:
		return nil, Invalid(path, "the request has %d bytes; at most %d are allowed", size, MaxBytes)
	}
	for i := range all {
		if rejection := all[i].check(index(path, i)); rejection != nil {
			return nil, rejection
		}
	}
	return all, nil
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// check validates a message and decodes its data.
func (m *Message) check(path string) *Rejection {
	if rejection := m.checkIDs(path); rejection != nil {
		return rejection
	}
	if m.Category == "" || strings.Trim(m.Category, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return Invalid(path+".category", "must consist of capital letters, digits and underscores")
	}
	if m.QuoteMessageID != "" && (m.Category == "MESSAGE_RECALL" || m.Category == "MESSAGE_PIN") {
		return Invalid(path+".quote_message_id", "a recall or a pin cannot quote")
	}
	if m.ExpireIn < 0 {
		return Invalid(path+".expire_in", "must not be negative")
	}
	return m.readData(path)
}

// readData decodes data_base64, or data if that is empty. The apps write data, in the standard alphabet; the Go, Node
// and Ruby SDKs write data_base64, in the URL alphabet. Like the service, it accepts both alphabets in both fields,
// with or without padding and line breaks.
func (m *Message) readData(path string) *Rejection {
	text, field := m.Base64, ".data_base64"
	if text == "" {
		text, field = m.Text, ".data"
	}
	data, err := wire.AppendBase64(nil, []byte(text))
	if err != nil {
		return Invalid(path+field, "must be base64")
	}
	if len(data) > MaxBytes {
		return Invalid(path+field, "has %d bytes; at most %d are allowed", len(data), MaxBytes)
	}
	m.Data, m.Text, m.Base64 = data, "", ""
	return nil
}

func (m *Message) checkIDs(path string) *Rejection {
	if m.MessageID != strings.ToLower(m.MessageID) {
		return Invalid(path+".message_id", "must be in lowercase")
	}
	for _, f := range []struct {
		name   string
		value  *string
		needed bool
	}{
		{"conversation_id", &m.ConversationID, true},
		{"message_id", &m.MessageID, true},
		{"recipient_id", &m.RecipientID, false},
		{"quote_message_id", &m.QuoteMessageID, false},
		{"representative_id", &m.RepresentativeID, false},
	} {
		if *f.value == "" && f.needed {
			return Invalid(path+"."+f.name, "missing")
		}
		if *f.value != "" && !toID(f.value) {
			return Invalid(path+"."+f.name, "must be a UUID")
		}
	}
	for i := range m.Mentions {
		if !toID(&m.Mentions[i]) {
			return Invalid(index(path+".mentions", i), "must be a UUID")
		}
	}
	return nil
}

// toID changes a UUID to lowercase, as the service does. It returns false if s is not a UUID.
func toID(s *string) bool {
	*s = strings.ToLower(*s)
	return IsUUID(*s)
}

// Ack is an acknowledgement in the form in which clients write it.
type Ack struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

// ReadAck reads and validates the params of ACKNOWLEDGE_MESSAGE_RECEIPT.
func ReadAck(params json.RawMessage) (Ack, *Rejection) {
	var a Ack
	if json.Unmarshal(params, &a) != nil {
		return a, Invalid("params", "must be the params of an acknowledgement")
	}
	return a, a.check("params")
}

// ReadAcks reads and validates the params of ACKNOWLEDGE_MESSAGE_RECEIPTS.
func ReadAcks(params json.RawMessage) ([]Ack, *Rejection) {
	var b struct {
		Messages json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(params, &b) != nil {
		return nil, Invalid("params", "must be an object with messages")
	}
	return ReadAckList("params.messages", b.Messages)
}

// ReadAckList reads and validates a list of acknowledgements. path names the list in rejections.
func ReadAckList(path string, list json.RawMessage) ([]Ack, *Rejection) {
	var all []Ack
	if json.Unmarshal(list, &all) != nil {
		return nil, Invalid(path, "must be a list of acknowledgements")
	}
	if len(all) == 0 || len(all) > MaxBatch {
		return nil, Invalid(path, "has %d acknowledgements; must have 1 to %d", len(all), MaxBatch)
	}
	for i := range all {
		if rejection := all[i].check(index(path, i)); rejection != nil {
			return nil, rejection
		}
	}
	return all, nil
}

func (a *Ack) check(path string) *Rejection {
	if !toID(&a.MessageID) {
		return Invalid(path+".message_id", "must be a UUID")
	}
	if a.Status != "DELIVERED" && a.Status != "READ" {
		return Invalid(path+".status", "must be DELIVERED or READ")
	}
	return nil
}
