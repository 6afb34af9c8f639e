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

// AckMode says when a message is acknowledged, which is when the server stops sending it again.
type AckMode int

// The acknowledgement modes.
const (
	// AckHandled acknowledges a message when its handler returned nil and the Ledger recorded it: at least once.
	AckHandled AckMode = iota
	// AckReceived acknowledges a message when a worker takes it, before the handler runs. The handler is still tried again
	// in this process: at most once over a crash.
	AckReceived
	// AckManual leaves acknowledging and recording to Client.Ack. Until then this process does not handle the message
	// again, and the next start does. A message that is given up is reported and stays pending.
	AckManual
)

// Receipt says that a recipient's client got or read one of our messages.
type Receipt struct {
	MessageID string
	Status    Status    // StatusDelivered or StatusRead
	At        time.Time // by the server's clock
}
