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

// Received is a frame of the service as a client reads it.
type Received struct {
	ID     FrameID
	Action string
	Error  *Error
	Data   bool  // there is data, other than null and an empty object or array
	Fault  error // why Message is empty although there is data

	Message   Message
	Status    string    // of a receipt
	UpdatedAt time.Time // of a receipt
}

// FrameID is the id of a frame, which says what it answers. It is kept in place: pushed frames have one too, of no use
// to anybody. One of more than MaxID bytes, which nobody waits for, is none.
type FrameID struct {
	text [MaxID]byte
	size uint8
}

// FrameIDOf returns the id that a frame says.
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

// Message is the data of a pushed frame. Its ids share one block of memory: who keeps one of them for long copies
// it, to keep no more than that.
type Message struct {
	ConversationID   string
	UserID           string
	SessionID        string
	MessageID        string
	QuoteMessageID   string
	RepresentativeID string
	Category         string
	Data             string // after base64, or what it was before, where NotBase64 is set
	CreatedAt        time.Time
	ExpireIn         int64 // seconds
	NotBase64        bool
	Pending          bool // pushed from what was pending
	Silent           bool
}

// Decoder reads one frame after the other. It belongs to one goroutine. The zero value is ready.
type Decoder struct {
	s    scanner
	data []byte // after base64
}

// Decode reads the JSON of one frame into r. Nothing in r refers to p afterwards. Errors quote at most the id of the
// message.
func (d *Decoder) Decode(p []byte, r *Received) error {
	*r = Received{}
	defer func() { d.s = scanner{} }() // which else holds on to p
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

// hollow reports whether JSON is an empty object or array, which some replies have for data.
func hollow(data []byte) bool {
	n := len(data)
	return n >= 2 && (data[0] == '{' || data[0] == '[') && len(bytes.TrimSpace(data[1:n-1])) == 0
}

// errNoData is why the data of a push cannot be read where it is no object.
var errNoData = errors.New("wire: a push without data")

// fill makes a Received of what was read.
func (d *Decoder) fill(r *Received) {
	s := &d.s
	for _, span := range []int{spanSessionID, spanQuoteMessageID} {
		//mutant:long-accompanying
		if len(s.spans[span]) > MaxID {
			s.spans[span] = nil // no id, and nothing that a message is to be lost for
		}
	}
	// What is longer than any id has memory of its own: it would else stay as long as an id does.
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

// maxSeconds is the longest time that a time.Duration can hold.
const maxSeconds = int64(math.MaxInt64 / time.Second)

// moment reads a time. What cannot be read is the zero time: no message is worth losing for its date.
func moment(span []byte) time.Time {
	if len(span) == 0 {
		return time.Time{}
	}
	t, _ := lenient.Time(string(span))
	return t
}

// common returns a string of the protocol without copying it.
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

// decodeData takes data_base64 if it is there: the service sends the same bytes as data_base64 (raw URL alphabet) and
// data (standard alphabet), older servers send data only.
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
	if d.data = data; cap(data) > keep {
		d.data = nil
	}
}

// read is scan for frames that the scanner does not know.
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

// view is the data of a pushed frame, a message or the receipt of one, as it is written. Without its ids, its category
// and its data it is of no use; the other fields only accompany it.
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

// timestamp is the text of a time. What is none changes nothing.
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
