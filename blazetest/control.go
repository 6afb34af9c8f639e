package blazetest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
// It asks for no token, so it answers only requests whose Host is localhost or a loopback address, and refuses those
// that a browser sends for a page of another origin.
//
// GET /blazetest/events tells the events of [Server.Watch] from the first call of Control on, or the first request, as
// server-sent events with ids. The last 10,000 are kept, and at most 64 MiB, for clients that come back with
// Last-Event-ID.
//
// What the Server calls misuse is reported to Errorf here too, and answered with the reason.
func (s *Server) Control() http.Handler { return s.controls() }

// controller is the control interface of one Server.
type controller struct {
	s      *Server
	mux    *http.ServeMux
	origin *http.CrossOriginProtection
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
			s: s, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), events: newEvents(s),
			faults: map[int]*armedFault{},
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
				refuseControl(w, problem(http.StatusMethodNotAllowed, "%s is not served, only %s", r.Method, allow))
			})
		}
		c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			refuseControl(w, problem(http.StatusNotFound, "there is no %s; GET %sopenapi.json lists all paths",
				r.URL.Path, controlPath))
		})
		s.control = c
	})
	return s.control
}

// isControl reports whether a request is for the control interface.
func isControl(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, controlPath) }

func (c *controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := c.guard(r); err != nil {
		refuseControl(w, err)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	c.mux.ServeHTTP(w, r)
}

// guard refuses what a page in a browser could send behind its user's back: with the name of another host that leads to
// this machine, or from another origin. The protection of net/http lets safe methods pass, whose answers tell too much
// here.
func (c *controller) guard(r *http.Request) *controlError {
	if !isLoopback(r.Host) {
		return problem(http.StatusForbidden, "the host %q is neither localhost nor a loopback address", r.Host)
	}
	unsafe := *r
	unsafe.Method = http.MethodPost
	if err := c.origin.Check(&unsafe); err != nil {
		return problem(http.StatusForbidden, "%v", err)
	}
	return nil
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

// controlError is why a request of the control interface was not carried out.
type controlError struct {
	status int
	Reason string `json:"reason" doc:"Why the request was not carried out."`
}

func problem(status int, format string, args ...any) *controlError {
	return &controlError{status, fmt.Sprintf(format, args...)}
}

func invalidBody(format string, args ...any) *controlError {
	return problem(http.StatusBadRequest, format, args...)
}

func refuseControl(w http.ResponseWriter, e *controlError) { writeJSON(w, e.status, e) }

// request is a request of the control interface whose body was read.
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
		refuseControl(w, problem)
		return
	}
	answer, misuse, problem := rt.carryOut(&request{c, r, body})
	switch {
	case problem != nil:
		refuseControl(w, problem)
	case len(misuse) > 0:
		refuseControl(w, invalidBody("%s", strings.Join(misuse, "; ")))
	default:
		rt.write(w, answer)
	}
}

// carryOut does what a request asks for. misuse is what was reported meanwhile.
func (rt *route) carryOut(r *request) (answer any, misuse []string, problem *controlError) {
	s := r.s
	heard := new([]string)
	s.mu.Lock()
	s.attending = append(s.attending, heard)
	s.mu.Unlock()
	answer, problem = rt.do(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attending = slices.DeleteFunc(s.attending, func(other *[]string) bool { return other == heard })
	return answer, *heard, problem
}

// controlState is what a Server knows of its control interface.
type controlState struct {
	attending []*[]string // requests that are carried out: each notes the misuse that is reported
}

// attend notes misuse for the requests that are carried out. The caller does not hold s.mu.
func (s *Server) attend(format string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, heard := range s.attending {
		*heard = append(*heard, fmt.Sprintf(format, args...))
	}
}

// write writes the answer of a request that was carried out.
func (rt *route) write(w http.ResponseWriter, answer any) {
	if file, ok := answer.([]byte); ok {
		w.Header().Set("Content-Type", rt.answersType)
		_, _ = w.Write(file)
		return
	}
	if answer == nil {
		answer = struct{}{}
	}
	writeJSON(w, http.StatusOK, answer)
}

// readJSON reads the body of a request. Unknown members are an error, since they would be forgotten without a word.
func readJSON(body []byte, v any) *controlError {
	if len(body) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalidBody("the body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return invalidBody("the body: more than one value")
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
