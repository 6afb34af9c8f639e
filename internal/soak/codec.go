package soak

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// Everything here is the server's own reading of the protocol: it shares no code with the client, so that an error of
// the client is not repeated by who is to notice it. Only the layout of a pushed message is that of internal/serve,
// which no client uses.

// request is what the client sends.
type request struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
}

// reply is what the server answers; push is what it sends on its own.
type replyFrame struct {
	ID     string   `json:"id"`
	Action string   `json:"action"`
	Data   any      `json:"data,omitempty"`
	Error  *refusal `json:"error,omitempty"`
}

type refusal struct {
	Status      int    `json:"status"`
	Code        int    `json:"code"`
	Description string `json:"description"`
}

// letter is a message as it is sent, alone or in a batch.
type letter struct {
	ConversationID string `json:"conversation_id"`
	RecipientID    string `json:"recipient_id"`
	MessageID      string `json:"message_id"`
	Category       string `json:"category"`
	Data           []byte `json:"data"`
}

// ack is one acknowledgement.
type ack struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

// compressors and wrappers are shared by the connections. Channels keep them: a sync.Pool drops what it holds at random
// under the race detector, and a compressor is about a megabyte. Wrappers do not compress, which a peer cannot see;
// messages are pushed with them, for the soak is not about compression, and that takes most of its time.
var (
	compressors = make(chan *gzip.Writer, 4)
	wrappers    = make(chan *gzip.Writer, 4)
)

// compress appends the gzip of v's JSON to buf.
func compress(buf *bytes.Buffer, v any, spare chan *gzip.Writer) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("soak: encode: %w", err)
	}
	var zw *gzip.Writer
	select {
	case zw = <-spare:
	default:
		level := gzip.BestSpeed
		if spare == wrappers {
			level = gzip.NoCompression
		}
		zw, _ = gzip.NewWriterLevel(nil, level) // both levels exist
	}
	zw.Reset(buf)
	_, err = zw.Write(text)
	if end := zw.Close(); err == nil {
		err = end
	}
	select {
	case spare <- zw:
	default:
	}
	return err
}

// inflater reads frames; it belongs to one goroutine.
type inflater struct{ zr gzip.Reader }

// read returns the request inside a message, and its JSON.
func (z *inflater) read(p []byte) (r *request, text []byte, err error) {
	if err := z.zr.Reset(bytes.NewReader(p)); err != nil {
		return nil, nil, fmt.Errorf("soak: not gzip: %w", err)
	}
	text, err = io.ReadAll(io.LimitReader(&z.zr, 8<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("soak: damaged gzip: %w", err)
	}
	r = new(request)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, nil, fmt.Errorf("soak: not JSON: %w", err)
	}
	return r, text, nil
}
