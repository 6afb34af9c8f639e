package serve

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// The limits of the specification.
const (
	MaxBatch = 100       // messages or acknowledgements in one request
	MaxBytes = 128 << 10 // of one message's data, and of the JSON of a request with several messages
)

// Message is a message as a client writes it, with its data after base64. Its ids are lowercase.
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

// ReadMessage checks the params of CREATE_MESSAGE.
func ReadMessage(params json.RawMessage) (Message, *Refusal) {
	var m Message
	if json.Unmarshal(params, &m) != nil {
		return m, Invalid("params", "not those of a message")
	}
	if m.Status != "" && m.Status != "SENT" && m.Status != "SENDING" {
		return m, Invalid("params.status", "neither SENT nor SENDING")
	}
	return m, m.check("params")
}

// ReadBatch checks the params of CREATE_PLAIN_MESSAGES, of a frame with so many bytes of JSON.
func ReadBatch(params json.RawMessage, size int) ([]Message, *Refusal) {
	var b struct {
		Messages json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(params, &b) != nil {
		return nil, Invalid("params", "not those of a batch")
	}
	all, refused := ReadMessages("params.messages", b.Messages, size)
	if refused != nil {
		return nil, refused
	}
	for i := range all {
		m, path := &all[i], index("params.messages", i)
		if !strings.HasPrefix(m.Category, "PLAIN_") {
			return nil, Invalid(path+".category", "not a plain category")
		}
		if m.RecipientID == "" {
			return nil, Invalid(path+".recipient_id", "missing")
		}
		if m.QuoteMessageID != "" && m.Category != "PLAIN_TEXT" && m.Category != "PLAIN_POST" {
			return nil, Invalid(path+".quote_message_id", "only texts and posts quote in this action")
		}
	}
	return all, nil
}

// ReadMessages checks a list of messages in a request of size bytes.
func ReadMessages(path string, list json.RawMessage, size int) ([]Message, *Refusal) {
	var all []Message
	switch {
	case json.Unmarshal(list, &all) != nil:
		return nil, Invalid(path, "not a list of messages")
	case len(all) == 0 || len(all) > MaxBatch:
		return nil, Invalid(path, "%d messages: a request has 1 to %d", len(all), MaxBatch)
	case size > MaxBytes:
		return nil, Invalid(path, "a request of %d bytes: at most %d", size, MaxBytes)
	}
	for i := range all {
		if refused := all[i].check(index(path, i)); refused != nil {
			return nil, refused
		}
	}
	return all, nil
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// check checks a message and completes it.
func (m *Message) check(path string) *Refusal {
	if refused := m.checkIDs(path); refused != nil {
		return refused
	}
	if m.Category == "" || strings.Trim(m.Category, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return Invalid(path+".category", "not a category")
	}
	if m.QuoteMessageID != "" && (m.Category == "MESSAGE_RECALL" || m.Category == "MESSAGE_PIN") {
		return Invalid(path+".quote_message_id", "it shows nothing that could quote")
	}
	if m.ExpireIn < 0 {
		return Invalid(path+".expire_in", "negative")
	}
	return m.readData(path)
}

// readData reads the data in the one field or the other. The apps write data, in the standard alphabet; the Go, Node
// and Ruby SDKs write data_base64, in that of URLs. Like the service, it takes either alphabet in either field, with
// padding or without, on one line or on several.
func (m *Message) readData(path string) *Refusal {
	text, field := m.Base64, ".data_base64"
	if text == "" {
		text, field = m.Text, ".data"
	}
	data, err := wire.AppendBase64(nil, []byte(text))
	if err != nil {
		return Invalid(path+field, "not base64")
	}
	if len(data) > MaxBytes {
		return Invalid(path+field, "%d bytes: at most %d", len(data), MaxBytes)
	}
	m.Data, m.Text, m.Base64 = data, "", ""
	return nil
}

func (m *Message) checkIDs(path string) *Refusal {
	if m.MessageID != strings.ToLower(m.MessageID) {
		return Invalid(path+".message_id", "has capital letters")
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
			return Invalid(path+"."+f.name, "not a UUID")
		}
	}
	for i := range m.Mentions {
		if !toID(&m.Mentions[i]) {
			return Invalid(index(path+".mentions", i), "not a UUID")
		}
	}
	return nil
}

// toID makes the letters of a UUID small, as the service does. False means that it is none.
func toID(s *string) bool {
	*s = strings.ToLower(*s)
	return IsUUID(*s)
}

// Ack is an acknowledgement as a client writes it.
type Ack struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

// ReadAck checks the params of ACKNOWLEDGE_MESSAGE_RECEIPT.
func ReadAck(params json.RawMessage) (Ack, *Refusal) {
	var a Ack
	if json.Unmarshal(params, &a) != nil {
		return a, Invalid("params", "not those of an acknowledgement")
	}
	return a, a.check("params")
}

// ReadAcks checks the params of ACKNOWLEDGE_MESSAGE_RECEIPTS.
func ReadAcks(params json.RawMessage) ([]Ack, *Refusal) {
	var b struct {
		Messages json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(params, &b) != nil {
		return nil, Invalid("params", "not those of acknowledgements")
	}
	return ReadAckList("params.messages", b.Messages)
}

// ReadAckList checks a list of acknowledgements.
func ReadAckList(path string, list json.RawMessage) ([]Ack, *Refusal) {
	var all []Ack
	if json.Unmarshal(list, &all) != nil {
		return nil, Invalid(path, "not a list of acknowledgements")
	}
	if len(all) == 0 || len(all) > MaxBatch {
		return nil, Invalid(path, "%d acknowledgements: a request has 1 to %d", len(all), MaxBatch)
	}
	for i := range all {
		if refused := all[i].check(index(path, i)); refused != nil {
			return nil, refused
		}
	}
	return all, nil
}

func (a *Ack) check(path string) *Refusal {
	if !toID(&a.MessageID) {
		return Invalid(path+".message_id", "not a UUID")
	}
	if a.Status != "DELIVERED" && a.Status != "READ" {
		return Invalid(path+".status", "neither DELIVERED nor READ")
	}
	return nil
}
