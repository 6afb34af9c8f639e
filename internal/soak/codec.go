package soak

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// This file is the server's own implementation of the protocol. It shares no code with the client, so that an error of
// the client is not repeated here. The exception is the layout of a pushed message, from internal/serve, which the
// client does not use.

// request is a frame of the client.
type request struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
}

// replyFrame is a frame of the server: a reply or a push.
type replyFrame struct {
	ID     string     `json:"id"`
	Action string     `json:"action"`
	Data   any        `json:"data,omitempty"`
	Error  *rejection `json:"error,omitempty"`
}

type rejection struct {
	Status      int    `json:"status"`
	Code        int    `json:"code"`
	Description string `json:"description"`
}

// sentMessage is a message sent by the bot, alone or in a batch.
type sentMessage struct {
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

// compressors and wrappers are shared by all connections. They are channels, because a sync.Pool drops objects at
// random under the race detector, and a compressor has about 1 MB. Wrappers write uncompressed gzip and are used for
// pushed messages: compression takes most of the time and is not tested here.
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

// inflater decodes frames. It is not safe for concurrent use.
type inflater struct{ zr gzip.Reader }

// read returns the request in a websocket message, and its JSON.
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
