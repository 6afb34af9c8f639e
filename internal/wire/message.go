package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/lenient"
)

// Received is a decoded frame of the service.
type Received struct {
	ID     FrameID
	Action string
	Error  *Error
	Data   bool  // there is data, other than null or an empty object or array
	Fault  error // why Message is empty despite the data

	Message   Message
	Status    string    // of a receipt
	UpdatedAt time.Time // of a receipt
}

// FrameID is the id of a frame, which identifies the request that it answers. The text is stored in place, to save an
// allocation for pushes, which have an unused id too. An id of more than MaxID bytes belongs to no request and is
// stored as empty.
type FrameID struct {
	text [MaxID]byte
	size uint8
}

// FrameIDOf returns the FrameID with a text.
func FrameIDOf(text []byte) (id FrameID) {
	if len(text) <= MaxID {
		id.size = uint8(copy(id.text[:], text)) //nolint:gosec // G115: at most MaxID
	}
	return id
}

// Bytes returns the id, valid as long as id is not changed.
func (id *FrameID) Bytes() []byte { return id.text[:id.size] }

// String returns the id.
func (id FrameID) String() string { return string(id.text[:id.size]) }

// Message is the data of a pushed frame. Its ids share one allocation, so a caller should copy an id that it stores for
// long.
type Message struct {
	ConversationID   string
	UserID           string
	SessionID        string
	MessageID        string
	QuoteMessageID   string
	RepresentativeID string
	Category         string
	Data             string // decoded from base64, or unchanged if NotBase64 is set
	CreatedAt        time.Time
	ExpireIn         int64 // seconds
	NotBase64        bool
	Pending          bool // it was pending before it was pushed
	Silent           bool
}

// Decoder decodes frames. It belongs to one goroutine. The zero value is ready for use.
type Decoder struct {
	s    scanner
	data []byte // buffer for decoded base64
}

// Decode decodes the JSON of one frame into r. r does not refer to p afterwards. Errors contain at most the id of the
// message.
func (d *Decoder) Decode(p []byte, r *Received) error {
	*r = Received{}
	defer func() { d.s = scanner{} }() // otherwise it would refer to p
	if !d.s.scan(p) {
		if err := d.read(p, r); err != nil {
			return err
		}
	}
	if len(d.s.spans[spanID])+len(d.s.spans[spanAction]) == 0 {
		return errNoFrame
	}
	if d.s.data && !d.s.object {
		r.Fault = errNoData
	}
	d.fill(r)
	return nil
}

// hollow reports whether JSON is an empty object or array, as in the data of some replies.
func hollow(data []byte) bool {
	n := len(data)
	return n >= 2 && (data[0] == '{' || data[0] == '[') && len(bytes.TrimSpace(data[1:n-1])) == 0
}

// errNoData is the fault of a push with data that is not an object.
var errNoData = errors.New("wire: a push without data")

// fill sets r from the values read.
func (d *Decoder) fill(r *Received) {
	s := &d.s
	for _, span := range []int{spanSessionID, spanQuoteMessageID} {
		//mutant:long-accompanying
		if len(s.spans[span]) > MaxID {
			s.spans[span] = nil // not an id, and no reason to lose the message
		}
	}
	// A text longer than an id gets its own memory, which would otherwise live as long as the ids.
	shared := func(span []byte) bool { return len(span) <= MaxID }
	size := 0
	for _, span := range s.spans[inBlock:] {
		if shared(span) {
			size += len(span)
		}
	}
	var b strings.Builder
	b.Grow(size)
	for _, span := range s.spans[inBlock:] {
		if shared(span) {
			_, _ = b.Write(span)
		}
	}
	rest := b.String()
	next := func(i int) (text string) {
		span := s.spans[i]
		if !shared(span) {
			return string(span)
		}
		text, rest = rest[:len(span)], rest[len(span):]
		return text
	}
	r.Data = s.data
	r.Action, r.Status = common(s.spans[spanAction]), common(s.spans[spanStatus])
	r.ID = FrameIDOf(s.spans[spanID])
	m := &r.Message
	// In the order of the spans.
	m.ConversationID, m.UserID, m.SessionID, m.MessageID =
		next(spanConversationID), next(spanUserID), next(spanSessionID), next(spanMessageID)
	m.QuoteMessageID, m.RepresentativeID = next(spanQuoteMessageID), next(spanRepresentativeID)
	m.Category = common(s.spans[spanCategory])
	m.Pending = string(s.spans[spanSource]) == ActionListPending
	m.ExpireIn, m.Silent = min(max(s.expireIn, 0), maxSeconds), s.silent
	m.CreatedAt = moment(s.spans[spanCreatedAt])
	if r.Action == ActionAck {
		r.UpdatedAt = moment(s.spans[spanUpdatedAt])
	}
	d.decodeData(m)
}

// maxSeconds is the longest time.Duration in seconds.
const maxSeconds = int64(math.MaxInt64 / time.Second)

// moment parses a time. An invalid time is the zero time, because the date is no reason to lose a message.
func moment(span []byte) time.Time {
	if len(span) == 0 {
		return time.Time{}
	}
	t, _ := lenient.Time(string(span))
	return t
}

// common returns a common string of the protocol without allocating.
func common(span []byte) string {
	switch string(span) {
	case "":
		return ""
	case ActionCreateMessage:
		return ActionCreateMessage
	case ActionAck:
		return ActionAck
	case ActionAcks:
		return ActionAcks
	case ActionCreatePlain:
		return ActionCreatePlain
	case "PLAIN_TEXT":
		return "PLAIN_TEXT"
	case "PLAIN_IMAGE":
		return "PLAIN_IMAGE"
	case "PLAIN_STICKER":
		return "PLAIN_STICKER"
	case "ENCRYPTED_TEXT":
		return "ENCRYPTED_TEXT"
	case "SENT":
		return "SENT"
	case "DELIVERED":
		return "DELIVERED"
	case "READ":
		return "READ"
	}
	return string(span)
}

// decodeData decodes data_base64 if it is present, otherwise data. The service sends the same bytes as data_base64 (URL
// alphabet, not padded) and data (standard alphabet); older servers send data only.
func (d *Decoder) decodeData(m *Message) {
	text := d.s.spans[spanDataBase64]
	if len(text) == 0 {
		text = d.s.spans[spanData]
	}
	data, err := AppendBase64(d.data[:0], text)
	if err != nil {
		m.Data, m.NotBase64 = string(text), true
		return
	}
	m.Data = string(data)
	if d.data = data; cap(data) > reusable {
		d.data = nil
	}
}

// read is like scan, for frames that the scanner does not support.
func (d *Decoder) read(p []byte, r *Received) error {
	f, err := Parse(p)
	if err != nil {
		return err
	}
	r.Error = f.Error
	d.s = scanner{data: len(f.Data) > 0 && string(f.Data) != "null" && !hollow(f.Data)}
	s := &d.s
	s.object = s.data && f.Data[0] == '{'
	var v view
	if s.object {
		if err := json.Unmarshal(f.Data, &v); err != nil {
			r.Fault, v = ofMessage(p, describe(err)), view{}
		}
	}
	for span, text := range [spanCount]string{
		spanID: f.ID, spanAction: f.Action,
		spanConversationID: v.ConversationID, spanUserID: v.UserID, spanSessionID: string(v.SessionID),
		spanMessageID: v.MessageID, spanCategory: v.Category, spanData: v.Data, spanDataBase64: v.DataBase64,
		spanStatus: string(v.Status), spanSource: string(v.Source),
		spanQuoteMessageID: string(v.QuoteMessageID), spanRepresentativeID: v.RepresentativeID,
		spanCreatedAt: string(v.CreatedAt), spanUpdatedAt: string(v.UpdatedAt),
	} {
		s.spans[span] = []byte(text)
	}
	s.silent, s.expireIn = bool(v.Silent), int64(v.ExpireIn)
	return nil
}

// view is the data of a pushed frame in its wire form: a message or a receipt. Ids, category and data are required, so
// their type must be correct; the other fields are optional.
type view struct {
	ConversationID   string         `json:"conversation_id"`
	UserID           string         `json:"user_id"`
	SessionID        lenient.String `json:"session_id"`
	MessageID        string         `json:"message_id"`
	Category         string         `json:"category"`
	Data             string         `json:"data"`
	DataBase64       string         `json:"data_base64"`
	Status           lenient.String `json:"status"`
	Source           lenient.String `json:"source"`
	QuoteMessageID   lenient.String `json:"quote_message_id"`
	RepresentativeID string         `json:"representative_id"`
	Silent           lenient.Flag   `json:"silent"`
	ExpireIn         lenient.Number `json:"expire_in"`
	CreatedAt        timestamp      `json:"created_at"`
	UpdatedAt        timestamp      `json:"updated_at"`
}

// timestamp is the text of a time. An invalid time changes nothing.
type timestamp string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *timestamp) UnmarshalJSON(p []byte) error {
	if len(p) >= 2 && p[0] == '"' {
		text := string(p[1 : len(p)-1])
		if _, ok := lenient.Time(text); ok {
			*t = timestamp(text)
		}
	}
	return nil
}
