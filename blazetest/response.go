package blazetest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// response is the answer to an HTTP request, as slow as the Server is to be. It counts what was written.
type response struct {
	http.ResponseWriter
	s *Server
	r *http.Request

	status, size int
	upgrading    bool // to a websocket, unless the status says otherwise
	taken        bool // the connection is out of the hands of net/http
}

// pacedResponse prepares the answer to a request, whose body becomes as slow as the Server.
func (s *Server) slowResponse(w http.ResponseWriter, r *http.Request) *response {
	p := &response{ResponseWriter: w, s: s, r: r}
	r.Body = &slowBody{ReadCloser: r.Body, p: p}
	return p
}

// Unwrap is what http.ResponseController asks for.
func (p *response) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Hijack is what websockets ask for.
func (p *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(p.ResponseWriter).Hijack()
	p.taken = err == nil
	return c, rw, err
}

func (p *response) WriteHeader(status int) {
	p.status = status
	p.ResponseWriter.WriteHeader(status)
}

// Write writes in pieces where the line is slow, so that a client sees that it is alive.
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
		// A failure shows in the next Write.
		_ = http.NewResponseController(p.ResponseWriter).Flush()
	}
}

// await waits until a slow line has carried n bytes.
func (p *response) await(n int) { p.s.waitForLine(p.r.Context(), n) }

// report tells what became of the request.
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

// atOnce is how many bytes of an HTTP body pass at once: those of a tenth of a second.
func (s *Server) pieceSize() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speed.BytesPerSecond == 0 {
		return maxFile
	}
	return max(s.speed.BytesPerSecond/10, 1)
}

// carry waits until a slow line has carried n bytes of HTTP, or for its latency if n is 0, by the pace that there is
// meanwhile.
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
