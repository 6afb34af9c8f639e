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

// controlPath is where the control interface is.
const controlPath = "/blazetest/"

// Control returns the control interface: everything that a test can do with the Server, over HTTP, for tests in any
// language. It serves the paths below /blazetest/, which the Server serves on its own listener too; mount it where a
// page needs it. It takes and returns JSON; an error is an object with a reason. GET /blazetest/openapi.json describes
// all of it, and docs/blazetest-http.md is its page.
//
// It asks for no token. Instead a request must fulfil all of this, wherever the handler is mounted: it comes over TCP
// from a loopback address (by its RemoteAddr), over a unix socket or from memory; its Host is localhost or a loopback
// address; and no browser sends it for a page of another origin. Other requests are refused with 403.
//
// GET /blazetest/events sends the events of [Server.Watch] from the first call of Control on, or from the first request
// that is not refused, as server-sent events with ids. The last 10,000 are kept, and at most 64 MiB, for clients that
// connect again with Last-Event-ID.
//
// Misuse is the error of the request that caused it, with the reason, and is not reported to Errorf.
func (s *Server) Control() http.Handler {
	s.controls()
	return http.HandlerFunc(s.serveControl)
}

// controller is the control interface of one Server.
type controller struct {
	s      *Server
	mux    *http.ServeMux
	events *events

	mu     sync.Mutex // guards all below; taken before Server.mu, never while a function of the test runs
	faults map[int]*armedFault
	last   int // number of a fault
	tape   *tape
}

// controls returns the controller, and makes it for the first call.
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
				writeProblem(w, problem(http.StatusMethodNotAllowed, "%s is not served, only %s", r.Method, allow))
			})
		}
		c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			writeProblem(w, problem(http.StatusNotFound, "there is no %s; GET %sopenapi.json lists all paths",
				r.URL.Path, controlPath))
		})
		s.control = c
	})
	return s.control
}

// isControl reports whether a request is for the control interface.
func isControl(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, controlPath) }

// serveControl answers a request for the control interface. A refused one makes no controller, which keeps events.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := guardControl(r); err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	s.controls().mux.ServeHTTP(w, r)
}

// guardControl refuses requests of other machines, and those that a page in a browser can make: with the name of
// another host that resolves to this machine, or from another origin. The protection of net/http allows safe methods,
// but here their answers hold secrets.
func guardControl(r *http.Request) *controlError {
	if !isLocalPeer(r.RemoteAddr) {
		return problem(http.StatusForbidden, "the client's address %q is no loopback address", r.RemoteAddr)
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

// isLocalPeer reports whether a connection's remote address is on this machine. An address that is neither an IP nor a
// host and port is that of a unix socket or of a connection in memory.
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

// serve answers a request of a route.
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

// write writes the answer of a request that was carried out. Nil is the zero value of the route's answer.
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

// readJSON reads the body of a request. Unknown fields are errors, so that typing mistakes are not ignored.
func readJSON(body []byte, v any) *controlError {
	if len(body) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalidBody("the body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalidBody("the body: something follows the value")
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
