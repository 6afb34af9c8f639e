package blaze

import "github.com/mixin-blaze/blaze/internal/engine"

// What the tests, which are in package blaze_test, may reach inside the package.
var (
	NewSigner  = newSigner
	NewMessage = newMessage
	ReadOnly   = readOnly
	OpenTo     = openTo

	NewSessionDirectory = newSessionDirectory
	SessionsOf          = (*sessionDirectory).of
	SetSessions         = (*sessionDirectory).set
	DropSessions        = (*sessionDirectory).drop
)

// Session is one session of a user.
type Session = session

// LimitSessions makes a client that has sent nothing yet remember the sessions of at most n users.
func LimitSessions(c *Client, n uint64) {
	c.sessions = newSessionDirectory(n, fetchSessions(c.rest))
	c.deliverer.sessions = c.sessions
}

// ObserveBadFrame tells a client of a frame that was skipped.
func ObserveBadFrame(c *Client, err error) {
	c.observer.Observe(engine.Event{Kind: engine.FrameSkipped, Err: err})
}
