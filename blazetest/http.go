package blazetest

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const (
	subprotocol = "Mixin-Blaze-1"
	maxBody     = 1 << 20 // of an HTTP request
	handshake   = "GET /"
)

// handle serves the websocket handshake, the HTTP API and the storage, and refuses what else a client asks for.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	w.Header().Set("X-Server-Time", strconv.FormatInt(now.UnixNano(), 10))
	if isFile(r) {
		s.storage(w, r)
		return
	}
	if id := r.Header.Get("X-Request-Id"); id != "" {
		w.Header().Set("X-Request-Id", id)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the client has gone, or says too much
	}
	action := r.Method + " " + r.URL.Path
	req := Frame{Action: action}
	if json.Valid(body) {
		req.Params = body
	}
	a, ok := s.intercept(req)
	if !ok {
		return // the server is closing
	}
	if s.special(w, r, a) {
		return
	}
	if err := checkToken(r.Header, s.public, r.Method+r.URL.RequestURI()+string(body), now); err != nil {
		s.fault("%s: %v", action, err)
		refuseHTTP(w, Refuse(blaze.CodeUnauthorized).Reply.Error)
		return
	}
	if action == handshake {
		s.upgrade(w, r)
		return
	}
	if s.api(w, r, body) {
		return
	}
	s.fault("%s is not served here", action)
	refuseHTTP(w, Refuse(blaze.CodeNotFound).Reply.Error)
}

// special gives the answer that an interception asks for. False means that there is none.
func (s *Server) special(w http.ResponseWriter, r *http.Request, a Answer) bool {
	switch {
	case a.Bytes != nil || a.Hang || a.Cut:
		s.misbehave(w, r, a)
	case a.Reply == nil:
		return false
	case a.Reply.Error != nil:
		refuseHTTP(w, a.Reply.Error)
	case r.URL.Path == "/":
		s.misuse("Intercept: a handshake can be refused with Reply.Error; it has no other reply")
		return false
	default:
		writeJSON(w, http.StatusOK, map[string]any{"data": a.Reply.Data})
	}
	return true
}

// misbehave takes the connection out of the hands of net/http.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, a Answer) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.misuse("Intercept: this connection cannot be taken over: %v", err)
		return
	}
	defer s.forget(c)
	if a.Bytes != nil {
		// An error means that the client has gone.
		_, _ = c.Write(a.Bytes)
	}
	if a.Hang && !a.Cut {
		_, _ = io.Copy(io.Discard, c)
	}
}

// refuseHTTP answers with an error in the form of the service's HTTP API.
func refuseHTTP(w http.ResponseWriter, e *blaze.Error) {
	status := e.Status
	if code := int(e.Code); code >= 400 && code <= 599 {
		status = code
	}
	if status < 200 || status > 599 {
		status = http.StatusAccepted
	}
	writeJSON(w, status, map[string]any{"error": toWire(e)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	p, err := wire.Marshal(v)
	if err != nil {
		status, p = http.StatusInternalServerError, nil // an Answer that is no JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(p)
}

// upgrade makes a websocket of the request. It asks for no compression and accepts none, as the service does.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(websocket.Subprotocols(r), subprotocol) {
		s.fault("the handshake does not ask for the subprotocol %s", subprotocol)
	}
	raw, _ := r.Context().Value(connKey{}).(net.Conn)
	up := websocket.Upgrader{Subprotocols: []string{subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, http.Header{"X-Server-Time": w.Header()["X-Server-Time"]})
	if err != nil {
		var refusal websocket.HandshakeError
		if errors.As(err, &refusal) {
			s.fault("the handshake: %v", err)
			return
		}
		s.forget(raw) // net/http has let go of it
		return
	}
	s.adopt(&conn{s: s, ws: ws, raw: raw, wake: make(chan struct{}, 1), gone: make(chan struct{})})
}
