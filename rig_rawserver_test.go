package blaze_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// rawServer is a websocket server that shares no code with the Client. It checks the frames that it reads, and writes
// anything that a test wants, valid or not.
//
// A test receives each request from next and answers it with confirm, reject or reply. A server of newReplyingServer
// confirms each request at once instead and records acknowledgements. In both, answer can intercept requests, and
// handshake connections. Frames that are not replies are written with conn.
type rawServer struct {
	// The test may set these before it starts a client. They return true if they have dealt with the request. Headers
	// that handshake sets are part of either response.
	handshake func(w http.ResponseWriter, r *http.Request) bool
	answer    func(r request) bool
	me        http.HandlerFunc

	t        *testing.T
	replies  bool
	requests chan request // in the order of reading; for next
	http     *http.Server
	endpoint string
	dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: of the net package
	wg       sync.WaitGroup                                                    // all goroutines, those of http included

	mu     sync.Mutex
	closed bool
	conns  []*rawConn
	acked  []string
}

// newRawServer returns a server in memory that also works in bubbles of testing/synctest. It is closed when the test
// ends.
func newRawServer(t *testing.T) *rawServer {
	t.Helper()
	ln := memnet.Listen()
	return serveRaw(t, ln, ln.Dial)
}

// newReplyingServer returns a server in memory that confirms all requests that answer does not intercept.
func newReplyingServer(t *testing.T) *rawServer {
	t.Helper()
	s := newRawServer(t)
	s.replies = true
	return s
}

// newLoopbackServer returns a server like newRawServer, but on a port of the loopback interface.
func newLoopbackServer(t *testing.T) *rawServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveRaw(t, ln, nil)
}

func serveRaw(t *testing.T, ln net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *rawServer {
	t.Helper()
	s := &rawServer{t: t, requests: make(chan request, 1<<15), endpoint: "ws://" + ln.Addr().String() + "/", dial: dial}
	s.http = &http.Server{Handler: http.HandlerFunc(s.handle), ConnState: s.count, ErrorLog: log.New(io.Discard, "", 0)}
	s.wg.Go(func() { _ = s.http.Serve(ln) })
	t.Cleanup(s.close)
	return s
}

// count counts the goroutine of a connection until it ends or handle takes over.
func (s *rawServer) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.wg.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.wg.Done()
	}
}

func (s *rawServer) close() {
	_ = s.http.Close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cut()
	s.wg.Wait()
}

// cut ends every connection without a close frame.
func (s *rawServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func (s *rawServer) handle(w http.ResponseWriter, r *http.Request) {
	s.wg.Add(1)
	defer s.wg.Done()
	if r.URL.Path == "/me" && s.me != nil {
		s.me(w, r)
		return
	}
	if !assert.Equal(s.t, "/", r.URL.Path) || s.handshake != nil && s.handshake(w, r) {
		return
	}
	c := s.upgrade(w, r)
	if c == nil {
		return
	}
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	s.conns = append(s.conns, c)
	closed := s.closed
	s.mu.Unlock()
	for !closed {
		f, err := c.ReadFrame()
		if err != nil || !s.take(c, f) {
			return
		}
	}
}

// upgrade upgrades a request to a websocket. It returns nil if the client has gone.
func (s *rawServer) upgrade(w http.ResponseWriter, r *http.Request) *rawConn {
	assert.Equal(s.t, "websocket", strings.ToLower(r.Header.Get("Upgrade")), "not a websocket request")
	assert.Equal(s.t, "13", r.Header.Get("Sec-WebSocket-Version"))
	raw, rw, err := http.NewResponseController(w).Hijack()
	if !assert.NoError(s.t, err) {
		return nil
	}
	c := &rawConn{Peer: wspeer.Adopt(raw, rw.Reader, r)}
	var headers []string
	if r.Header.Get("Sec-WebSocket-Protocol") == "Mixin-Blaze-1" {
		headers = append(headers, "Sec-WebSocket-Protocol: Mixin-Blaze-1")
	}
	for name, values := range w.Header() {
		for _, value := range values {
			headers = append(headers, name+": "+value)
		}
	}
	if c.Say(c.Upgrade(headers...)) != nil {
		_ = c.Close()
		return nil
	}
	return c
}

// take reads a message, which must be exactly one gzip stream, and passes it on. It returns false if the client closes.
func (s *rawServer) take(c *rawConn, m wspeer.Frame) (goOn bool) {
	if m.Op() >= wspeer.Close {
		return c.takeControl(m)
	}
	assert.Equal(s.t, wspeer.Final|wspeer.Binary, m.First)
	text, err := wspeer.Gunzip(m.Payload)
	if !assert.NoError(s.t, err) {
		return true
	}
	f, err := readFrame(text)
	if !assert.NoError(s.t, err) {
		return true
	}
	r := request{f, c}
	switch {
	case s.answer != nil && s.answer(r):
	case !s.replies:
		s.requests <- r
	default:
		if r.Action == actionAck || r.Action == actionAcks {
			s.mu.Lock()
			s.acked = append(s.acked, r.ids()...)
			s.mu.Unlock()
		}
		r.confirm()
	}
	return true
}

// next waits for the next request.
func (s *rawServer) next() request { return <-s.requests }

// none checks that no request is queued. Requests may still arrive later.
func (s *rawServer) none() {
	s.t.Helper()
	select {
	case r := <-s.requests:
		assert.Fail(s.t, "unexpected request", "%s", r.text)
	default:
	}
}

// conn returns the newest connection.
func (s *rawServer) conn() *rawConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[len(s.conns)-1]
}

// ackedIDs returns the acknowledged ids, in order.
func (s *rawServer) ackedIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}

// config returns the configuration of a client of this server.
func (s *rawServer) config() blaze.Config {
	return blaze.Config{
		Endpoints: []string{s.endpoint}, API: "http" + strings.TrimSuffix(strings.TrimPrefix(s.endpoint, "ws"), "/"),
		DialContext: s.dial, Logger: slog.New(slog.DiscardHandler),
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
}

// newClient returns a client of the bot appID.
func (s *rawServer) newClient(appID string, edit func(*blaze.Config)) *blaze.Client {
	s.t.Helper()
	return newClient(s.t, keyOf(appID), s.config(), edit)
}

// start runs a client until the test ends. The result of Run depends on the requests that the test leaves unanswered.
func (s *rawServer) start(appID string, h blaze.Handler, edit func(*blaze.Config)) *blaze.Client {
	s.t.Helper()
	c := s.newClient(appID, edit)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx, h)
	}()
	s.t.Cleanup(func() {
		cancel()
		s.cut()
		<-ended
	})
	return c
}

// run starts a bot, as the function run does. Run must end without an error here, too.
func (s *rawServer) run(h blaze.Handler, edit func(*blaze.Config)) *rig {
	s.t.Helper()
	r := prepareWith(s.t, keyOf(botID), s.config(), edit)
	r.start(s.t.Context(), h)
	return r
}

// request is a frame of a client and its connection.
type request struct {
	frame
	conn *rawConn
}

// confirm answers as the service does on success.
func (r request) confirm() { r.reply("") }

// reject answers with an error.
func (r request) reject(code blaze.Code, description string) {
	r.reply(fmt.Sprintf(`,"error":{"status":202,"code":%d,"description":%q}`, code, description))
}

// reply answers with the request's id and action, followed by more, which begins with a comma, such as `,"data":{}`.
func (r request) reply(more string) {
	r.conn.json(fmt.Sprintf(`{"id":%q,"action":%q%s}`, r.ID, r.Action, more))
}

// rawConn is a connection of a rawServer. Its writes ignore errors, because the client may have gone. Each frame is one
// Write, so that concurrent frames do not mix.
type rawConn struct {
	*wspeer.Peer

	mu      sync.Mutex
	control func(f wspeer.Frame) (done bool)
}

// onControl makes the reading goroutine call fn for each ping, pong and close frame. If fn returns false the frame is
// answered as usual. Nothing is read after a close frame.
func (c *rawConn) onControl(fn func(f wspeer.Frame) (done bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control = fn
}

// takeControl answers a control frame. It returns false if the client closes.
func (c *rawConn) takeControl(f wspeer.Frame) (goOn bool) {
	c.mu.Lock()
	fn := c.control
	c.mu.Unlock()
	done := fn != nil && fn(f)
	switch op := f.Op(); {
	case op == wspeer.Close:
		if !done {
			c.write(op, f.Payload[:min(len(f.Payload), 2)]) // the status code
		}
		return false
	case op == wspeer.Ping && !done:
		c.write(wspeer.Pong, f.Payload)
	}
	return true
}

// write writes bytes as one message or control frame.
func (c *rawConn) write(op byte, p []byte) { _ = c.Send(wspeer.Whole(op, p)) }

// json writes a frame.
func (c *rawConn) json(text string) { _ = c.Send(wspeer.Pack(text)) }

// push pushes a message.
func (c *rawConn) push(v map[string]any) { c.json(pushOf(v)) }
