package blazetest

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// The default session of a Server. The ids are constant, so that recordings can contain them. The key is random.
const (
	defaultAppID     = "b1a2e000-0000-4000-8000-000000000001"
	defaultSessionID = "b1a2e000-0000-4000-8000-000000000002"
)

// errClosed is returned by waits after Close.
var errClosed = errors.New("blazetest: the server is closed")

// Server is a Blaze server with one session, that of the bot under test. It is made by [NewServer], [NewServerOn],
// [NewServerWith] or [Start]; the zero value is not usable. All methods are safe for concurrent use. They report misuse
// by the test to Errorf. A nil User panics.
type Server struct {
	// Key is the session that the server accepts. Unless Options.Key sets them, the AppID is
	// b1a2e000-0000-4000-8000-000000000001, the SessionID b1a2e000-0000-4000-8000-000000000002, and the key is random
	// for each Server.
	Key blaze.Keystore
	// Config is the configuration of a client for this server: Endpoints, API, DialContext, Proxy and TLSClientConfig
	// as far as needed, and a Logger that discards. Everything else is a default. Copy it and change the fields that
	// the test is about.
	Config blaze.Config
	// Errorf is called for protocol errors of the client and for misuse of the Server, on any goroutine and
	// concurrently; it may be t.Fatalf. Nil: reports go to the test of the latest Run, or, without one, to standard
	// error. Set it before the first connection.
	Errorf func(format string, args ...any)

	session   serve.Session // of the bot
	agreement []byte        // the bot's X25519 public key; nil for an RSA key
	offset    atomic.Int64  // of the server's clock, in nanoseconds
	http      *http.Server
	routes    *http.ServeMux // of the HTTP API
	done      chan struct{}  // closed by Close
	ready     chan struct{}  // closed when Config is complete; requests wait for it
	wg        sync.WaitGroup // the accepting goroutine, and one for each network connection
	watching  sync.WaitGroup // goroutines of watchers

	controlOnce sync.Once
	control     *controller // created by the first call of controls

	mu sync.Mutex // guards the fields below; not held during I/O or calls of user code
	state
}

// state is the mutable state of a Server.
type state struct {
	closed   bool
	accepted map[net.Conn]struct{} // all network connections
	conns    []*conn               // websocket connections, oldest first
	waiting  chan struct{}         // closed by the next change; nil if nothing waits

	lines
	observers
	scriptState
	rules

	pending   *list.List // of *stored: unacknowledged messages, oldest first
	pendingBy map[string]*list.Element
	lastAt    time.Time     // time of the newest message
	receipts  []*serve.Push // not pushed yet

	directory
	files    map[string]*attachment
	acked    []string // ids in order, each once
	ackedIDs map[string]struct{}
	sent     []blaze.Outgoing // in order, each MessageID once
	sentIDs  map[string]int   // index into sent
	taken    int              // cursor of Next in sent

	intercepts map[string]*interceptions // by action
	unanswered int                       // requests that were read and have no written answer yet
	replay     *replay                   // takes over new connections, if set
}

// newServer returns a Server that does not serve yet.
func newServer(o Options) *Server {
	s := &Server{done: make(chan struct{}), ready: make(chan struct{})}
	s.useKey(o.Key)
	s.routes = s.newRoutes()
	s.state = state{
		directory: newDirectory(), files: map[string]*attachment{},
		accepted: map[net.Conn]struct{}{}, pending: list.New(), pendingBy: map[string]*list.Element{},
		ackedIDs: map[string]struct{}{}, sentIDs: map[string]int{}, intercepts: map[string]*interceptions{},
		lines: lines{coming: map[int]*conn{}}, rules: rules{o.Lenient, o.PerMinute},
	}
	return s
}

// Close ends every connection without a close frame. It waits until the server's goroutines have ended and the
// functions of Watch have received every event, but not for functions of Intercept. Next, Sent, Acked and Pending still
// return messages. Further calls do nothing.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	if first {
		close(s.done)
	}
	open := s.openConns()
	s.changed()
	s.mu.Unlock()
	// It returns the error of closing the listener.
	_ = s.http.Close()
	s.Cut() // also ends waits for a slow line
	for _, c := range open {
		serve.Cut(c)
	}
	s.wg.Wait()
	s.endWatchers()
}

func (s *Server) openConns() []net.Conn {
	var open []net.Conn
	for c := range s.accepted {
		open = append(open, c)
	}
	return open
}

// changed wakes all goroutines that wait for a change of the state. The caller holds s.mu.
func (s *Server) changed() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// change returns a channel that is closed by the next change. The caller holds s.mu.
func (s *Server) change() <-chan struct{} {
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// fault reports a protocol error of the client. It is called on the server's goroutines. The caller does not hold s.mu.
func (s *Server) fault(format string, args ...any) {
	s.watched(EventFault, format, args)
	apart(func() { s.report("the client: "+format, args) })
}

// misuseByWriter is misuse for the goroutine that writes to a client.
func (s *Server) misuseByWriter(format string, args ...any) {
	apart(func() { s.misuse(format, args...) })
}

// apart calls f on a goroutine of its own and waits for it. Errorf may end its goroutine, as t.Fatalf does.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// misuse reports misuse of the Server by the test. The caller does not hold s.mu.
func (s *Server) misuse(format string, args ...any) {
	s.watched(EventMisuse, format, args)
	s.report(format, args)
}

func (s *Server) report(format string, args []any) {
	if s.Errorf != nil {
		s.Errorf("blazetest: "+format, args...)
		return
	}
	s.mu.Lock()
	tb := s.test
	s.mu.Unlock()
	if tb != nil {
		tb.Errorf("blazetest: "+format, args...)
		return
	}
	_, _ = fmt.Fprintf(os.Stderr, "blazetest: "+format+"\n", args...)
}
