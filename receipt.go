package blaze

import "time"

// Status is how far a message has come.
type Status string

// The statuses of the protocol.
const (
	StatusSent      Status = "SENT"      // stored by the server
	StatusDelivered Status = "DELIVERED" // received by the recipient's client
	StatusRead      Status = "READ"      // read by the recipient
)

// Receipt says that a recipient's client got or read one of our messages.
type Receipt struct {
	MessageID string
	Status    Status    // StatusDelivered or StatusRead
	At        time.Time // by the server's clock
}
