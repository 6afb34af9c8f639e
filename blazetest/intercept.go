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

// Frame is one frame of the websocket, or an HTTP request. It holds no part of a token.
type Frame struct {
	ID     string          // "" for HTTP
	Action string          // CREATE_MESSAGE and so on; for HTTP the method and the path, as in "GET /"
	Params json.RawMessage // of a request; for HTTP the body, if it is JSON
	Data   json.RawMessage // of a reply
	Error  *blaze.Error    // of a reply
}

// Answer is how an intercepted request is answered. The zero Answer means: as usual.
//
//   - Reply is sent in place of the usual reply, and the request is not carried out: a message is not stored, an
//     acknowledgement does not count. Its ID and Action are filled in from the request where they are empty.
//   - Hang: the request is carried out, but never answered.
//   - Cut: the request is not carried out, and the connection is cut without a close frame. Cut with a Reply or with
//     Bytes cuts once these are written.
//   - Hang and Cut: the request is carried out, and the connection is cut in place of an answer.
//   - Bytes is written as it is, as one binary message of the websocket, in place of the reply, and the request is not
//     carried out. It need not be a frame. Bytes wins over Reply.
//
// For HTTP requests, the handshake included, a Reply with an Error is a refusal: its body is the error, and its status
// the error's Status, which is 202 for most, as on the service. Only a handshake and a file, which are no part of the
// API, have the error's Code as status if that is between 400 and 599; what a gateway says in the service's place is
// given as Bytes. A Reply without an Error answers 200 with its Data, and is misuse for a handshake. Hang says nothing
// until the connection ends, and the request is not carried out; Cut closes the connection; Bytes is written in place
// of the HTTP response, and the connection closed, or with Hang kept.
type Answer struct {
	Reply *Frame
	Hang  bool
	Cut   bool
	Bytes []byte
}

// Refuse returns the Answer that refuses a request with code, as the service would: with status 500 for its own
// failures (500, 7000, 7001), and 202 for everything else.
func Refuse(code blaze.Code) Answer {
	return Answer{Reply: &Frame{Error: &blaze.Error{
		Code: code, Status: serve.StatusOf(int(code)), Description: serve.Describe(int(code)),
	}}}
}

// interceptions are those armed for one action.
type interceptions struct {
	once   []*interception // in the order in which they are used up
	always []*interception // the last one is asked
}

type interception struct{ fn func(Frame) Answer }

// Intercept arms one interception: fn gets the next request of the action and decides how it is answered. Several
// interceptions of an action are used up in the order in which they were armed, one for each request, before those of
// InterceptAll are asked. undo disarms this one; it does nothing once fn has got its request. Actions are those of the
// websocket,
//
//   - LIST_PENDING_MESSAGES, first on every connection;
//   - CREATE_MESSAGE, and CREATE_PLAIN_MESSAGES for the frames of a batch, whose messages follow as CREATE_MESSAGE, one
//     by one, if it is refused;
//   - ACKNOWLEDGE_MESSAGE_RECEIPT for one message, and ACKNOWLEDGE_MESSAGE_RECEIPTS for several;
//   - PING, which some clients ask;
//
// and of HTTP, for example "GET /" or "handshake" for the handshake, and "GET /me", which a client asks whether its
// session is valid after a 401 at the websocket: a session is gone only if both are refused. Any other action is
// misuse.
//
// fn runs in a goroutine of its own while its connection waits; other connections go on. The server holds no lock
// meanwhile: fn may call any method of the Server, Intercept too, so as to be armed again. The request is not checked
// before fn gets it, and is checked afterwards only if it is carried out.
func (s *Server) Intercept(action string, fn func(req Frame) Answer) (undo func()) {
	return s.arm("Intercept", action, fn, func(a *interceptions) *[]*interception { return &a.once })
}

// InterceptAll arms an interception as Intercept does, for every request of the action until undo is called. Of several
// for one action only the newest is asked; after its undo, the one before it is again. undo may be called by fn, and
// more than once. fn may be called by several goroutines at once, one for each connection.
func (s *Server) InterceptAll(action string, fn func(req Frame) Answer) (undo func()) {
	return s.arm("InterceptAll", action, fn, func(a *interceptions) *[]*interception { return &a.always })
}

// Armed lists the interceptions that are armed, as the action and "once" or "always" with a space between, for example
// "POST /attachments once". It is sorted by action, and for one action in the order in which they take effect.
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

// arm adds an interception to one of the lists of its action.
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
		s.misuse("%s(%q): no client writes that action", method, action)
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

// interceptable reports whether a client writes an action, as far as the specification says; any HTTP request may be.
func interceptable(action string) bool {
	switch action {
	case wire.ActionListPending, wire.ActionCreateMessage, wire.ActionCreatePlain, wire.ActionAck, wire.ActionAcks,
		actionPing:
		return true
	}
	return strings.Contains(action, " ")
}

// armedFor takes the interception that a request of an action belongs to, nil if there is none.
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

// intercept asks the function armed for the request's action, if there is one. False means that the server was closed
// meanwhile.
func (s *Server) intercept(req Frame) (Answer, bool) {
	armed := s.armedFor(req.Action)
	if armed == nil {
		return Answer{}, true
	}
	// A goroutine of its own, so that Close need not wait for fn, a panic is not swallowed by net/http, and t.FailNow
	// ends nothing but fn.
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

// toWire returns e as frames and HTTP bodies have it.
func toWire(e *blaze.Error) *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Status: e.Status, Code: int(e.Code), Description: e.Description, Extra: e.Extra}
}
