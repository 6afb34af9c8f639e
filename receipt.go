package blaze

import "time"

// Status is the state of a message.
type Status string

// Statuses of the protocol.
const (
	StatusSent      Status = "SENT"      // stored by the server
	StatusDelivered Status = "DELIVERED" // received by the recipient's client
	StatusRead      Status = "READ"      // read by the recipient
)

// Receipt reports that a recipient's client received or read a message of the bot.
type Receipt struct {
	MessageID string
	Status    Status    // StatusDelivered or StatusRead
	At        time.Time // server time
}
