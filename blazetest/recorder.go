package blazetest

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// RecorderOptions configure a recording. The zero value of every field is its default.
type RecorderOptions struct {
	// OmitBodies replaces the text in data and data_base64 with letters x, of equal length. Replay then pushes such
	// bodies, and accepts any body from the client.
	OmitBodies bool
	// AppID is the bot's id: Client.AppID, or the AppID of its keystore. It is recorded once, and is not a secret.
	// Replay needs it to play the recording to another bot. If it is empty or not a UUID, Replay derives the id from
	// replies to the bot's messages.
	AppID string
}

// Recorder is [RecorderWith] without options.
func Recorder(w io.Writer, next *blaze.Trace) *blaze.Trace {
	return RecorderWith(w, next, RecorderOptions{})
}

// RecorderWith returns a Trace that records a session to w, one line per frame, and then calls the hook of next. next
// may be nil; its other hooks are unchanged. Use the Trace as Config.Trace of one Client. It is safe for concurrent
// use. After the first error of w nothing more is recorded; the hooks of next are still called. Wrap w to receive the
// error.
//
// A line is a JSON object with these members; optional ones may be absent:
//
//   - "at": the time.
//   - "dir": "in" to the client, or "out" from it.
//   - "frame": the frame, or "raw": bytes that are not a frame.
//   - "link": the number of the connection, from 1; absent for the first. A connection starts when the client lists
//     pending messages with a new request. All connections of a send-only client count as one.
//   - "bot": the AppID, in the first line.
//   - "changed": true if message bodies were changed.
//
// Keys and tokens are never recorded. Frames contain no authorization tokens. Fields with names such as key, digest,
// pin, token and private_key become "", at any depth, and also in JSON inside data and data_base64. A session_id
// becomes a random UUID, the same throughout the recording; one that is an array or object becomes "". All other
// content of messages is recorded unless OmitBodies is set, and so are the ids of users, conversations and messages. A
// frame that is not a JSON object, or is nested more than 100 levels deep, is replaced by an invalid frame without
// content. Memory use is proportional to the frame.
func RecorderWith(w io.Writer, next *blaze.Trace, o RecorderOptions) *blaze.Trace {
	var t blaze.Trace
	if next != nil {
		t = *next
	}
	r := newRecorder(w, o)
	read, written := t.FrameRead, t.FrameWritten
	t.FrameRead = func(frame []byte) {
		r.record(EventIn, 0, frame)
		if read != nil {
			read(frame)
		}
	}
	t.FrameWritten = func(frame []byte) {
		r.record(EventOut, 0, frame)
		if written != nil {
			written(frame)
		}
	}
	return &t
}

// RecordTo records the frames between the Server and its clients from now on, in the format of [RecorderWith], with the
// bot's id. Connections are counted from the first with a recorded frame. The recording is complete when Close has
// returned. w is called on one goroutine. Several recordings may run at the same time. A nil w is misuse.
func (s *Server) RecordTo(w io.Writer) {
	if w == nil {
		s.misuse("RecordTo: the writer is nil")
		return
	}
	s.Watch(s.recorderOf(w, RecorderOptions{}))
}

// recorderOf returns a function for Watch that records to w. AppID is the Server's.
func (s *Server) recorderOf(w io.Writer, o RecorderOptions) func(Event) {
	o.AppID = s.session.AppID
	r := newRecorder(w, o)
	links := map[int]int{}
	return func(e Event) {
		if e.Kind != EventIn && e.Kind != EventOut {
			return
		}
		if links[e.Link] == 0 {
			links[e.Link] = len(links) + 1
		}
		r.record(e.Kind, links[e.Link], e.Frame)
	}
}

type recorder struct {
	o        RecorderOptions
	w        io.Writer
	lock     chan struct{} // a mutex that synctest recognizes as durably blocking, because w may block
	failed   bool
	sessions uuid.UUID // namespace of this recording's session ids
	begun    bool      // the first line was written
	link     int       // number of the connection, if the caller does not pass it
	listed   string    // id of the latest LIST_PENDING_MESSAGES
}

func newRecorder(w io.Writer, o RecorderOptions) *recorder {
	if o.AppID = strings.ToLower(o.AppID); !serve.IsUUID(o.AppID) {
		o.AppID = ""
	}
	return &recorder{
		o: o, w: w, lock: make(chan struct{}, 1), sessions: uuid.FromStringOrNil(serve.NewID()), link: 1,
	}
}

// record writes the line of a frame. If link is 0, the recorder counts the connections.
func (r *recorder) record(dir string, link int, frame []byte) {
	l := line{Dir: dir}
	clean, changed, ok := r.clean(frame)
	if ok {
		l.Frame, l.Changed = clean, changed
	} else {
		l.Raw = serve.Deflate([]byte("{"))
	}
	r.lock <- struct{}{}
	defer func() { <-r.lock }()
	if r.failed || dir == EventOut && l.Frame == nil {
		return
	}
	if link == 0 {
		link = r.count(dir, frame)
	}
	if link > 1 {
		l.Link = link
	}
	if !r.begun {
		l.Bot, r.begun = r.o.AppID, true
	}
	l.At = time.Now().UTC().Format(time.RFC3339Nano)
	// It consists of strings and valid JSON.
	p, _ := wire.Marshal(&l)
	_, err := r.w.Write(append(p, '\n'))
	r.failed = err != nil
}

// count returns the number of a frame's connection. A client lists pending messages once on each connection.
func (r *recorder) count(dir string, frame []byte) int {
	if dir != EventOut || !bytes.Contains(frame, []byte(wire.ActionListPending)) {
		return r.link
	}
	f, err := wire.Parse(frame)
	if err != nil || f.Action != wire.ActionListPending {
		return r.link
	}
	if r.listed != "" && r.listed != f.ID {
		r.link++
	}
	r.listed = f.ID
	return r.link
}
