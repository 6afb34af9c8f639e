package blazetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze"
)

// Kinds of an [Event].
const (
	// EventConnected is a new websocket connection. Text is the reason why its token is rejected, or "".
	EventConnected = "connected"
	// EventDisconnected is the end of a websocket connection.
	EventDisconnected = "disconnected"
	// EventIn is a message of the websocket to the client, before it is written. Frame is its JSON, Text its action.
	// For a message that is not a frame, from Answer.Bytes or a recording, Frame is nil, and the event follows after it
	// was written or the connection has ended.
	EventIn = "in"
	// EventOut is a frame of the client, before it is handled. Frame is its JSON, Text its action.
	EventOut = "out"
	// EventHTTP is an HTTP request after its response, including the handshake, with status 101, and requests to the
	// storage. Method and Path are those of the request, Status and Size those of the response. Status 0: there was no
	// regular response.
	EventHTTP = "http"
	// EventFault is a protocol error of the client, EventMisuse misuse by the test. Text is the text for Errorf.
	EventFault  = "fault"
	EventMisuse = "misuse"
	// EventMessage is a message of the bot that was stored, once per MessageID. Message is as returned by Sent.
	EventMessage = "message"
	// EventAck is the first acknowledgement of a message. Text is the status; of Message only MessageID is set.
	EventAck = "ack"
)

// Event is passed to the functions of [Server.Watch]. Kind is one of the Event constants, which list the fields that
// are set.
type Event struct {
	At           time.Time // by the machine's clock, independent of Server.Clock
	Kind         string
	Method, Path string
	Text         string
	Link         int             // number of the websocket connection, from 1; 0: none
	Status       int             // of HTTP
	Size         int             // of the frame, the message that is not a frame, or the response body, in bytes
	Frame        []byte          // JSON; must not be modified
	Message      *blaze.Outgoing // must not be modified
}

// Watch calls fn for each event from now on, serially and in order, on a goroutine of its own. Events are queued in
// memory without a limit, so fn should be fast. fn may call any method of the Server except Close. stop does not wait
// for fn, so fn may call it; one more call of fn may be running or begin when stop returns. Close waits until fn has
// received every event. A nil fn is misuse.
func (s *Server) Watch(fn func(Event)) (stop func()) {
	if fn == nil {
		s.misuse("Watch: the function is nil")
		return func() {}
	}
	_, stop = s.watch(fn)
	return stop
}

// watch is Watch, but also returns the watcher.
func (s *Server) watch(fn func(Event)) (w *watcher, stop func()) {
	w = &watcher{fn: fn, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatched {
		return w, func() {}
	}
	s.watchers = append(s.watchers, w)
	s.watching.Go(w.run)
	return w, func() {
		w.stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watchers = slices.DeleteFunc(s.watchers, func(other *watcher) bool { return other == w })
	}
}

// observers are the watchers of a Server. It is guarded by Server.mu.
type observers struct {
	watchers  []*watcher
	unwatched bool // the Server is closed: no watcher is added
}

// watcher passes events to one function.
type watcher struct {
	fn   func(Event)
	wake chan struct{} // signals that the state has changed

	mu       sync.Mutex // acquired with Server.mu held
	queue    []Event
	stopped  bool // no further call
	finished bool // no further event
}

// run calls the function until the watcher is stopped, or is finished and the queue is empty.
func (w *watcher) run() {
	for {
		e, ok, over := w.next()
		switch {
		case over:
			return
		case ok:
			w.fn(e)
		default:
			<-w.wake
		}
	}
}

func (w *watcher) next() (e Event, ok, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return e, false, true
	case len(w.queue) == 0:
		return e, false, w.finished
	}
	e = w.queue[0]
	w.queue[0] = Event{}
	w.queue = w.queue[1:]
	return e, true, false
}

func (w *watcher) add(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped && !w.finished {
		w.queue = append(w.queue, e)
		w.notify()
	}
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped, w.queue = true, nil
	w.notify()
}

func (w *watcher) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	w.notify()
}

func (w *watcher) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// emit queues an event for all watchers. The caller holds s.mu.
func (s *Server) emit(e Event) {
	if len(s.watchers) == 0 {
		return
	}
	e.At = time.Now()
	for _, w := range s.watchers {
		w.add(e)
	}
}

// watched emits the event of a report. The caller does not hold s.mu.
func (s *Server) watched(kind, format string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) > 0 {
		s.emit(Event{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
}

// watched emits the event of a frame. The caller does not hold s.mu.
func (c *conn) watched(kind, action string, text []byte) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) == 0 {
		return
	}
	if action == "" {
		var f struct {
			Action string `json:"action"`
		}
		_ = json.Unmarshal(text, &f) // a frame of the server is JSON
		action = f.Action
	}
	s.emit(Event{Kind: kind, Link: c.link, Text: action, Frame: bytes.Clone(text), Size: len(text)})
}

// endWatchers waits until the watchers have received every event.
func (s *Server) endWatchers() {
	s.mu.Lock()
	s.unwatched = true
	for _, w := range s.watchers {
		w.finish()
	}
	s.mu.Unlock()
	s.watching.Wait()
}
