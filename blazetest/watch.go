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
	// EventConnected is a new websocket connection. Text is what is wrong with its token, if the service refuses it.
	EventConnected = "connected"
	// EventDisconnected is the end of a websocket connection.
	EventDisconnected = "disconnected"
	// EventIn is a message of the websocket to the client, as it is about to be written. Frame is its JSON, Text its
	// action. A message that is no frame, of Answer.Bytes or of a recording, has no Frame, and comes once it is
	// written or the connection has ended.
	EventIn = "in"
	// EventOut is a frame of the client, before anything is done about it. Frame is its JSON, Text its action.
	EventOut = "out"
	// EventHTTP is an HTTP request that was answered, the handshake with status 101 and the storage among them. Method
	// and Path are the request's, Status and Size are the answer's; Status 0 means that there was no usual one.
	EventHTTP = "http"
	// EventFault is what the client did wrong, and EventMisuse what the test did. Text is what Errorf gets.
	EventFault  = "fault"
	EventMisuse = "misuse"
	// EventMessage is a message of the bot that was stored, each MessageID once. Message is as Sent returns it.
	EventMessage = "message"
	// EventAck is an acknowledgement, each message's once. Text is the status; of Message only MessageID is set.
	EventAck = "ack"
)

// Event is what [Server.Watch] tells. Kind is one of the Event constants, which say what fields it has.
type Event struct {
	At           time.Time // by the machine's clock, whatever Clock says
	Kind         string
	Method, Path string
	Text         string
	Link         int             // the websocket connection, counted from 1; 0: none
	Status       int             // of HTTP
	Size         int             // bytes of the frame's JSON, the message that is no frame, or the answer's body
	Frame        []byte          // JSON; not to be changed
	Message      *blaze.Outgoing // not to be changed
}

// Watch calls fn for each event from now on, in the order in which they happened, one after the other, on a goroutine
// of its own. fn may call any method of the Server but Close. stop does not wait for fn, so fn may call it: one more
// call may run, or begin, when stop returns. Events wait in memory for fn: it should be fast. Close
// returns when fn has got every event. A nil fn is misuse.
func (s *Server) Watch(fn func(Event)) (stop func()) {
	if fn == nil {
		s.misuse("Watch: the function is nil")
		return func() {}
	}
	_, stop = s.watch(fn)
	return stop
}

// watch is Watch, and returns the watcher too.
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

// observers are those that are told of events. It is guarded by Server.mu.
type observers struct {
	watchers  []*watcher
	unwatched bool // the Server is closed: none is added any more
}

// watcher hands events to one function.
type watcher struct {
	fn   func(Event)
	wake chan struct{} // there is something new

	mu       sync.Mutex // taken with Server.mu held
	queue    []Event
	stopped  bool // nothing is called any more
	finished bool // nothing is added any more
}

// run calls the function until it is stopped, or finished and told everything.
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

// emit tells the watchers of an event. The caller holds s.mu.
func (s *Server) emit(e Event) {
	if len(s.watchers) == 0 {
		return
	}
	e.At = time.Now()
	for _, w := range s.watchers {
		w.add(e)
	}
}

// watched tells the watchers of a report. The caller does not hold s.mu.
func (s *Server) watched(kind, format string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) > 0 {
		s.emit(Event{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
}

// watched tells the watchers of a frame. The caller does not hold s.mu.
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

// endWatchers waits until the watchers have got every event.
func (s *Server) endWatchers() {
	s.mu.Lock()
	s.unwatched = true
	for _, w := range s.watchers {
		w.finish()
	}
	s.mu.Unlock()
	s.watching.Wait()
}
