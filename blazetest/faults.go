package blazetest

import (
	"bytes"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// lines is what a Server knows of its connections, those that there were and those to come. It is guarded by Server.mu.
type lines struct {
	links  int           // websocket connections so far
	coming map[int]*conn // those of links whose handshake is being answered
	speed  serve.Speed   // of every connection
	twice  bool          // two connections at once were reported
	runner *running      // the one that Run was called for last
	test   TB            // of Run, until it ends: reports faults while Errorf is nil
}

// Cut ends every websocket connection at once, without a close frame, as a failing network does. The client may connect
// again.
func (s *Server) Cut() { s.cutLinks(func(*conn) bool { return true }) }

// CutLink ends one websocket connection as Cut does. n counts all connections that the Server has had, from 1, in the
// order in which they came, as Event.Link does. A connection that has ended is left alone; a number that none has had
// is misuse.
func (s *Server) CutLink(n int) { s.reportMisuse(s.cutLink(n)) }

// cutLink is CutLink, and returns misuse.
func (s *Server) cutLink(n int) *controlError {
	s.mu.Lock()
	links := s.links
	s.mu.Unlock()
	if n < 1 || n > links {
		return problem(http.StatusNotFound, "CutLink(%d): there were %d connections", n, links)
	}
	s.cutLinks(func(c *conn) bool { return c.link == n })
	return nil
}

// cutLinks ends connections. Those whose handshake is being answered end once it is.
func (s *Server) cutLinks(which func(*conn) bool) {
	s.mu.Lock()
	var conns []*conn
	for _, c := range s.conns {
		if which(c) {
			conns = append(conns, c)
		}
	}
	for _, c := range s.coming {
		c.unwanted = c.unwanted || which(c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Cut()
	}
}

// Slow makes every connection slow, those there are and those to come, until it is called again; Slow(0, 0) makes them
// as fast as the machine, at once. latency passes before each frame of the server arrives, in addition to the time that
// its bytes take, and before each HTTP request is carried out. bytesPerSecond bounds each way of a connection, counting compressed frames and the bodies of HTTP
// requests and answers; 0 is no bound. A frame arrives whole, when the time that its bytes take has passed. Negative
// values are misuse.
func (s *Server) Slow(latency time.Duration, bytesPerSecond int) {
	s.reportMisuse(s.slow(serve.Speed{Latency: latency, BytesPerSecond: bytesPerSecond}))
}

// slow is Slow, and returns misuse.
func (s *Server) slow(speed serve.Speed) *controlError {
	if speed.Latency < 0 || speed.BytesPerSecond < 0 {
		return invalidBody("Slow(%v, %d): neither can be negative", speed.Latency, speed.BytesPerSecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speed = speed
	for _, c := range s.conns {
		c.SetSpeed(s.speed)
	}
	s.changed()
	return nil
}

// PushAgain pushes every pending message again, oldest first, on each connection that has asked for messages, as a
// service that repeats itself does. The client gets duplicates of what it is handling.
func (s *Server) PushAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.listed {
			c.pushPending()
		}
	}
}

// Clock sets the server's clock off from that of the machine: ahead by offset, or behind if it is negative, until it is
// called again. X-Server-Time and the times of messages follow it, and tokens are checked by it: those of a client
// whose clock differs by more than five minutes are refused. Messages are pushed in the order in which they were
// delivered, whatever the clock was.
func (s *Server) Clock(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset.Store(int64(offset))
	s.lastAt = time.Time{}
}

// File returns a copy of a file that was uploaded, by the attachment's id, as the storage has it: encrypted, if a
// client encrypted it. False means that there is none.
func (s *Server) File(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.files[id]
	if a == nil || !a.stored {
		return nil, false
	}
	return bytes.Clone(a.file), true
}
