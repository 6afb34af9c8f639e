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

// server is a Blaze server that keeps messages until they are acknowledged, stores what is sent once for each message
// id, and commits every fault that a server or a network may. It serves one connection at a time.
type server struct {
	script
	*verdicts
	*luck
	mail  *mailbox
	in    *inboundOracle
	out   *outboundOracle
	times times
	plain bool // has no plural actions

	hangUpEvery int // pushes, about, until the server itself closes the connection

	http *http.Server
	all  sync.WaitGroup // connections

	turn    sync.Mutex // held while one connection takes the place of another
	mu      sync.Mutex
	current *conn
	closed  bool
	frames  frameLog

	handshakes, pushes, repeats, lists, requests atomic.Uint64
	refusals                                     atomic.Uint64
	ackOnce, batchOnce                           atomic.Bool // the plural action was confirmed once
	worked                                       atomic.Bool // this process of the bot has got something
	ending                                       atomic.Bool // this process was told to end
	goodbye                                      atomic.Bool // it has said that it is at its end
	hangUps                                      poison
	sessions                                     directory

	// known is closed when both were. Only then the load begins, and the faults of connections: a client that loses
	// the first answer has to take it that the server does not have the action, and uses it no more.
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

// part is called when a process of the bot has ended. It returns when nothing is read any more of what that one wrote.
func (s *server) part() {
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
	case <-c.done: // the close frame was read
	case <-time.After(s.times.look):
		c.end()
		<-c.done
	}
}

// close ends every connection and returns when no goroutine is left.
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

// hangUp closes the present connection as a server that restarts does.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.bye()
	}
}

var upgrader = websocket.Upgrader{
	Subprotocols: []string{"Mixin-Blaze-1"}, ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
}

// accept takes a handshake, or refuses it.
func (s *server) accept(w http.ResponseWriter, r *http.Request) {
	if err := checkHandshake(r); err != nil {
		s.add(Protocol, "%v", err)
	}
	if s.isKnown() && s.strikes("handshake refused", 30) {
		status := []int{500, 503, 429, 404}[s.below(4)]
		http.Error(w,
			`{"error":{"status":`+fmt.Sprint(status)+`,"code":`+fmt.Sprint(status)+`,"description":"not now"}}`, status)
		return
	}
	if s.worked.Load() && s.strikes("401 at the handshake", 60) {
		http.Error(w, `{"error":{"status":202,"code":401,"description":"unauthorized"}}`, http.StatusUnauthorized)
		return
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // cut in the middle of it
	}
	c := newConn(s, ws)
	if !s.enter(c) {
		_ = ws.Close()
		return
	}
	s.handshakes.Add(1)
	c.serve()
}

// admit counts a connection for close, unless that was called: http.Server does not wait for those that became
// websockets.
func (s *server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.all.Add(1)
	}
	return !s.closed
}

// checkHandshake looks at what every client of the service sends.
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

// enter makes c the present connection. What the one before it still had to say is not listened to any more.
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
	s.mail.missed(s.below(8))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.current = c
	return true
}

// frameLog remembers the last frames by their id: a repetition must have the same content.
type frameLog struct{ young, old map[string]uint64 }

const frameLogLen = 20_000

// seen reports whether a frame was here before, and whether it was the same.
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
