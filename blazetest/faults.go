package blazetest

import (
	"bytes"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// lines has the state of a Server's connections. It is guarded by Server.mu.
type lines struct {
	links  int           // number of websocket connections so far
	coming map[int]*conn // connections during the handshake, by number
	speed  serve.Speed   // of every connection
	twice  bool          // two simultaneous connections were reported
	runner *running      // of the latest call of Run
	test   TB            // of the latest call of Run, until it ends; reports faults if Errorf is nil
}

// Cut closes the network connection of every websocket, without a close frame, as a failing network does. The client
// may reconnect.
func (s *Server) Cut() { s.cutLinks(func(*conn) bool { return true }) }

// CutLink cuts one websocket connection, like Cut. n is its number, as in Event.Link: the Server's connections are
// counted from 1. A connection that has ended is ignored. A number that no connection has had is misuse.
func (s *Server) CutLink(n int) { s.reportMisuse(s.cutLink(n)) }

// cutLink is CutLink, but returns misuse.
func (s *Server) cutLink(n int) *controlError {
	s.mu.Lock()
	links := s.links
	s.mu.Unlock()
	if n < 1 || n > links {
		return problem(http.StatusNotFound, "CutLink(%d): unknown connection; there were %d so far", n, links)
	}
	s.cutLinks(func(c *conn) bool { return c.link == n })
	return nil
}

// cutLinks cuts connections. A connection during its handshake is cut after it.
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

// Slow makes existing and future connections slow, until the next call. Slow(0, 0) removes the limits immediately, also
// for frames in transit. latency delays each frame of the server, in addition to its transfer time, and each HTTP
// request. bytesPerSecond limits each direction of a connection; 0 is unlimited. It applies to compressed frames and to
// the bodies of HTTP requests and responses. A frame arrives as a whole after its transfer time. Negative values are
// misuse.
func (s *Server) Slow(latency time.Duration, bytesPerSecond int) {
	s.reportMisuse(s.slow(serve.Speed{Latency: latency, BytesPerSecond: bytesPerSecond}))
}

// slow is Slow, but returns misuse.
func (s *Server) slow(speed serve.Speed) *controlError {
	if speed.Latency < 0 || speed.BytesPerSecond < 0 {
		return invalidBody("Slow(%v, %d): values must not be negative", speed.Latency, speed.BytesPerSecond)
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

// PushAgain pushes every pending message again, oldest first, on each connection that has listed pending messages. It
// simulates redelivery: the client receives duplicates of the messages that it is handling.
func (s *Server) PushAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.listed {
			c.pushPending()
		}
	}
}

// Clock sets the offset of the server's clock from the machine's clock, until the next call. A negative offset sets it
// back. The clock determines X-Server-Time, the times of messages, and the validity of tokens: a token is rejected if
// its date differs by more than five minutes. Messages are pushed in order of delivery, independent of the clock.
func (s *Server) Clock(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset.Store(int64(offset))
	s.lastAt = time.Time{}
}

// File returns a copy of the uploaded file with this attachment id. The content is unchanged: encrypted, if the client
// encrypted it. It returns false if there is no such file.
func (s *Server) File(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.files[id]
	if a == nil || !a.stored {
		return nil, false
	}
	return bytes.Clone(a.file), true
}
