package blazetest

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// secretFields are the names of fields whose values are never recorded.
var secretFields = map[string]bool{
	"key": true, "digest": true, "pin": true, "pin_base64": true, "pin_token": true, "token": true, "access_token": true, "authorization": true,
	"secret": true, "client_secret": true, "seed": true, "password": true, "private_key": true, "session_private_key": true, "session_key": true,
	"spend_key": true, "spend_private_key": true,
}

// Recorder returns a Trace that writes a recording of a session to w, one line for each frame, and then calls the same hook of
// next. next may be nil; its other hooks are passed on as they are. Use it as Config.Trace of one Client, for one
// connection: Replay plays one. It is safe for concurrent use. The first error of w ends the recording; the hooks of next
// are called all the same. Wrap w to hear of it.
//
// Secrets are removed. Tokens are no part of any frame. The values of fields named key, digest, pin, token, private_key and the
// like become "", wherever in the frame they are, and each session_id becomes a random UUID, the same one for the same
// session throughout the recording. What messages say, in the base64 of data and data_base64, is not looked into: record
// only what may be read. JSON that is no object cannot be cleaned; a broken frame without content takes its place.
func Recorder(w io.Writer, next *blaze.Trace) *blaze.Trace {
	var t blaze.Trace
	if next != nil {
		t = *next
	}
	r := &recorder{w: w, lock: make(chan struct{}, 1), sessions: newID()}
	read, written := t.FrameRead, t.FrameWritten
	t.FrameRead = func(frame []byte) {
		r.record("in", frame)
		if read != nil {
			read(frame)
		}
	}
	t.FrameWritten = func(frame []byte) {
		r.record("out", frame)
		if written != nil {
			written(frame)
		}
	}
	return &t
}

type recorder struct {
	w        io.Writer
	lock     chan struct{} // held while it is full. No mutex: w may block, and testing/synctest does not see through a mutex
	failed   bool
	sessions string // the namespace of this recording's session ids
}

func (r *recorder) record(dir string, frame []byte) {
	l := line{Dir: dir}
	if clean, ok := r.clean(frame); ok {
		l.Frame = clean
	} else {
		l.Raw = deflate([]byte("{"))
	}
	r.lock <- struct{}{}
	defer func() { <-r.lock }()
	if r.failed || dir == "out" && l.Frame == nil {
		return
	}
	l.At = time.Now().UTC().Format(time.RFC3339Nano)
	// It is made of strings and valid JSON.
	p, _ := wire.Marshal(&l)
	_, err := r.w.Write(append(p, '\n'))
	r.failed = err != nil
}

// clean returns a frame without its secrets. False means that the frame is no JSON object.
func (r *recorder) clean(frame []byte) (json.RawMessage, bool) {
	if !json.Valid(frame) || frame[0] != '{' {
		return nil, false
	}
	return rewrite(frame, "", func(name string, v json.RawMessage) json.RawMessage {
		name = strings.ToLower(name)
		if secretFields[name] {
			return json.RawMessage(`""`)
		}
		var id string
		if name != "session_id" || json.Unmarshal(v, &id) != nil || id == "" {
			return nil
		}
		// Two ids are never the same, and nobody can guess a random one from what is derived of it and a random namespace.
		quoted, _ := wire.Marshal(uuid.NewV5(uuid.FromStringOrNil(r.sessions), id).String())
		return quoted
	}), true
}
