package blaze

// What the tests, which are in package blaze_test, may reach inside the package.
var (
	NewSigner  = newSigner
	NewMessage = newMessage
)
