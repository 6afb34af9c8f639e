package blazetest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// response is an HTTP response with the speed of the Server. It counts the written bytes.
type response struct {
	http.ResponseWriter
	s *Server
	r *http.Request

	status, size int
	upgrading    bool // to a websocket; status is the response if that failed
	taken        bool // the connection was hijacked
}

// slowResponse wraps a response, and limits the speed of the request's body.
func (s *Server) slowResponse(w http.ResponseWriter, r *http.Request) *response {
	p := &response{ResponseWriter: w, s: s, r: r}
	r.Body = &slowBody{ReadCloser: r.Body, p: p}
	return p
}

// Unwrap is called by http.ResponseController.
func (p *response) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Hijack is called by websocket upgrades.
func (p *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(p.ResponseWriter).Hijack()
	p.taken = err == nil
	return c, rw, err
}

func (p *response) WriteHeader(status int) {
	p.status = status
	p.ResponseWriter.WriteHeader(status)
}

// Write writes in pieces on a slow line, so that the client sees progress.
func (p *response) Write(data []byte) (n int, err error) {
	if p.status == 0 {
		p.status = http.StatusOK
	}
	for {
		piece := data[n:min(len(data), n+p.s.pieceSize())]
		p.await(len(piece))
		wrote, err := p.ResponseWriter.Write(piece)
		n += wrote
		p.size += wrote
		if err != nil || n >= len(data) {
			return n, err
		}
		// The next Write fails too.
		_ = http.NewResponseController(p.ResponseWriter).Flush()
	}
}

// await waits until n bytes have crossed a slow line.
func (p *response) await(n int) { p.s.waitForLine(p.r.Context(), n) }

// report emits the event of the request.
func (p *response) report() {
	status := p.status
	if p.upgrading && p.taken {
		status = http.StatusSwitchingProtocols
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.emit(Event{Kind: EventHTTP, Method: p.r.Method, Path: p.r.URL.Path, Status: status, Size: p.size})
}

// slowBody is the body of a request on a slow line.
type slowBody struct {
	io.ReadCloser
	p *response
}

func (b *slowBody) Read(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	n, err := b.ReadCloser.Read(data[:min(len(data), b.p.s.pieceSize())])
	if n > 0 {
		b.p.await(n)
	}
	return n, err
}

// pieceSize returns the number of bytes of an HTTP body that are transferred at once: those of a tenth of a second.
func (s *Server) pieceSize() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speed.BytesPerSecond == 0 {
		return maxFile
	}
	return max(s.speed.BytesPerSecond/10, 1)
}

// waitForLine waits until n bytes of HTTP have crossed a slow line, or for the latency if n is 0. A change of the speed
// applies immediately.
func (s *Server) waitForLine(ctx context.Context, n int) {
	for began := time.Now(); ; {
		s.mu.Lock()
		speed, change := s.speed, s.change()
		s.mu.Unlock()
		d := speed.Latency
		if n > 0 {
			d = speed.OnTheWire(n)
		}
		d -= time.Since(began)
		if d <= 0 {
			return
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-change:
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.done:
			t.Stop()
			return
		}
		t.Stop()
	}
}
