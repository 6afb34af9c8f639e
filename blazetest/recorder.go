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
	// OmitBodies leaves out what messages say: in place of the text in data and data_base64 stands one of as many
	// letters x. Replay then sends these to the client, and takes whatever the client says in place of them.
	OmitBodies bool
	// AppID is the id of the bot, as Client.AppID or its keystore has it. With it, Replay plays the recording to any
	// other bot: it is written down once, and is no secret. Empty, or no UUID: Replay looks for it in the replies to
	// messages.
	AppID string
}

// Recorder is [RecorderWith] without options.
func Recorder(w io.Writer, next *blaze.Trace) *blaze.Trace {
	return RecorderWith(w, next, RecorderOptions{})
}

// RecorderWith returns a Trace that writes a recording of a session to w, one line for each frame, and then calls the
// same hook of next. next may be nil; its other hooks are passed on as they are. Use it as Config.Trace of one Client.
// It is safe for concurrent use. The first error of w ends the recording; the hooks of next are called all the same.
// Wrap w to see that error.
//
// A line is a JSON object of "at", the time; "dir", "in" to the client or "out" from it; "frame", or "raw" for bytes
// that are no frame; and where they are needed "link", which counts the connections from 1; "bot", the id of the bot;
// and "changed", if bodies are not as they were. A connection begins where the client asks for messages anew; those of
// a client that only sends count as one.
//
// Keys and tokens are never recorded. Tokens are no part of any frame. The values of fields named key, digest, pin,
// token, private_key and the like become "", wherever in the frame they are, and in the JSON of data and data_base64
// too; each session_id becomes a random UUID, the same one for the same session throughout the recording. A session_id
// that is an array or an object becomes "". What else messages say is recorded unless OmitBodies is set, and so are the
// ids of users, conversations and messages. JSON that is no object cannot be cleaned, and objects and arrays nested
// deeper than 100 are not: a broken frame without content takes the place of such a frame. Cleaning takes memory in
// proportion to the frame.
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

// RecordTo writes a recording of what passes between the Server and its clients from now on, as [Recorder] does, with
// the bot's id in it. Connections are counted from the first one that a frame passes on. The recording is complete when
// Close has returned; w is written to by one goroutine. Several recordings may be made at once. A nil w is misuse.
func (s *Server) RecordTo(w io.Writer) {
	if w == nil {
		s.misuse("RecordTo: the writer is nil")
		return
	}
	s.Watch(s.recorderOf(w, RecorderOptions{}))
}

// recorderOf returns the function for Watch that writes a recording with these options. AppID is the Server's.
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
	lock     chan struct{} // full while held; no mutex, for w may block and synctest sees through none
	failed   bool
	sessions uuid.UUID // the namespace of this recording's session ids
	begun    bool      // something is written
	link     int       // the connection, where it is not told
	listed   string    // the id of the last LIST_PENDING_MESSAGES
}

func newRecorder(w io.Writer, o RecorderOptions) *recorder {
	if o.AppID = strings.ToLower(o.AppID); !serve.IsUUID(o.AppID) {
		o.AppID = ""
	}
	return &recorder{
		o: o, w: w, lock: make(chan struct{}, 1), sessions: uuid.FromStringOrNil(serve.NewID()), link: 1,
	}
}

// record writes a frame down. A link of 0 means that the recorder counts the connections.
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
	// It is made of strings and valid JSON.
	p, _ := wire.Marshal(&l)
	_, err := r.w.Write(append(p, '\n'))
	r.failed = err != nil
}

// count returns the number of the connection that a frame is of. A client asks for messages once on each connection.
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
