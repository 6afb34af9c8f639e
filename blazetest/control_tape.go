package blazetest

import (
	"bytes"
	"net/http"
	"sync"
)

// maxTape is the maximum size of a recording in a request or response, in bytes.
const maxTape = 64 << 20

type recordIn struct {
	OmitBodies bool `json:"omit_bodies,omitempty" doc:"Omits the content of messages."`
}

// fullHeader is the response header that reports whether a recording has reached maxTape.
const fullHeader = "Recording-Full"

// eventMark is the kind of an event that a tape sends only to itself.
const eventMark = "mark"

// recordingSoFar is the response to a request for a recording.
type recordingSoFar struct {
	text []byte
	full bool // later frames are missing
}

// tape is a recording in memory. It contains whole lines only.
type tape struct {
	watcher  *watcher
	maxBytes int           // bytes
	end      func()        // stops the watcher
	ended    chan struct{} // closed by stop

	mu    sync.Mutex // acquired before watcher.mu
	text  bytes.Buffer
	full  bool
	marks []chan struct{} // closed when their mark events arrive, oldest first
}

// newTape starts a recording of at most maxBytes.
func newTape(s *Server, maxBytes int, o RecorderOptions) *tape {
	t := &tape{maxBytes: maxBytes, ended: make(chan struct{})}
	record := s.recorderOf(t, o)
	t.watcher, t.end = s.watch(func(e Event) {
		if e.Kind == eventMark {
			t.passMark()
			return
		}
		record(e)
	})
	return t
}

func (t *tape) stop() {
	t.end()
	close(t.ended)
}

// mark returns a channel that is closed after all earlier events were recorded.
func (t *tape) mark() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	passed := make(chan struct{})
	t.marks = append(t.marks, passed)
	t.watcher.add(Event{Kind: eventMark})
	return passed
}

func (t *tape) passMark() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.marks[0])
	t.marks = t.marks[1:]
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full = t.full || t.text.Len()+len(p) > t.maxBytes; !t.full {
		t.text.Write(p)
	}
	return len(p), nil
}

func (t *tape) soFar() recordingSoFar {
	t.mu.Lock()
	defer t.mu.Unlock()
	return recordingSoFar{bytes.Clone(t.text.Bytes()), t.full}
}

func (r *request) record(in recordIn) (any, *controlError) {
	t := newTape(r.s, maxTape, RecorderOptions{OmitBodies: in.OmitBodies})
	r.mu.Lock()
	before := r.tape
	r.tape = t
	r.mu.Unlock()
	if before != nil {
		before.stop()
	}
	return nil, nil
}

func (r *request) recording() (any, *controlError) {
	r.mu.Lock()
	t := r.tape
	r.mu.Unlock()
	if t == nil {
		return nil, problem(http.StatusNotFound, "no recording; start one with POST %srecording", controlPath)
	}
	select {
	case <-t.mark():
	case <-t.ended:
	case <-r.s.done:
	case <-r.http.Context().Done():
	}
	return t.soFar(), nil
}
