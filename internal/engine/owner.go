package engine

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Owner handles the deliveries of an Engine. Its methods run user code.
type Owner interface {
	// Handle makes one attempt to handle d. attempt counts from 1. Handle calls one method of d with the result, or
	// Engine.Detach; without that call, d is neither recorded nor acknowledged. note is the note of the last Retry, nil
	// in the first attempt. Attempts and note survive if the message is released and redelivered. Handle must not
	// panic. It may end its goroutine (runtime.Goexit) after that call, which is why it returns nothing.
	Handle(ctx context.Context, d *Delivery, attempt int, note any)
	// Receipt handles a receipt. MessageID, CreatedAt (the time) and Category (the status) are set. It must not panic.
	Receipt(m *wire.Message)
	// Released is called for a failed message that was acknowledged early and is not retried because Run is ending. The
	// service does not redeliver it. err is the error of Retry or Release.
	Released(d *Delivery, err error)
	// Record records a finished message. It may end its goroutine (runtime.Goexit).
	Record(ctx context.Context, id string)
	// RecordApart is like Record, for a goroutine that must not end: user code runs on another one.
	RecordApart(ctx context.Context, id string)
}

// Delivery is a message for the Owner. One goroutine owns it at a time: a worker or, after Engine.Detach, the caller of
// Engine.Settle. There may be a hundred thousand of them.
type Delivery struct {
	wire.Message
	link    uint32 // that it was received on
	own     bool   // written by the bot itself
	acked   bool   // acknowledged early
	fate    fate
	failure *failure // of the last attempt; kept until the next one if d.acked
}

// fate is the result of an attempt.
type fate uint8

const (
	undecided fate = iota
	finished       // recorded and acknowledged
	known          // acknowledged; it was recorded before
	kept           // neither, until Engine.Ack
	retried
	released // neither, because Run is ending
)

// failure is the error of an attempt, and the wait before the next one.
type failure struct {
	err   error
	note  any
	after time.Duration
}

// Finish records and acknowledges the message.
func (d *Delivery) Finish() { d.fate = finished }

// Known acknowledges a message that was handled and recorded before.
func (d *Delivery) Known() { d.fate = known }

// Keep leaves the message pending until Engine.Ack. Until then it is not delivered again.
func (d *Delivery) Keep() { d.fate = kept }

// Retry schedules another attempt after a failure. The next attempt gets note.
func (d *Delivery) Retry(err error, note any, after time.Duration) {
	d.fate, d.failure = retried, &failure{err: err, note: note, after: after}
}

// Release ends the attempt with err while Run is ending. The service redelivers the message on the next start. Later
// messages of its conversation are not handled before it.
func (d *Delivery) Release(err error) {
	d.fate, d.failure = released, &failure{err: err}
}

// Observer receives the events of an Engine.
type Observer interface {
	// Observe is called on the goroutine that causes the event, without locks. It must not call into the Engine. For
	// FrameTraced and FrameWritten it may run user code, which may end the goroutine (runtime.Goexit). For other kinds
	// it must not block.
	Observe(Event)
}

// Event is an event of an Engine. Fields that its Kind does not use are zero.
type Event struct {
	Kind      Kind
	Count     int           // of messages
	Text      string        // endpoint, action of a frame, or id of a message
	Err       error         // the cause
	RetryIn   time.Duration // until the next connection
	Age       time.Duration // of the oldest of Count
	JSON      []byte        // of a frame, valid during the call
	Rejection *wire.Error

	Conversation string
}

// Kind is the kind of an Event.
type Kind uint8

// Kinds, with the fields that they use. Those of connections come first, Kinds last.
const (
	Connected            Kind = iota // Text: the endpoint
	Disconnected                     // Err: a *ConnectionError; RetryIn
	RejectedHere                     // Err: a *ConnectionError with a 401, but GET /me accepts; at most once a minute
	SessionEnded                     // Err: the *RejectedError that ends Run
	Alive                            // a frame, a ping or a pong was received
	FrameRead                        // a frame was decompressed
	FrameTraced                      // JSON, with Config.TraceFrames
	FrameWritten                     // JSON, before it is compressed
	FrameSkipped                     // Err
	Ignored                          // a discarded frame; Text: its action; Rejection, if it is one
	Duplicate                        // a message that is in flight was redelivered
	Acked                            // Count messages, confirmed by the service
	AckRejected                      // Count messages, not retried; Text: the first id; Rejection
	AckUnanswered                    // Count messages; Text: the first id
	ReceiptDropped                   // a receipt was discarded because the queue is full; Text: its message
	ConversationsWaiting             // Count conversations wait for a failing message; Age, since its first failure
	HandlerSlow                      // an attempt is slow; Text: the message; Conversation; Age; Count: of attempts
	ReceiptSlow                      // OnReceipt is slow; Text: the message; Age
	NotRun                           // a request waits for Run; Text: its action; Age
	Kinds                            // number of kinds; package blaze continues from here
)
