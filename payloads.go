package blaze

// Payload is what a message says.
type Payload interface {
	// Category is the plain category the payload is sent as.
	Category() Category
	// data validates the payload and returns the bytes that go base64-encoded into the frame.
	data() ([]byte, error)
}
