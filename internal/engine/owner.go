package engine

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Owner handles what an Engine delivers. Its methods run user code.
type Owner interface {
	// Handle makes one attempt, counted from 1, to handle d, and calls one method of d that says what becomes of it.
	// Without such a call d is neither recorded nor acknowledged. note is that of the last Retry, nil in the first
	// attempt; attempts and note stay with the message where it gave way and is pushed again. Handle must not panic. It
	// may end its goroutine (runtime.Goexit), after that call: this is why it has no result.
	Handle(ctx context.Context, d *Delivery, attempt int, note any)
	// Receipt handles a receipt: MessageID, CreatedAt for when, Category for the status. It must not panic.
	Receipt(m *wire.Message)
	// Released takes d, which failed, was acknowledged before its handler ran, and is not retried because Run
	// ends: the service does not redeliver it. err is the error of Retry or Release.
	Released(d *Delivery, err error)
	// Record notes that a message is finished. It may end its goroutine (runtime.Goexit).
	Record(ctx context.Context, id string)
	// RecordApart is Record for a goroutine that must not end: the user's code runs on another one.
	RecordApart(ctx context.Context, id string)
}

// Delivery is a message on its way to the Owner. Up to its outcome it belongs to one worker. There may
// be a hundred thousand of them.
type Delivery struct {
	wire.Message
	link    uint32 // that it came on
	own     bool   // written by the bot itself
	acked   bool   // before its handler ran
	fate    fate
	failure *failure // of an attempt that failed; kept until the next one if d.acked
}

// fate is what becomes of a delivery after an attempt.
type fate uint8

const (
	undecided fate = iota
	finished       // recorded and acknowledged
	known          // acknowledged; it was recorded before
	kept           // neither, until Engine.Ack
	retried
	released // neither, because Run ends
)

// failure is why an attempt failed, and how long to wait for the next one.
type failure struct {
	err   error
	note  any
	after time.Duration
}

// Finish says that the message is done with: it is recorded and acknowledged.
func (d *Delivery) Finish() { d.fate = finished }

// Known says that the message was handled and recorded before: it is acknowledged.
func (d *Delivery) Known() { d.fate = known }

// Keep says that the message stays pending until Engine.Ack. Until then it is not delivered again.
func (d *Delivery) Keep() { d.fate = kept }

// Retry says that the attempt failed with err, and that another one is wanted after a while. The next one gets the
// note.
func (d *Delivery) Retry(err error, note any, after time.Duration) {
	d.fate, d.failure = retried, &failure{err: err, note: note, after: after}
}

// Release says that the attempt failed with err while Run was ending. The service redelivers the message on the next
// start, and the rest of its conversation is not handled before it.
func (d *Delivery) Release(err error) {
	d.fate, d.failure = released, &failure{err: err}
}

// Observer takes the events of an Engine.
type Observer interface {
	// Observe runs on the goroutine that brings the event about, under no lock. It must not call into the Engine. For
	// FrameTraced and FrameWritten it may run user code, which may end the goroutine (runtime.Goexit); for the other
	// kinds it must not block.
	Observe(Event)
}

// Event is something that happened. The zero value of a field means that the Kind has none.
type Event struct {
	Kind      Kind
	Count     int           // of messages
	Text      string        // endpoint, action of a frame, or id of a message
	Err       error         // why
	RetryIn   time.Duration // until the next connection
	Age       time.Duration // of the oldest of Count
	JSON      []byte        // of a frame, valid during the call
	Rejection *wire.Error

	Conversation string
}

// Kind is the kind of an Event.
type Kind uint8

// The kinds, with the fields that they have. Those of connections come first, and Kinds last.
const (
	Connected            Kind = iota // Text: the endpoint
	Disconnected                     // Err: a *ConnectionError; RetryIn
	RejectedHere                     // Err: a *ConnectionError with a 401, of a session that GET /me accepts; thinned
	SessionEnded                     // Err: the *RejectedError that ends Run
	Alive                            // a frame, a ping or a pong came
	FrameRead                        // a frame was inflated
	FrameTraced                      // JSON, with Config.TraceFrames
	FrameWritten                     // JSON, before it is compressed
	FrameSkipped                     // Err
	Ignored                          // a frame of no use; Text: its action; Rejection, if it is one
	Duplicate                        // a message that is held already was pushed
	Acked                            // Count messages, confirmed by the service
	AckRejected                      // Count messages, for good; Text: the first id; Rejection
	AckUnanswered                    // Count messages; Text: the first id
	ReceiptDropped                   // a receipt that found no room; Text: its message
	ConversationsWaiting             // Count conversations wait for a message that fails; Age, since it failed first
	HandlerSlow                      // an attempt runs for long; Text: the message; Conversation; Age; Count: that run
	ReceiptSlow                      // a receipt is handled for long; Text: the message; Age
	NotRun                           // a request waits for Run; Text: its action; Age
	Kinds                            // the number of kinds: package blaze counts its own from here
)
