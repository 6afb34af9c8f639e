package blaze

// What the tests, which are in package blaze_test, may reach inside the package.
var (
	NewSigner  = newSigner
	NewMessage = newMessage
)

// SetMostSessions changes of how many users the sessions are remembered, and returns what undoes it.
func SetMostSessions(n int) (undo func()) {
	before := mostSessions
	mostSessions = n
	return func() { mostSessions = before }
}
