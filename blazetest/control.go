package blazetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// controlPath is the path prefix of the control interface.
const controlPath = "/blazetest/"

// Control returns the control interface: the features of the Server over HTTP, for tests in any language. It serves the
// paths below /blazetest/. A Server serves it on its own listener too; mount it where a web page needs it. Requests and
// responses are JSON; an error is an object with a reason. GET /blazetest/openapi.json describes all requests,
// docs/blazetest-http.md explains them.
//
// There is no token. Instead, wherever the handler is mounted, a request must meet all of these conditions. Others are
// rejected with 403.
//
//   - It arrives over TCP from a loopback address (RemoteAddr), over a unix socket or from memory.
//   - Its Host is localhost or a loopback address.
//   - It was not sent by a browser for a page of another origin.
//
// GET /blazetest/events streams the events of [Server.Watch] as server-sent events with ids. Events are collected from
// the first call of Control or the first accepted request on. The last 10,000 events, up to 64 MiB, are stored for
// clients that reconnect with Last-Event-ID.
//
// Misuse is the error of the request that caused it, and is not reported to Errorf.
func (s *Server) Control() http.Handler {
	s.controls()
	return http.HandlerFunc(s.serveControl)
}

// controller is the control interface of one Server.
type controller struct {
	s      *Server
	mux    *http.ServeMux
	events *events

	mu     sync.Mutex // guards the fields below; acquired before Server.mu, not locked during calls of user code
	faults map[int]*armedFault
	last   int // number of the latest fault
	tape   *tape
}

// controls returns the controller. The first call creates it.
func (s *Server) controls() *controller {
	s.controlOnce.Do(func() {
		c := &controller{
			s: s, mux: http.NewServeMux(), events: newEvents(s), faults: map[int]*armedFault{},
		}
		allowed := map[string][]string{}
		for _, rt := range routes() {
			path := strings.TrimSuffix(controlPath, "/") + rt.path
			c.mux.HandleFunc(rt.method+" "+path, func(w http.ResponseWriter, r *http.Request) {
				rt.serve(c, w, r)
			})
			allowed[path] = append(allowed[path], rt.method)
		}
		for path, methods := range allowed {
			allow := strings.Join(methods, ", ")
			c.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Allow", allow)
				writeProblem(w, problem(http.StatusMethodNotAllowed, "%s is not allowed, use %s", r.Method, allow))
			})
		}
		c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			writeProblem(w, problem(http.StatusNotFound, "unknown path %s; GET %sopenapi.json lists all paths",
				r.URL.Path, controlPath))
		})
		s.control = c
	})
	return s.control
}

// isControl reports whether a request is for the control interface.
func isControl(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, controlPath) }

// serveControl handles a request for the control interface. A rejected request does not create the controller, which
// would collect events.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := guardControl(r); err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	s.controls().mux.ServeHTTP(w, r)
}

// guardControl rejects requests from other machines, and requests that a web page can make: with a Host that resolves
// to this machine, or from another origin. CrossOriginProtection allows safe methods, but responses to GET contain
// secrets here, so the check is made as for a POST.
func guardControl(r *http.Request) *controlError {
	if !isLocalPeer(r.RemoteAddr) {
		return problem(http.StatusForbidden, "the client's address %q is not a loopback address", r.RemoteAddr)
	}
	if !isLoopback(r.Host) {
		return problem(http.StatusForbidden, "the host %q is neither localhost nor a loopback address", r.Host)
	}
	unsafe := *r
	unsafe.Method = http.MethodPost
	if err := new(http.CrossOriginProtection).Check(&unsafe); err != nil {
		return problem(http.StatusForbidden, "%v", err)
	}
	return nil
}

// isLocalPeer reports whether a connection's remote address is on this machine. An address that is neither an IP
// address nor a host and port belongs to a unix socket or an in-memory connection.
func isLocalPeer(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(remote, "["), "]")
	}
	ip, notIP := netip.ParseAddr(host)
	if notIP != nil {
		return err != nil
	}
	return ip.Unmap().IsLoopback()
}

// isLoopback reports whether a Host header names this machine.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func writeProblem(w http.ResponseWriter, e *controlError) { writeJSON(w, e.status, e) }

// request is a request of the control interface, with its body.
type request struct {
	*controller
	http *http.Request
	body []byte
}

// serve handles a request of the route.
func (rt *route) serve(c *controller, w http.ResponseWriter, r *http.Request) {
	if rt.stream != nil {
		rt.stream(c, w, r)
		return
	}
	body, problem := rt.read(w, r)
	if problem != nil {
		writeProblem(w, problem)
		return
	}
	answer, problem := rt.do(&request{controller: c, http: r, body: body})
	if problem != nil {
		writeProblem(w, problem)
		return
	}
	rt.write(w, answer)
}

// write writes the response of a successful request. A nil answer stands for the zero value of the route's type.
func (rt *route) write(w http.ResponseWriter, answer any) {
	switch file := answer.(type) {
	case []byte:
		w.Header().Set("Content-Type", rt.answersType)
		_, _ = w.Write(file)
		return
	case recordingSoFar:
		w.Header().Set("Content-Type", rt.answersType)
		w.Header().Set(fullHeader, strconv.FormatBool(file.full))
		_, _ = w.Write(file.text)
		return
	}
	if answer == nil {
		answer = rt.out
	}
	if answer == nil {
		answer = struct{}{}
	}
	writeJSON(w, http.StatusOK, answer)
}

// readJSON decodes the body of a request. Unknown fields are errors, to detect typing mistakes.
func readJSON(body []byte, v any) *controlError {
	if len(body) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalidBody("request body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalidBody("request body: data after the JSON value")
	}
	return nil
}

// raw returns v as JSON.
func raw(v any) json.RawMessage {
	p, err := wire.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return p
}
