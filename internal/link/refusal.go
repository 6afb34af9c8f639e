package link

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/header"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// maxText is how much is kept of what a server wrote, in bytes.
const maxText = 200

// HandshakeError means that the server answered the handshake with something else than a websocket.
type HandshakeError struct {
	Status     int         // HTTP status
	Refusal    *wire.Error // from a JSON body, or nil
	Body       string      // the beginning of any other body
	ServerTime time.Time   // by the server's clock; zero if it did not say
	RetryAfter time.Duration
}

// Error says what the server answered; its text is shortened and escaped.
func (e *HandshakeError) Error() string {
	s := "handshake refused with status " + strconv.Itoa(e.Status)
	switch {
	case e.Refusal != nil:
		s += ", code " + strconv.Itoa(e.Refusal.Code)
	case e.Body != "":
		s += ", body " + strconv.Quote(e.Body)
	}
	return s
}

func refused(resp *http.Response, token string) error {
	e := &HandshakeError{Status: resp.StatusCode}
	// The dialer has already cut the body to 1 KiB.
	raw, _ := io.ReadAll(resp.Body)
	body := redact(string(raw), token)
	var reply struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal([]byte(body), &reply) == nil && reply.Error != nil && reply.Error.Code != 0 {
		e.Refusal = reply.Error
	} else {
		e.Body = body[:min(len(body), maxText)]
	}
	e.ServerTime = header.ServerTime(resp.Header)
	e.RetryAfter = header.RetryAfter(resp.Header, e.ServerTime)
	return e
}

// redact takes the token out of what a server wrote: some answer with the request that they got.
func redact(s, token string) string {
	if token == "" {
		return s
	}
	const hidden = "[token]"
	s = strings.ReplaceAll(s, token, hidden)
	for part := range strings.SplitSeq(token, ".") {
		if part != "" {
			s = strings.ReplaceAll(s, part, hidden)
		}
	}
	// Where s was cut, the beginning of the token may be the end of it.
	if i := strings.Index(s, token[:min(len(token), 16)]); i >= 0 {
		s = s[:i] + hidden
	}
	return s
}

// tame makes an error of a handshake safe to keep, and fit for a log: some repeat what the server wrote, of any length.
func tame(err error, token string) error {
	text := err.Error()
	if redacted := redact(text, token); redacted != text {
		err = guard.Retold(nil, redacted) // err holds the token
	}
	return guard.Foreign(guard.Short(err, 2*maxText))
}
