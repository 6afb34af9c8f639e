package blazetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	maxEvents     = 10_000
	maxEventBytes = 64 << 20
	heartbeat     = 15 * time.Second // interval of comments in a stream of events
)

type eventJSON struct {
	At      time.Time       `json:"at"`
	Kind    string          `json:"kind"`
	Method  string          `json:"method,omitempty"`
	Path    string          `json:"path,omitempty"`
	Text    string          `json:"text,omitempty"`
	Link    int             `json:"link,omitempty"`
	Status  int             `json:"status,omitempty"`
	Size    int             `json:"size,omitempty"`
	Frame   json.RawMessage `json:"frame,omitempty"`
	Message *messageJSON    `json:"message,omitempty"`
}

// events stores the newest events for all streams.
type events struct {
	s *Server

	mu    sync.Mutex
	kept  []string      // in the format of a stream, oldest first
	first int           // id of kept[0]
	bytes int           // total size of kept
	more  chan struct{} // closed by the next event
}

// newEvents starts to collect the events of a Server.
func newEvents(s *Server) *events {
	e := &events{s: s, first: 1, more: make(chan struct{})}
	s.Watch(e.add)
	return e
}

// add appends an event, and drops the oldest ones above the limits.
func (e *events) add(ev Event) {
	j := eventJSON{
		At: ev.At, Kind: ev.Kind, Method: ev.Method, Path: ev.Path, Text: ev.Text, Link: ev.Link, Status: ev.Status,
		Size: ev.Size, Frame: ev.Frame,
	}
	if ev.Message != nil {
		m := e.s.messageJSON(*ev.Message)
		j.Message = &m
	}
	data := string(raw(j))
	e.mu.Lock()
	defer e.mu.Unlock()
	text := fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.first+len(e.kept), ev.Kind, data)
	e.kept = append(e.kept, text)
	e.bytes += len(text)
	for len(e.kept) > maxEvents || e.bytes > maxEventBytes && len(e.kept) > 1 {
		e.bytes -= len(e.kept[0])
		e.kept[0] = ""
		e.kept = e.kept[1:]
		e.first++
	}
	close(e.more)
	e.more = make(chan struct{})
}

// last returns the id of the newest event.
func (e *events) last() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.first + len(e.kept) - 1
}

// after returns the events after an id, the number of dropped ones among them, and a channel that the next event
// closes.
func (e *events) after(id int) (all []string, lost int, more <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	lost = max(0, e.first-1-id)
	from := min(max(0, id+1-e.first), len(e.kept))
	return append(all, e.kept[from:]...), lost, e.more
}

// streamEvents writes events until the request ends or the server is closed.
func (c *controller) streamEvents(w http.ResponseWriter, r *http.Request) {
	id, problem := c.events.begin(r)
	if problem != nil {
		writeProblem(w, problem)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		all, lost, more := c.events.after(id)
		if lost > 0 {
			all = append([]string{fmt.Sprintf("event: lost\ndata: {\"lost\":%d}\n\n", lost)}, all...)
			id += lost - 1
		}
		id += len(all)
		for _, text := range all {
			if _, err := w.Write([]byte(text)); err != nil { //nolint:gosec // JSON, in a type that no browser renders
				return
			}
		}
		if flusher.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			if _, err := w.Write([]byte(":\n\n")); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-c.s.done:
			return
		}
	}
}

// begin returns the id after which a stream begins.
func (e *events) begin(r *http.Request) (int, *controlError) {
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("last_event_id")
	}
	if from == "" {
		return e.last(), nil
	}
	id, err := strconv.Atoi(from)
	if err != nil || id < 0 {
		return 0, invalidBody("%q is not an event id", from)
	}
	if id > e.last() {
		id = 0 // the id is of an earlier server at this address
	}
	return id, nil
}
