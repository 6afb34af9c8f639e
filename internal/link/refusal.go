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

// HandshakeError means that the server answered the handshake with something else than a websocket.
type HandshakeError struct {
	Status     int         // HTTP status
	Refusal    *wire.Error // from a JSON body, or nil
	Body       string      // any other body, as package tame shows it
	ServerTime time.Time   // by the server's clock; zero if it did not say
	RetryAfter time.Duration
}

// Error says what the server answered.
func (e *HandshakeError) Error() string {
	s := "handshake refused with status " + strconv.Itoa(e.Status)
	switch {
	case e.Refusal != nil:
		s += ", code " + strconv.Itoa(e.Refusal.Code)
	case e.Body != "":
		s += ", body " + `"` + e.Body + `"`
	}
	return s
}

func refused(resp *http.Response) error {
	e := &HandshakeError{Status: resp.StatusCode}
	// The dialer has already cut the body to 1 KiB.
	body, _ := io.ReadAll(resp.Body)
	var reply struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal(body, &reply) == nil && reply.Error != nil && reply.Error.Code != 0 {
		e.Refusal = reply.Error
	} else {
		e.Body = tame.Text(string(body))
	}
	e.ServerTime, _ = header.ServerTime(resp.Header)
	e.RetryAfter = header.RetryAfter(resp.Header, e.ServerTime)
	return e
}

// safe makes an error of a handshake safe to keep, and fit for a log: some repeat what the server wrote.
func safe(err error) error { return guard.Foreign(guard.Short(err, tame.Most)) }
