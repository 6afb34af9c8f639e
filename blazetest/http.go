package blazetest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const (
	maxBody   = 1 << 20 // of an HTTP request
	handshake = "GET /"
)

// handle serves the control interface, the websocket handshake, the HTTP API and the storage.
func (s *Server) handle(rw http.ResponseWriter, r *http.Request) {
	if isControl(r) {
		s.serveControl(rw, r)
		return
	}
	w := s.slowResponse(rw, r)
	defer w.report()
	s.waitForLine(r.Context(), 0)
	now := s.clock()
	w.Header().Set("X-Server-Time", strconv.FormatInt(now.UnixNano(), 10))
	if isFile(r) {
		s.storage(w, r)
		return
	}
	if id := r.Header.Get("X-Request-Id"); id != "" {
		w.Header().Set("X-Request-Id", id)
	}
	body, ok := s.body(w, r)
	if !ok {
		return
	}
	action := actionOf(r)
	req := Frame{Action: action}
	if json.Valid(body) {
		req.Params = body
	}
	a, open := s.intercept(req)
	if !open {
		return // the server is closing
	}
	if s.answerIntercepted(w, r, a) {
		return
	}
	rejection := s.session.Check(r.Header, r.Method+r.URL.RequestURI()+string(body), now)
	if rejection != nil {
		s.fault("%s: %v", action, rejection)
	}
	if action == handshake {
		w.upgrading = true
		s.upgrade(w, r, rejection)
		return
	}
	if rejection != nil {
		writeError(w, (&serve.Rejection{Code: serve.CodeUnauthorized}).Error())
		return
	}
	s.api(w, r, body)
}

// body reads the body of a request. It returns false if the client has disconnected or the body was rejected as too
// large. Up to 16 MiB more are read and discarded first, because a client that is still writing may not read the
// response.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, false
	}
	if len(body) <= maxBody {
		return body, true
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 16<<20)) // on an error the client has disconnected
	rejection := serve.Invalid("body", "must have at most %d bytes", maxBody)
	s.reportRejection(actionOf(r), rejection)
	writeError(w, rejection.Error())
	return nil, false
}

// answerIntercepted sends the Answer of an interception. It returns false if the request is to be handled as usual.
func (s *Server) answerIntercepted(w http.ResponseWriter, r *http.Request, a Answer) bool {
	switch {
	case a.Bytes != nil || a.Hang || a.Cut:
		s.hijack(w, r, a)
	case a.Reply == nil:
		return false
	case a.Reply.Error != nil:
		e := toWire(a.Reply.Error)
		if (r.URL.Path == "/" || isFile(r)) && e.Code >= 400 && e.Code <= 599 {
			e.Status = e.Code // the handshake and the storage do not use the API's status 202
		}
		writeError(w, e)
	case r.URL.Path == "/":
		s.misuse("Intercept: a handshake cannot be answered with Reply.Data; set Reply.Error or Bytes")
		return false
	default:
		writeJSON(w, http.StatusOK, map[string]any{"data": a.Reply.Data})
	}
	return true
}

// hijack answers with raw bytes, hangs, or closes the connection.
func (s *Server) hijack(w http.ResponseWriter, r *http.Request, a Answer) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.misuse("Intercept: the connection cannot be hijacked: %v", err)
		return
	}
	defer s.forget(c)
	if a.Bytes != nil {
		// On an error the client has disconnected.
		_, _ = c.Write(a.Bytes)
	}
	if a.Hang && !a.Cut {
		_, _ = io.Copy(io.Discard, c)
	}
}

// writeError responds with an error in the form of the HTTP API. The status is 202 for most errors.
func writeError(w http.ResponseWriter, e *wire.Error) {
	status := e.Status
	if status < 200 || status > 599 {
		status = serve.StatusOf(e.Code)
	}
	writeJSON(w, status, map[string]any{"error": e})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	p, err := wire.Marshal(v)
	if err != nil {
		status, p = http.StatusInternalServerError, nil // the data of an Answer is not JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(p) //nolint:gosec // the Content-Type is JSON
}
