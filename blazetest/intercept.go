package blazetest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Frame is a frame of the websocket or an HTTP request. It contains no part of a token.
type Frame struct {
	ID     string          // "" for HTTP
	Action string          // such as CREATE_MESSAGE; for HTTP the method and the path, such as "GET /"
	Params json.RawMessage // of a request; for HTTP the body, if it is JSON
	Data   json.RawMessage // of a reply
	Error  *blaze.Error    // of a reply
}

// Answer is the answer to an intercepted request. The zero value stands for the usual answer. Fields for a request of
// the websocket:
//
//   - Reply replaces the reply, and the request is not carried out: a message is not stored, an acknowledgement does
//     not count. Empty ID and Action are copied from the request.
//   - Hang: the request is carried out and not answered.
//   - Cut: the request is not carried out, and the connection is cut without a close frame. With Reply or Bytes it is
//     cut after they were written.
//   - Hang and Cut: the request is carried out, and the connection is cut.
//   - Bytes is one binary message, written unchanged instead of the reply; it need not be a valid frame. The request
//     is not carried out. Bytes has precedence over Reply.
//
// Differences for HTTP requests, including the handshake:
//
//   - Reply with an Error: the response has the error as its body and the error's Status, which is 202 for most
//     errors, as on the service. For the handshake and files the status is the error's Code if that is between 400
//     and 599. Use Bytes for a response of a gateway.
//   - Reply without an Error: status 200 with Data. For a handshake it is misuse.
//   - Hang: the request is not carried out, and the connection is idle until it ends.
//   - Cut closes the connection.
//   - Bytes is written instead of the response. The connection is closed after it, unless Hang is set.
type Answer struct {
	Reply *Frame
	Hang  bool
	Cut   bool
	Bytes []byte
}

// Refuse returns an Answer that rejects a request with a code, in the form of the service: the status is 500 for
// failures of the service itself (500, 7000, 7001), otherwise 202.
func Refuse(code blaze.Code) Answer {
	return Answer{Reply: &Frame{Error: &blaze.Error{
		Code: code, Status: serve.StatusOf(int(code)), Description: serve.Describe(int(code)),
	}}}
}

// interceptions are the armed interceptions of one action.
type interceptions struct {
	once   []*interception // used once each, in this order
	always []*interception // the last one is called
}

type interception struct{ fn func(Frame) Answer }

// Intercept arms an interception: fn is called with the next request of the action and returns its Answer. Several
// interceptions of an action apply to one request each, in the order in which they were armed, before those of
// InterceptAll. undo disarms the interception, and does nothing after fn was called. An unknown action is misuse. The
// actions of the websocket are
//
//   - LIST_PENDING_MESSAGES, the first request on every connection;
//   - CREATE_MESSAGE;
//   - CREATE_PLAIN_MESSAGES, a batch; if it is rejected, the client sends its messages with CREATE_MESSAGE;
//   - ACKNOWLEDGE_MESSAGE_RECEIPT for one message, and ACKNOWLEDGE_MESSAGE_RECEIPTS for several;
//   - PING, which some clients send.
//
// The actions of HTTP are a method and a path. "GET /" or "handshake" is the handshake. A client sends "GET /me" after
// a 401 on the websocket; to simulate a revoked session, reject both.
//
// fn runs on a goroutine of its own while its connection waits; other connections continue. fn may call any method of
// the Server, including Intercept. The request is validated only if it is carried out.
func (s *Server) Intercept(action string, fn func(req Frame) Answer) (undo func()) {
	return s.arm("Intercept", action, fn, func(a *interceptions) *[]*interception { return &a.once })
}

// InterceptAll arms an interception for every request of the action, until undo is called. If several are armed for an
// action, only the newest is called; after its undo the previous one applies again. undo may be called by fn, and
// repeatedly. fn may be called concurrently, on one goroutine per connection.
func (s *Server) InterceptAll(action string, fn func(req Frame) Answer) (undo func()) {
	return s.arm("InterceptAll", action, fn, func(a *interceptions) *[]*interception { return &a.always })
}

// Armed returns the armed interceptions as strings: the action, a space, and "once" or "always", for example "POST
// /attachments once". They are sorted by action; those of one action are in the order in which they apply.
func (s *Server) Armed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var armed []string
	for _, action := range slices.Sorted(maps.Keys(s.intercepts)) {
		for range s.intercepts[action].once {
			armed = append(armed, action+" once")
		}
		for range s.intercepts[action].always {
			armed = append(armed, action+" always")
		}
	}
	return armed
}

// arm adds an interception to a list of its action.
func (s *Server) arm(
	method, action string, fn func(Frame) Answer, of func(*interceptions) *[]*interception,
) (undo func()) {
	if fn == nil {
		s.misuse("%s(%q): the function is nil", method, action)
		return func() {}
	}
	if action == "handshake" {
		action = handshake
	}
	if !interceptable(action) {
		s.misuse("%s(%q): unknown action", method, action)
	}
	armed := &interception{fn}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.intercepts[action]
	if all == nil {
		all = new(interceptions)
		s.intercepts[action] = all
	}
	list := of(all)
	*list = append(*list, armed)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*list = slices.DeleteFunc(*list, func(other *interception) bool { return other == armed })
	}
}

// interceptable reports whether clients write the action, according to the specification. It accepts any HTTP request.
func interceptable(action string) bool {
	switch action {
	case wire.ActionListPending, wire.ActionCreateMessage, wire.ActionCreatePlain, wire.ActionAck, wire.ActionAcks,
		actionPing:
		return true
	}
	return strings.Contains(action, " ")
}

// armedFor returns the interception for a request, or nil. An interception of Intercept is removed.
func (s *Server) armedFor(action string) *interception {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.intercepts[action]
	switch {
	case all == nil:
		return nil
	case len(all.once) > 0:
		next := all.once[0]
		all.once = slices.Delete(all.once, 0, 1)
		return next
	case len(all.always) > 0:
		return all.always[len(all.always)-1]
	}
	return nil
}

// intercept calls the function that is armed for a request's action, if any. It returns false if the server was closed
// in the meantime.
func (s *Server) intercept(req Frame) (Answer, bool) {
	armed := s.armedFor(req.Action)
	if armed == nil {
		return Answer{}, true
	}
	// A goroutine of its own: Close does not wait for fn, net/http does not recover its panic, and t.FailNow ends only
	// fn.
	answer := make(chan Answer, 1)
	go func() {
		defer close(answer)
		answer <- armed.fn(req)
	}()
	select {
	case a := <-answer:
		return a, true
	case <-s.done:
		return Answer{}, false
	}
}

// toWire converts an error to its form in frames and HTTP bodies.
func toWire(e *blaze.Error) *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Status: e.Status, Code: int(e.Code), Description: e.Description, Extra: e.Extra}
}
