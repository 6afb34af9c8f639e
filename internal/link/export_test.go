package link

// Internals for the tests in package link_test.
var (
	Jumped  = jumped
	Helpers = helpers
)

// SpareChunks returns the number of chunks kept for reuse.
func SpareChunks() int { return len(chunks) }

// AppendFrame appends a binary frame.
func AppendFrame(dst, payload []byte) []byte { return appendFrame(dst, opBinary, payload) }
