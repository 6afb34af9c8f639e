package blazetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// maxLine is the maximum length of a recording's line in bytes. It is far above the largest frame.
const maxLine = 32 << 20

// line is one line of a recording: a frame, or bytes that are not a frame.
type line struct {
	At      string          `json:"at"`
	Dir     string          `json:"dir"`               // "in" is from the server to the client, "out" from the client
	Link    int             `json:"link,omitempty"`    // number of the connection, from 1; 0 is the first too
	Bot     string          `json:"bot,omitempty"`     // AppID of the bot
	Changed bool            `json:"changed,omitempty"` // message bodies in the frame were changed
	Frame   json.RawMessage `json:"frame,omitempty"`   // JSON of the frame
	Raw     []byte          `json:"raw,omitempty"`     // a binary message of the websocket; only with "in"

	number int         // of the line, from 1
	out    *wire.Frame // frame of an "out" line
	value  any         // decoded form of out, for comparison
	acks   []ack       // acknowledgements in an "out" line
	done   bool        // the frame of the "out" line was received
}

// ack is one acknowledgement.
type ack struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
}

// readRecording reads a whole recording. Errors contain the line number, and no part of the line.
func readRecording(r io.Reader) ([]*line, error) {
	if r == nil {
		return nil, errors.New("blazetest: the recording is a nil reader")
	}
	var lines []*line
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	n := 0
	for sc.Scan() {
		n++
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		l, err := readLine(sc.Bytes())
		if err != nil {
			return nil, fmt.Errorf("blazetest: line %d of the recording: %w", n, err)
		}
		l.number = n
		lines = append(lines, l)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("blazetest: line %d of the recording: %w", n+1, err)
	}
	return lines, nil
}

func readLine(p []byte) (*line, error) {
	l := new(line)
	dec := json.NewDecoder(bytes.NewReader(p))
	dec.DisallowUnknownFields()
	if dec.Decode(l) != nil {
		return nil, errors.New(`must be an object of "at", "dir", "link", "bot", "changed", and "frame" or "raw"`)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the object")
	}
	if _, err := time.Parse(time.RFC3339, l.At); err != nil {
		return nil, errors.New(`"at" must be an RFC 3339 time`)
	}
	switch {
	case l.Dir != "in" && l.Dir != "out":
		return nil, errors.New(`"dir" must be "in" or "out"`)
	case l.Link < 0:
		return nil, errors.New(`"link" must not be negative`)
	case l.Bot != "" && !serve.IsUUID(l.Bot):
		return nil, errors.New(`"bot" must be a UUID in lowercase`)
	case (l.Frame == nil) == (l.Raw == nil):
		return nil, errors.New(`must have one of "frame" and "raw"`)
	case l.Frame != nil && l.Frame[0] != '{':
		return nil, errors.New(`"frame" must be an object`)
	case l.Dir == "out":
		return l, l.readOut()
	}
	return l, nil
}

// link returns the number of the line's connection.
func (l *line) link() int { return max(l.Link, 1) }

// readOut parses the frame that the client is expected to write.
func (l *line) readOut() error {
	if l.Frame == nil {
		return errors.New(`"raw" needs "dir" "in"`)
	}
	var err error
	if l.out, err = wire.Parse(l.Frame); err != nil {
		return err
	}
	l.acks = acksOf(l.out)
	l.value, err = decode(l.Frame)
	return err
}

// acksOf returns the acknowledgements in a request, or nil for other requests.
func acksOf(f *wire.Frame) []ack {
	var one ack
	var many struct {
		Messages []ack `json:"messages"`
	}
	switch f.Action {
	case wire.ActionAck:
		if json.Unmarshal(f.Params, &one) == nil && one.MessageID != "" {
			return []ack{one}
		}
	case wire.ActionAcks:
		if json.Unmarshal(f.Params, &many) == nil {
			return many.Messages
		}
	}
	return nil
}

// decode decodes JSON for comparison. Numbers keep their text.
func decode(p []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(p))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}
