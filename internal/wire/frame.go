// Package wire is the format of the Blaze websocket: one binary message is one frame, and a frame is the gzip of a JSON
// object. It turns bytes into frames and back and knows no connection.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The limits of what is read. The service's largest message is 128 KB of data, so all of them are far from any honest frame.
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

// Frame is one frame of either direction. Requests have params; replies and pushes have data or an error. Params and Data
// stay undecoded, because their shape depends on the action: a reply's params may be a plain string, and data may be an
// object, an array, null or absent.
type Frame struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// Error is a refusal as the wire has it.
type Error struct {
	Status      int             `json:"status"`
	Code        int             `json:"code"`
	Description string          `json:"description"`
	Extra       json.RawMessage `json:"extra,omitempty"`
}

// errNoFrame is the error of valid JSON that says nothing: null, {} and the like.
var errNoFrame = errors.New("wire: a frame without id and action")

// Parse reads the JSON of one frame. The frame does not refer to p afterwards. Errors hold no part of p.
func Parse(p []byte) (*Frame, error) {
	f := new(Frame)
	if err := json.Unmarshal(p, f); err != nil {
		return nil, describe(err)
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
