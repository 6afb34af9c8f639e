package blaze

import (
	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Access to internals for the tests, which are in package blaze_test.
var (
	NewSigner = newSigner
	ReadOnly  = readOnly
	OpenTo    = openTo

	NewSessionDirectory = newSessionDirectory
	WasCanceled         = (*Jobs).wasCanceled
	SessionsOf          = (*sessionDirectory).of
	SetSessions         = (*sessionDirectory).set
	DropSessions        = (*sessionDirectory).drop
)

// NewMessage returns the Message of an attempt.
func NewMessage(v *wire.Message, botID string, attempt int, unseal func(*wire.Message) ([]byte, error)) *Message {
	return &newMessage(v, botID, attempt, unseal).message
}

// Session is a session of a user.
type Session = session

// LimitSessions makes a client that has sent nothing yet remember the sessions of at most n users.
func LimitSessions(c *Client, n uint64) {
	c.sessions = newSessionDirectory(n, fetchSessions(c.rest))
	c.deliverer.sessions = c.sessions
}

// Introduce makes a client know its own profile, as after a response to GET /me.
func Introduce(c *Client) { c.identity.keep(User{ID: c.appID, IdentityNumber: "7000101488"}) }

// ObserveBadFrame reports a skipped frame to a client.
func ObserveBadFrame(c *Client, err error) {
	c.observer.Observe(engine.Event{Kind: engine.FrameSkipped, Err: err})
}
