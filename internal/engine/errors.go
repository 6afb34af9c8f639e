package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Reasons why nothing is written. Package blaze replaces them with its own errors.
var (
	ErrNotRunning = errors.New("engine: not running")
	ErrConnecting = errors.New("engine: not connected yet")
	ErrClosed     = errors.New("engine: closed")
)

// Codes that may reject the session and not only one request.
const (
	codeUnauthorized   = 401
	codeUpdateRequired = 10006
)

// ConnectionError means that a connection could not be established, or was lost.
type ConnectionError struct {
	Endpoint string
	Lost     bool // the connection was established before
	Err      error
}

// Error names the endpoint and the cause.
func (e *ConnectionError) Error() string {
	if e.Lost {
		return fmt.Sprintf("connection to %s lost: %v", e.Endpoint, e.Err)
	}
	return fmt.Sprintf("cannot connect to %s: %v", e.Endpoint, e.Err)
}

// Unwrap returns Err.
func (e *ConnectionError) Unwrap() error { return e.Err }

// RejectedError means that the service rejected a link, or the session permanently.
type RejectedError struct {
	Rejection *wire.Error
	Action    string        // of the frame or of the HTTP request; "" for the handshake
	Reason    Reason        // in an error of Run
	Skew      time.Duration // with ClockSkew: error of the token's date
}

// Error names the code.
func (e *RejectedError) Error() string { return fmt.Sprintf("rejected with code %d", e.Rejection.Code) }

// DrainError counts the handlers, requests and acknowledgements that were unfinished when Run ended.
type DrainError struct{ Handlers, Requests, Acks int }

// Error lists the counts above 0.
func (e *DrainError) Error() string {
	var parts []string
	for _, p := range []struct {
		what string
		n    int
	}{
		{"handlers still running", e.Handlers},
		{"requests unanswered", e.Requests},
		{"acknowledgements unconfirmed", e.Acks},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", p.what, p.n))
		}
	}
	return strings.Join(parts, ", ")
}
