package blazetest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mixin-blaze/blaze"
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
// For HTTP requests, the handshake included, a Reply with an Error is a refusal: its body is the error, and its
// status the error's Code if that is between 400 and 599, else its Status. A Reply without an Error answers 200 with
// its Data, and is misuse for a handshake. Hang says nothing until the connection ends, and the request is not
// carried out; Cut closes the connection; Bytes is written in place of the HTTP response, and the connection closed,
// or with Hang kept.
type Answer struct {
	Reply *Frame
	Hang  bool
	Cut   bool
	Bytes []byte
}

// Refuse returns the Answer that refuses a request with code, as the service would: with status 500 for its own
// failures (500, 7000, 7001), and 202 for everything else.
func Refuse(code blaze.Code) Answer {
	return Answer{Reply: &Frame{Error: &blaze.Error{Code: code, Status: statusOf(code), Description: describe(code)}}}
}

// Intercept arms one interception: fn gets the next request of the action and decides how it is answered. Several
// interceptions of an action are used up in the order in which they were armed, one for each request. Actions are
// those of the websocket,
//
//   - LIST_PENDING_MESSAGES, first on every connection;
//   - CREATE_MESSAGE, and CREATE_PLAIN_MESSAGES for the frames of a batch, whose messages follow as CREATE_MESSAGE, one
//     by one, if it is refused;
//   - ACKNOWLEDGE_MESSAGE_RECEIPT for one message, and ACKNOWLEDGE_MESSAGE_RECEIPTS for several;
//
// and of HTTP, for example "GET /" for the handshake, and "GET /me", which a client asks whether its session is valid
// after a 401 at the websocket: a session is gone only if both are refused. Any other action is misuse.
//
// fn runs in a goroutine of its own while its connection waits; other connections go on. The server holds no lock
// meanwhile: fn may call any method of the Server, Intercept too, so as to be armed again. The request is not checked
// before fn gets it, and is checked afterwards only if it is carried out.
func (s *Server) Intercept(action string, fn func(req Frame) Answer) {
	if fn == nil {
		s.misuse("Intercept(%q): the function is nil", action)
		return
	}
	switch action {
	case wire.ActionListPending, wire.ActionCreateMessage, wire.ActionCreatePlain, wire.ActionAck, wire.ActionAcks:
	default:
		if !strings.Contains(action, " ") {
			s.misuse("Intercept(%q): no client writes that action", action)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercepts[action] = append(s.intercepts[action], fn)
}

// intercept asks the function armed for the request's action, if there is one. False means that the server was closed
// meanwhile.
func (s *Server) intercept(req Frame) (Answer, bool) {
	s.mu.Lock()
	armed := s.intercepts[req.Action]
	if len(armed) == 0 {
		s.mu.Unlock()
		return Answer{}, true
	}
	s.intercepts[req.Action] = armed[1:]
	s.mu.Unlock()

	// A goroutine of its own, so that Close need not wait for fn, a panic is not swallowed by net/http, and t.FailNow
	// ends nothing but fn.
	answer := make(chan Answer, 1)
	go func() {
		defer close(answer)
		answer <- armed[0](req)
	}()
	select {
	case a := <-answer:
		return a, true
	case <-s.done:
		return Answer{}, false
	}
}

func statusOf(code blaze.Code) int {
	switch code {
	case blaze.CodeServer, blaze.CodeBlazeServer, blaze.CodeBlazeTimeout:
		return http.StatusInternalServerError
	}
	return http.StatusAccepted
}

func describe(code blaze.Code) string {
	switch code {
	case blaze.CodeBlazeServer:
		return "Blaze server error"
	case blaze.CodeBlazeTimeout:
		return "Blaze operation timeout"
	case blaze.CodeInvalidField:
		return "Invalid field"
	case blaze.CodeUpdateRequired:
		return "Update required"
	case blaze.CodeGroupFull:
		return "The group is full"
	case blaze.CodeChecksum:
		return "Conversation checksum is not valid"
	}
	if text := http.StatusText(int(code)); text != "" {
		return text
	}
	return "Refused"
}

// toWire returns e as frames and HTTP bodies have it.
func toWire(e *blaze.Error) *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Status: e.Status, Code: int(e.Code), Description: e.Description, Extra: e.Extra}
}
