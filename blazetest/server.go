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

// The session of a Server unless Options.Key has another one. The ids are always the same, so that a recording can name
// them; the key is always new.
const (
	defaultAppID     = "b1a2e000-0000-4000-8000-000000000001"
	defaultSessionID = "b1a2e000-0000-4000-8000-000000000002"
)

// errClosed is what waiting on a closed Server returns.
var errClosed = errors.New("blazetest: the server is closed")

// Server is a Blaze server with one session, that of the bot under test. It is made by [NewServer], [NewServerOn],
// [NewServerWith] or [Start]; its zero value is not usable. All methods are safe for concurrent use. None of them
// panics, unless it is given a nil User: what a test does wrong is reported to Errorf.
type Server struct {
	// Key is the session that the server accepts: that of Options.Key, or one with a new key for each Server, the AppID
	// b1a2e000-0000-4000-8000-000000000001 and the SessionID b1a2e000-0000-4000-8000-000000000002.
	Key blaze.Keystore
	// Config is how a client reaches the server: Endpoints, API, DialContext, Proxy and TLSClientConfig, as far as they
	// are needed, and a Logger that discards. Everything else is a default. Copy it and change what the test is about.
	Config blaze.Config
	// Errorf reports the client's violations of the protocol, and misuse of the Server. It may be called by several
	// goroutines at once, and t.Fatalf ends none of the server's. Nil means the test that Run was called for, and
	// without one standard error. Set it before the first connection.
	Errorf func(format string, args ...any)

	session   serve.Session // that of the bot
	agreement []byte        // the bot's X25519 public key; nil for an RSA key
	offset    atomic.Int64  // nanoseconds that the server's clock is ahead
	http      *http.Server
	routes    *http.ServeMux // of the HTTP API
	done      chan struct{}  // closed by Close
	ready     chan struct{}  // closed when Config is complete, which requests wait for
	wg        sync.WaitGroup // the accepting goroutine and one for each network connection
	watching  sync.WaitGroup // the goroutines of watchers

	controlOnce sync.Once
	control     *controller // made by the first call of controls

	mu sync.Mutex // guards all below; never held during I/O or while a function of the test runs
	state
}

// state is what a Server knows.
type state struct {
	closed   bool
	accepted map[net.Conn]struct{} // network connections, whatever they are used for
	conns    []*conn               // websocket connections, oldest first
	waiting  chan struct{}         // closed at the next change; nil while nobody waits

	lines
	observers
	scriptState
	rules

	pending   *list.List // of *stored: not acknowledged, oldest first
	pendingBy map[string]*list.Element
	lastAt    time.Time     // when the newest message was stored
	receipts  []*serve.Push // not pushed yet

	directory
	files    map[string]*attachment
	acked    []string // in order, each once
	ackedIDs map[string]struct{}
	sent     []blaze.Outgoing // in order, each once
	sentIDs  map[string]int   // index into sent
	taken    int              // of sent, by Next

	intercepts map[string]*interceptions // by action
	unanswered int                       // requests read whose answer is not written
	replay     *replay                   // takes over new connections, while it is there
}

// newServer returns a Server that serves nothing yet.
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

// Close ends every connection, without a close frame, and waits until the server's goroutines have ended, and functions
// given to Watch have got every event. Functions given to Intercept that still run are not waited for. Messages stay
// readable with Next, Sent, Acked and Pending. A second Close does nothing.
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
	// Its error is that of closing the listener, which is all we want of it.
	_ = s.http.Close()
	s.Cut() // also what waits for a slow line
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

// changed wakes everyone who waits for a change of the state. The caller holds s.mu.
func (s *Server) changed() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// change returns a channel that is closed at the next change. The caller holds s.mu.
func (s *Server) change() <-chan struct{} {
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// fault reports what the client did wrong. It is called on the server's goroutines. The caller does not hold s.mu.
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

// misuse reports what the test did wrong. The caller does not hold s.mu.
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
