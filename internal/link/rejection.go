package link

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/header"
	"github.com/mixin-blaze/blaze/internal/tame"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// HandshakeError means that the server's response to the handshake was not a websocket.
type HandshakeError struct {
	Status     int         // HTTP status
	Rejection  *wire.Error // from a JSON body, or nil
	Body       string      // any other body, sanitized by package tame
	ServerTime time.Time   // server time; zero if there was none
	RetryAfter time.Duration
}

// Error describes the response.
func (e *HandshakeError) Error() string {
	s := "handshake rejected with status " + strconv.Itoa(e.Status)
	switch {
	case e.Rejection != nil:
		s += ", code " + strconv.Itoa(e.Rejection.Code)
	case e.Body != "":
		s += ", body " + `"` + e.Body + `"`
	}
	return s
}

func rejection(resp *http.Response) error {
	e := &HandshakeError{Status: resp.StatusCode}
	// The dialer has cut the body to 1 KiB.
	body, _ := io.ReadAll(resp.Body)
	var reply struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal(body, &reply) == nil && reply.Error != nil && reply.Error.Code != 0 {
		e.Rejection = reply.Error
	} else {
		e.Body = tame.Text(string(body))
	}
	e.ServerTime, _ = header.ServerTime(resp.Header)
	e.RetryAfter = header.RetryAfter(resp.Header, e.ServerTime)
	return e
}

// safe sanitizes an error of a handshake for logs, because some repeat text of the server.
func safe(err error) error { return guard.Foreign(guard.Short(err, tame.Most)) }
