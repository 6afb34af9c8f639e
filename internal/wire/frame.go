// Package wire is the format of the Blaze websocket: one binary message is one frame, and a frame is the gzip of a JSON
// object. It turns bytes into frames and back and knows no connection.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/tame"
)

// The limits of what is read. The service's largest message is 128 KB of data, so all of them are far from any honest
// frame.
const (
	MaxFrame    = 8 << 20  // bytes of a websocket message; a larger one is read to its end and skipped
	MaxSkipped  = 64 << 20 // bytes of a websocket message that end the link
	MaxInflated = 16 << 20 // bytes of JSON after gunzip
	MaxID       = 64       // bytes of an id that is worth remembering
)

// Actions of the protocol.
const (
	ActionListPending   = "LIST_PENDING_MESSAGES"
	ActionCreateMessage = "CREATE_MESSAGE"
	ActionCreatePlain   = "CREATE_PLAIN_MESSAGES"
	ActionAck           = "ACKNOWLEDGE_MESSAGE_RECEIPT"
	ActionAcks          = "ACKNOWLEDGE_MESSAGE_RECEIPTS"
	ActionCreateCall    = "CREATE_CALL"
	ActionCreateKraken  = "CREATE_KRAKEN"
)

// Frame is one frame of either direction. Requests have params; replies and pushes have data or an error. Params and
// Data stay undecoded, because their shape depends on the action: a reply's params may be a plain string, and data may
// be an object, an array, null or absent.
type Frame struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// maxExtra is how many bytes of details a refusal may have; the service's have less than 200.
const maxExtra = 4 << 10

// Error is a refusal as the wire has it. What cannot be read of one is zero: a request is answered by any. Decoded, its
// texts are tame: see package tame. Details of more than 4 KiB are left out.
type Error struct {
	Status      int             `json:"status"`
	Code        int             `json:"code"`
	Description string          `json:"description"`
	Extra       json.RawMessage `json:"extra,omitempty"`
}

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil.
func (e *Error) UnmarshalJSON(p []byte) error {
	var v struct {
		Status      lenient.Number  `json:"status"`
		Code        lenient.Number  `json:"code"`
		Description lenient.String  `json:"description"`
		Extra       json.RawMessage `json:"extra"`
	}
	v.Status, v.Code = lenient.Number(e.Status), lenient.Number(e.Code) // of two, the last that can be read counts
	v.Description, v.Extra = lenient.String(e.Description), e.Extra
	_ = json.Unmarshal(p, &v) // what is no object says nothing
	//mutant:tame-description
	description := tame.Text(string(v.Description))
	*e = Error{
		Status: clampInt32(v.Status), Code: clampInt32(v.Code), Description: description,
		Extra: tame.JSON(v.Extra, maxExtra),
	}
	return nil
}

func clampInt32(n lenient.Number) int { return int(min(max(n, math.MinInt32), math.MaxInt32)) }

// errNoFrame is the error of valid JSON that says nothing: null, {} and the like.
var errNoFrame = errors.New("wire: a frame without id and action")

// Parse reads the JSON of one frame. The frame does not refer to p afterwards. Errors quote at most the id of the
// message.
func Parse(p []byte) (*Frame, error) {
	f := new(Frame)
	if err := json.Unmarshal(p, f); err != nil {
		return nil, ofMessage(p, describe(err))
	}
	if f.ID == "" && f.Action == "" {
		return nil, errNoFrame
	}
	return f, nil
}

// describe says where JSON is broken without repeating any of it.
func describe(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("wire: broken JSON at byte %d", syntax.Offset)
	}
	var shape *json.UnmarshalTypeError
	if errors.As(err, &shape) {
		return fmt.Errorf("wire: JSON field %q is not a %s", shape.Field, shape.Type)
	}
	return errors.New("wire: JSON of another shape")
}

// ofMessage adds to the error of a frame that cannot be used which message it was about, if that can be read.
func ofMessage(frame []byte, err error) error {
	var f struct {
		Data json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(frame, &f) // of a frame whose id is odd, the data is read all the same
	var m struct {
		MessageID lenient.String `json:"message_id"`
	}
	_ = json.Unmarshal(f.Data, &m)
	//mutant:unusable-id
	if m.MessageID == "" || len(m.MessageID) > MaxID {
		return err
	}
	return fmt.Errorf("message %s: %w", tame.Quote(string(m.MessageID)), err)
}

// Marshal returns the JSON of v as this protocol's peers write it: on one line, with <, > and & as they are.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("wire: encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
