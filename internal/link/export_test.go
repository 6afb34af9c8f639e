package link

// What the tests, which are in package link_test, may reach inside the package.
var (
	Jumped  = jumped
	Helpers = helpers
)

// UnitsKept is how many chunks nobody uses.
func UnitsKept() int { return len(chunks) }

// AppendFrame appends a binary frame.
func AppendFrame(dst, payload []byte) []byte { return appendFrame(dst, opBinary, payload) }
