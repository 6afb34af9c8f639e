package blazetest

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
)

// The limits of the specification.
const (
	maxBatch = 100       // messages or acknowledgements in one frame
	maxBytes = 128 << 10 // of one message's data, and of the JSON of one CREATE_PLAIN_MESSAGES
)

// message is a message as a client writes it.
type message struct {
	ConversationID   string   `json:"conversation_id"`
	RecipientID      string   `json:"recipient_id"`
	MessageID        string   `json:"message_id"`
	Category         string   `json:"category"`
	Status           string   `json:"status"`
	Data             string   `json:"data"`
	QuoteMessageID   string   `json:"quote_message_id"`
	RepresentativeID string   `json:"representative_id"`
	Mentions         []string `json:"mentions"`
	Silent           bool     `json:"silent"`
	ExpireIn         int64    `json:"expire_in"`
}

// readMessage checks the params of CREATE_MESSAGE.
func readMessage(params json.RawMessage) (blaze.Outgoing, *refusal) {
	var m message
	if json.Unmarshal(params, &m) != nil {
		return blaze.Outgoing{}, invalidField("params", "not those of a message")
	}
	if m.Status != string(blaze.StatusSent) {
		return blaze.Outgoing{}, invalidField("params.status", "not SENT")
	}
	return m.outgoing("params")
}

// readBatch checks the params of CREATE_PLAIN_MESSAGES. All messages are stored, or none.
func readBatch(params json.RawMessage, size int) ([]blaze.Outgoing, *refusal) {
	var b struct {
		Messages []message `json:"messages"`
	}
	switch {
	case json.Unmarshal(params, &b) != nil:
		return nil, invalidField("params", "not those of a batch")
	case len(b.Messages) == 0 || len(b.Messages) > maxBatch:
		return nil, invalidField("params.messages", "%d messages: a batch has 1 to %d", len(b.Messages), maxBatch)
	case size > maxBytes:
		return nil, invalidField("params", "a frame of %d bytes: a batch has at most %d", size, maxBytes)
	}
	outs := make([]blaze.Outgoing, len(b.Messages))
	for i := range b.Messages {
		m, path := &b.Messages[i], "params.messages["+strconv.Itoa(i)+"]"
		if !strings.HasPrefix(m.Category, "PLAIN_") {
			return nil, invalidField(path+".category", "not a plain category")
		}
		if m.RecipientID == "" {
			return nil, invalidField(path+".recipient_id", "missing")
		}
		if category := blaze.Category(m.Category); m.QuoteMessageID != "" &&
			category != blaze.CategoryPlainText && category != blaze.CategoryPlainPost {
			return nil, invalidField(path+".quote_message_id", "only texts and posts quote in this action")
		}
		out, refused := m.outgoing(path)
		if refused != nil {
			return nil, refused
		}
		outs[i] = out
	}
	return outs, nil
}

// outgoing checks a message and returns it as the client's user had it.
func (m *message) outgoing(path string) (blaze.Outgoing, *refusal) {
	if refused := m.checkIDs(path); refused != nil {
		return blaze.Outgoing{}, refused
	}
	category := blaze.Category(m.Category)
	if m.Category == "" || strings.Trim(m.Category, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return blaze.Outgoing{}, invalidField(path+".category", "not a category")
	}
	if m.QuoteMessageID != "" && (category == blaze.CategoryMessageRecall || category == blaze.CategoryMessagePin) {
		return blaze.Outgoing{}, invalidField(path+".quote_message_id", "it shows nothing that could quote")
	}
	if m.ExpireIn < 0 {
		return blaze.Outgoing{}, invalidField(path+".expire_in", "negative")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(m.Data)
	if err != nil || strings.ContainsAny(m.Data, "\r\n") {
		return blaze.Outgoing{}, invalidField(path+".data", "not base64 in the standard alphabet, padded, on one line")
	}
	if len(data) > maxBytes {
		return blaze.Outgoing{}, invalidField(path+".data", "%d bytes: at most %d", len(data), maxBytes)
	}
	out := blaze.Outgoing{
		ConversationID: m.ConversationID, Payload: blaze.DecodePayload(category, data), MessageID: m.MessageID,
		RecipientID: m.RecipientID, QuoteID: m.QuoteMessageID, RepresentativeID: m.RepresentativeID,
		ExpireIn: time.Duration(m.ExpireIn) * time.Second, Silent: m.Silent, Encrypted: category.Encrypted(),
	}
	if len(m.Mentions) > 0 {
		out.Mentions = m.Mentions
	}
	return out, nil
}

func (m *message) checkIDs(path string) *refusal {
	for _, f := range []struct {
		name, value string
		needed      bool
	}{
		{"conversation_id", m.ConversationID, true},
		{"message_id", m.MessageID, true},
		{"recipient_id", m.RecipientID, false},
		{"quote_message_id", m.QuoteMessageID, false},
		{"representative_id", m.RepresentativeID, false},
	} {
		if f.needed && f.value == "" {
			return invalidField(path+"."+f.name, "missing")
		}
		if f.value != "" && !isUUID(f.value) {
			return invalidField(path+"."+f.name, "not a lowercase UUID")
		}
	}
	for i, id := range m.Mentions {
		if !isUUID(id) {
			return invalidField(path+".mentions["+strconv.Itoa(i)+"]", "not a lowercase UUID")
		}
	}
	return nil
}

// readAck checks one acknowledgement, and returns the id that it acknowledges.
func readAck(path string, params json.RawMessage) (string, *refusal) {
	var a struct {
		MessageID string       `json:"message_id"`
		Status    blaze.Status `json:"status"`
	}
	switch {
	case json.Unmarshal(params, &a) != nil:
		return "", invalidField(path, "not those of an acknowledgement")
	case !isUUID(a.MessageID):
		return "", invalidField(path+".message_id", "not a lowercase UUID")
	case a.Status != blaze.StatusDelivered && a.Status != blaze.StatusRead:
		return "", invalidField(path+".status", "neither DELIVERED nor READ")
	}
	return a.MessageID, nil
}

// readAcks checks the params of ACKNOWLEDGE_MESSAGE_RECEIPTS.
func readAcks(params json.RawMessage) ([]string, *refusal) {
	var b struct {
		Messages []json.RawMessage `json:"messages"`
	}
	switch {
	case json.Unmarshal(params, &b) != nil:
		return nil, invalidField("params", "not those of acknowledgements")
	case len(b.Messages) == 0 || len(b.Messages) > maxBatch:
		return nil, invalidField("params.messages", "%d acknowledgements: a frame has 1 to %d",
			len(b.Messages), maxBatch)
	}
	ids := make([]string, len(b.Messages))
	for i, raw := range b.Messages {
		id, refused := readAck("params.messages["+strconv.Itoa(i)+"]", raw)
		if refused != nil {
			return nil, refused
		}
		ids[i] = id
	}
	return ids, nil
}

// isUUID reports whether s is a UUID as the service writes it: lowercase, with hyphens.
func isUUID(s string) bool {
	id, err := uuid.FromString(s)
	return err == nil && id.String() == s
}

// newID returns a random UUID.
func newID() string { return uuid.Must(uuid.NewV4()).String() }
