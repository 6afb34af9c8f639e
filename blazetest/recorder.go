package blazetest

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// secretFields are the names of fields whose values are never recorded.
var secretFields = map[string]bool{
	"key": true, "digest": true, "pin": true, "pin_base64": true, "pin_token": true, "token": true,
	"access_token": true, "authorization": true, "secret": true, "client_secret": true, "seed": true, "password": true,
	"private_key": true, "session_private_key": true, "session_key": true, "spend_key": true, "spend_private_key": true,
}

// Recorder returns a Trace that writes a recording of a session to w, one line for each frame, and then calls the same
// hook of next. next may be nil; its other hooks are passed on as they are. Use it as Config.Trace of one Client, for
// one connection: Replay plays one. It is safe for concurrent use. The first error of w ends the recording; the hooks
// of next are called all the same. Wrap w to see that error.
//
// Secrets are removed. Tokens are no part of any frame. The values of fields named key, digest, pin, token, private_key
// and the like become "", wherever in the frame they are, and each session_id becomes a random UUID, the same one for
// the same session throughout the recording. A session_id that is an array or an object becomes "". What messages say,
// in the base64 of data and data_base64, is not looked into: record only what may be read. JSON that is no object
// cannot be cleaned, and objects and arrays nested deeper than 100 are not: a broken frame without content takes the
// place of such a frame. Cleaning takes memory in proportion to the frame.
func Recorder(w io.Writer, next *blaze.Trace) *blaze.Trace {
	var t blaze.Trace
	if next != nil {
		t = *next
	}
	r := &recorder{w: w, lock: make(chan struct{}, 1), sessions: uuid.FromStringOrNil(serve.NewID())}
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
	lock     chan struct{} // full while held; no mutex, for w may block and synctest sees through none
	failed   bool
	sessions uuid.UUID // the namespace of this recording's session ids
}

func (r *recorder) record(dir string, frame []byte) {
	l := line{Dir: dir}
	if clean, ok := r.clean(frame); ok {
		l.Frame = clean
	} else {
		l.Raw = serve.Deflate([]byte("{"))
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

// clean returns a frame without its secrets. False means that the frame is no JSON object, or nested too deeply.
func (r *recorder) clean(frame []byte) (json.RawMessage, bool) {
	if !json.Valid(frame) || frame[0] != '{' {
		return nil, false
	}
	return rewrite(frame, mostRecorded, func(name, v []byte) []byte {
		name = folded(name)
		if secretFields[string(name)] {
			return emptyText
		}
		if string(name) != "session_id" || v != nil && v[0] != '"' {
			return nil
		}
		if v == nil { // a session has one id
			return emptyText
		}
		var id string
		if json.Unmarshal(v, &id) != nil || id == "" {
			return nil
		}
		return r.session(id)
	})
}

var emptyText = []byte(`""`)

// longestName is that of the names in secretFields, in JSON with each letter escaped.
const longestName = len(`""`) + len("session_private_key")*len(`\u0073`)

// folded returns a name in small letters, nil for one that is none of those that matter.
func folded(quoted []byte) []byte {
	if len(quoted) < 2 || len(quoted) > longestName {
		return nil
	}
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		// It is valid JSON.
		_ = json.Unmarshal(quoted, &s)
		name = []byte(s)
	}
	return bytes.ToLower(name)
}

// session returns the JSON of the id that replaces the id of a session. Different sessions get different ids. The
// namespace is random and not recorded, so the original id cannot be computed from the new one.
func (r *recorder) session(id string) []byte {
	made := uuid.NewV5(r.sessions, id).String()
	return []byte(`"` + made + `"`)
}
