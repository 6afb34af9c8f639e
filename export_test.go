package blaze

// What the tests, which are in package blaze_test, may reach inside the package.
var (
	NewSigner  = newSigner
	NewMessage = newMessage
	ReadOnly   = readOnly

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
