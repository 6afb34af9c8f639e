package soak

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// server is a Blaze server that keeps messages until they are acknowledged and stores each message id once. It injects
// the faults of servers and networks. It serves one connection at a time.
type server struct {
	script
	*violations
	*rng
	mail  *mailbox
	in    *inboundOracle
	out   *outboundOracle
	times times
	plain bool // without the plural actions

	hangUpEvery int // average number of pushes until the server closes the connection

	http *http.Server
	all  sync.WaitGroup // connections

	turn    sync.Mutex // held while a connection replaces another
	mu      sync.Mutex
	current *conn
	closed  bool
	frames  frameLog

	handshakes, pushes, repeats, lists, requests atomic.Uint64
	rejections                                   atomic.Uint64
	ackOnce, batchOnce                           atomic.Bool // a request with the plural action has arrived
	worked                                       atomic.Bool // this process of the bot has acknowledged a message
	ending                                       atomic.Bool // this process is ending
	closedNormally                               atomic.Bool // this process sent close code 1000
	hangUps                                      poison
	sessions                                     directory

	// known is closed when both plural actions have been answered. The load and the faults of connections start only
	// then: a client that loses the first reply concludes that the server does not have the action, and stops using it.
	known chan struct{}
}

func (s *server) isKnown() bool {
	select {
	case <-s.known:
		return true
	default:
		return false
	}
}

// start serves a listener.
func (s *server) start(ln net.Listener) {
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	s.all.Go(func() { _ = s.http.Serve(ln) }) // returns when closed
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.admit() {
		return
	}
	defer s.all.Done()
	if websocket.IsWebSocketUpgrade(r) {
		s.accept(w, r)
	} else {
		s.api(w, r)
	}
}

// processEnded is called after a process of the bot has ended. It returns when the server has finished reading from
// that process.
func (s *server) processEnded() {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	c := s.current
	s.current = nil
	s.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case <-c.done: // the close frame has been read
	case <-time.After(s.times.poll):
		c.end()
		<-c.done
	}
}

// close ends every connection and returns after all goroutines have ended.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	c := s.current
	s.mu.Unlock()
	_ = s.http.Close()
	if c != nil {
		c.end()
	}
	s.all.Wait()
}

// hangUp closes the current connection with a close frame, as a restarting server does.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.startClose()
	}
}

var upgrader = websocket.Upgrader{
	Subprotocols: []string{"Mixin-Blaze-1"}, ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
}

// accept accepts or rejects a handshake.
func (s *server) accept(w http.ResponseWriter, r *http.Request) {
	if err := checkHandshake(r); err != nil {
		s.add(Protocol, "%v", err)
	}
	if s.isKnown() && s.happens("handshake rejected", 30) {
		status := []int{500, 503, 429, 404}[s.below(4)]
		http.Error(w,
			`{"error":{"status":`+fmt.Sprint(status)+`,"code":`+fmt.Sprint(status)+`,"description":"not now"}}`, status)
		return
	}
	if s.worked.Load() && s.happens("401 at the handshake", 60) {
		http.Error(w, `{"error":{"status":202,"code":401,"description":"unauthorized"}}`, http.StatusUnauthorized)
		return
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // cut during the handshake
	}
	c := newConn(s, ws)
	if !s.enter(c) {
		_ = ws.Close()
		return
	}
	s.handshakes.Add(1)
	c.serve()
}

// admit adds a connection to the wait group of close, unless close was called: http.Server does not wait for
// connections that were upgraded to websockets.
func (s *server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.all.Add(1)
	}
	return !s.closed
}

// checkHandshake checks the headers that every client of the service sends.
func checkHandshake(r *http.Request) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || strings.Count(token, ".") != 2:
		return errors.New("a handshake without a token")
	case r.Header.Get("Sec-WebSocket-Protocol") != "Mixin-Blaze-1":
		return errors.New("a handshake without the subprotocol")
	case r.URL.Path != "/":
		return fmt.Errorf("a handshake for %q", r.URL.Path)
	}
	return nil
}

// enter makes c the current connection. The server reads nothing more from the previous one.
func (s *server) enter(c *conn) bool {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	before := s.current
	s.mu.Unlock()
	if before != nil {
		before.end()
		<-before.done
	}
	s.mail.addOffline(s.below(8))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.current = c
	return true
}

// frameLog has the latest frames by id: a repeated frame must have the same content.
type frameLog struct{ young, old map[string]uint64 }

const frameLogLen = 20_000

// seen records a frame. It reports whether its id was seen before, and whether with the same content.
func (l *frameLog) seen(id string, content uint64) (before, same bool) {
	was, before := l.young[id]
	if !before {
		was, before = l.old[id]
	}
	if len(l.young) >= frameLogLen {
		l.old, l.young = l.young, nil
	}
	if l.young == nil {
		l.young = make(map[string]uint64)
	}
	l.young[id] = content
	return before, was == content
}
