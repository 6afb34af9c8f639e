// Package wire implements the format of the Blaze websocket: one binary message is one frame, and a frame is the gzip
// of a JSON object. It encodes and decodes frames and does no I/O.
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

// Limits of received frames. The service's largest message has 128 KiB of data, so no correct frame comes near them.
const (
	MaxFrame    = 8 << 20  // size of a websocket message; a larger one is read to its end and discarded
	MaxSkipped  = 64 << 20 // size of a websocket message at which the link ends
	MaxInflated = 16 << 20 // size of the JSON after gunzip
	MaxID       = 64       // size of an id in bytes
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

// Frame is one frame of either direction. A request has params; a reply or a push has data or an error. Params and Data
// stay undecoded, because their type depends on the action: the params of a reply may be a string, and data may be an
// object, an array, null or absent.
type Frame struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// maxExtra is the maximum size of a rejection's details in bytes. Those of the service have less than 200.
const maxExtra = 4 << 10

// Error is a rejection in its wire form. A field that cannot be decoded is zero, because any error ends its request.
// The texts are sanitized when it is decoded: see package tame. Details of more than 4 KiB are omitted.
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
	v.Status, v.Code = lenient.Number(e.Status), lenient.Number(e.Code) // of duplicates, the last valid one counts
	v.Description, v.Extra = lenient.String(e.Description), e.Extra
	_ = json.Unmarshal(p, &v) // a value that is not an object changes nothing
	//mutant:tame-description
	description := tame.Text(string(v.Description))
	*e = Error{
		Status: clampInt32(v.Status), Code: clampInt32(v.Code), Description: description,
		Extra: tame.JSON(v.Extra, maxExtra),
	}
	return nil
}

func clampInt32(n lenient.Number) int { return int(min(max(n, math.MinInt32), math.MaxInt32)) }

// errNoFrame is the error of valid JSON without content: null, {} and the like.
var errNoFrame = errors.New("wire: a frame without id and action")

// Parse decodes the JSON of one frame. The frame does not refer to p afterwards. Errors contain at most the id of the
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

// describe returns an error with the position of invalid JSON and without its text.
func describe(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("wire: broken JSON at byte %d", syntax.Offset)
	}
	var shape *json.UnmarshalTypeError
	if errors.As(err, &shape) {
		return fmt.Errorf("wire: JSON field %q is not a %s", shape.Field, shape.Type)
	}
	return errors.New("wire: unexpected JSON")
}

// ofMessage adds the message id, if it can be read, to the error of an unusable frame.
func ofMessage(frame []byte, err error) error {
	var f struct {
		Data json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(frame, &f) // an id of the wrong type does not stop the decoding of data
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

// Marshal returns the JSON of v in the form used by this protocol: on one line, with <, > and & not escaped.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("wire: encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
