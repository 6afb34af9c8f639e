package blaze_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// The actions of frames, and handshake, blazetest's name of a handshake.
const (
	actionList  = "LIST_PENDING_MESSAGES"
	actionSend  = "CREATE_MESSAGE"
	actionBatch = "CREATE_PLAIN_MESSAGES"
	actionAck   = "ACKNOWLEDGE_MESSAGE_RECEIPT"
	actionAcks  = "ACKNOWLEDGE_MESSAGE_RECEIPTS"
	handshake   = "GET /"
)

// frame is a frame that a client wrote.
type frame struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	Params struct {
		MessageID string `json:"message_id"`
		Status    string `json:"status"`
		Messages  []struct {
			MessageID string `json:"message_id"`
			Status    string `json:"status"`
		} `json:"messages"`
	} `json:"params"`

	text string // the whole JSON
}

func readFrame(text []byte) (frame, error) {
	f := frame{text: string(text)}
	err := json.Unmarshal(text, &f)
	return f, err
}

// ids returns the message ids in a frame.
func (f frame) ids() []string {
	if f.Params.MessageID != "" {
		return []string{f.Params.MessageID}
	}
	var ids []string
	for _, m := range f.Params.Messages {
		ids = append(ids, m.MessageID)
	}
	return ids
}

// messageID returns the only message id in a frame.
func (f frame) messageID(t *testing.T) string {
	t.Helper()
	require.Len(t, f.ids(), 1)
	return f.ids()[0]
}

// idsOf returns the message ids in frames.
func idsOf(fs []frame) (ids []string) {
	for _, f := range fs {
		ids = append(ids, f.ids()...)
	}
	return ids
}

// sizes returns the number of messages in each frame.
func sizes(fs []frame) (n []int) {
	for _, f := range fs {
		n = append(n, len(f.ids()))
	}
	return n
}

// frames records the frames that a client writes, in order. The zero value is ready.
type frames struct {
	mu sync.Mutex
	fs []frame
}

// tap makes fs record each frame that a client writes. It removes all other hooks.
func (fs *frames) tap(cfg *blaze.Config) { cfg.Trace = &blaze.Trace{FrameWritten: fs.add} }

func (fs *frames) add(text []byte) {
	f, err := readFrame(text)
	if err != nil {
		panic(err)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.fs = append(fs.fs, f)
}

func (fs *frames) all() []frame {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.fs)
}

// of returns the frames of an action.
func (fs *frames) of(action string) (out []frame) {
	for _, f := range fs.all() {
		if f.Action == action {
			out = append(out, f)
		}
	}
	return out
}

// actions returns the actions of the frames.
func (fs *frames) actions() (out []string) {
	for _, f := range fs.all() {
		out = append(out, f.Action)
	}
	return out
}

// message is the data of a pushed text. Its id is derived from the text.
func message(user, text string) map[string]any {
	return map[string]any{
		"type": "message", "representative_id": "", "quote_message_id": "",
		"user_id": userID(user), "session_id": userID("session"),
		"conversation_id": blaze.ConversationID(botID, userID(user)), "message_id": blaze.DeriveID(user, text),
		"category": "PLAIN_TEXT", "data": b64(text), "data_base64": base64.RawURLEncoding.EncodeToString([]byte(text)),
		"status": "SENT", "source": "CREATE_MESSAGE", "silent": false, "expire_in": 0,
		"created_at": "2023-04-28T10:01:32.387507Z", "updated_at": "2023-04-28T10:01:32.387507Z",
	}
}

// with returns a message with some fields replaced. A nil value deletes the field.
func with(v map[string]any, fields map[string]any) map[string]any {
	for k, x := range fields {
		if v[k] = x; x == nil {
			delete(v, k)
		}
	}
	return v
}

// pushOf returns the frame that pushes a message.
func pushOf(v map[string]any) string { return frameOf(actionSend, v) }

func frameOf(action string, data map[string]any) string {
	p, err := json.Marshal(map[string]any{
		"id": blaze.DeriveID("frame", fmt.Sprint(data)), "action": action, "data": data,
	})
	if err != nil {
		panic(err)
	}
	return string(p)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
