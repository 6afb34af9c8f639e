package blaze

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/recent"
)

// Stats holds counters and gauges of a Client, for health checks and metrics. Counters start at zero with [New].
type Stats struct {
	Connected             bool
	ConnectedAt, LastRead time.Time // LastRead: last frame, ping or pong. Zero before the first connection

	Connects                  uint64
	FramesRead, FramesWritten uint64
	BadFrames                 uint64 // skipped: not a frame, or a malformed push
	Ignored                   uint64 // well-formed but discarded: late replies, unknown actions
	Handled                   uint64 // messages handled successfully
	Declined                  uint64 // messages declined by every handler
	Failed                    uint64 // failed attempts of handlers
	Dropped                   uint64 // messages dropped
	Duplicates                uint64 // redelivered messages that were in flight or handled already
	Acked                     uint64 // messages with a confirmed acknowledgement
	SlowHandlers              uint64 // handler attempts and calls of OnReceipt that ran for over a minute
	AcksForgotten             uint64 // messages with an acknowledgement that was rejected or never answered
	Sent                      uint64 // messages confirmed by the server
	Resent                    uint64 // frames written again with the same ids
	ReceiptsDropped           uint64 // receipts discarded because the queue of 16,384 for OnReceipt was full
	TraceDropped              uint64 // log records and calls of Trace discarded: see Config.Logger

	HandlersRunning, InboxMessages, OutboxRequests, AcksWaiting int // detached messages count in InboxMessages only

	// conversations in backoff, or with released messages to be redelivered (see Config.InboxBytes), and detached
	// messages in backoff
	Waiting int

	OldestHandler time.Duration // running time of the longest-running handler; 0: none is running
	OldestWaiting time.Duration // time since the first failure of the message that has been waiting longest; 0: none
}

// Kinds of events of this package, in addition to those of the engine. The comments list the fields in use, except for
// stack.
const (
	messageHandled   = engine.Kinds + iota
	messageDeclined  // Text: the category; quiet: not logged
	attemptFailed    // message, Err, Text: the text of Err
	attemptScheduled // message, Text: the text of the error, RetryIn
	attemptUndone    // message, Err, Text: the text of Err; Run was ending, so the attempt does not count
	messageDropped   // message, Err, Text: the text of Err
	messageSent
	receiptFailed      // Text: the id, Err
	ledgerLookupFailed // Text: the id, Err
	ledgerRecordFailed // Text: the id, Err
)

// event is an event of the engine or of this package.
type event struct {
	engine.Event
	message *Message
	stack   []byte // of a panic
	quiet   bool
}

type counters struct {
	connectedAt, lastRead atomic.Int64 // unix milliseconds; 0: never

	connects, framesRead, framesWritten, badFrames, ignored atomic.Uint64
	handled, declined, failed, dropped, duplicates          atomic.Uint64
	slowHandlers                                            atomic.Uint64
	acked, acksForgotten, sent, receiptsDropped             atomic.Uint64
}

// observer converts events to counters, log records and calls of Trace. Nothing else in a Client counts, logs or
// traces, and observer makes no decisions. Its methods are safe for concurrent use. They block only in frame hooks,
// HandlerError and Dropped.
type observer struct {
	log   slog.Handler
	trace *Trace
	hooks hookQueue
	thin  thinner
	count counters

	onConnect func() // called on Run's goroutine after each connection; set before Run; may be nil

	stacks  stacks
	tls     sync.Once                       // warns about TLS configurations
	running atomic.Pointer[context.Context] // with the values of Run's context; nil: Run was not called

	connected atomic.Pointer[turn] // Trace.Connected of the current link; nil: no frame waits for it
	apart     atomic.Bool          // a frame hook called runtime.Goexit: further calls run on new goroutines

	mu       sync.Mutex
	declined map[string]bool      // categories with a logged decline
	failures map[string]time.Time // time of the last logged failure of each hook
	users    recent.Set           // recipients of unencrypted answers to encrypted messages
	groups   recent.Set           // the same for groups
}

func newObserver(log *slog.Logger, trace *Trace) *observer {
	o := &observer{
		log: log.Handler(), trace: trace, declined: make(map[string]bool), failures: make(map[string]time.Time),
		users: recent.Set{Limit: maxUnencrypted}, groups: recent.Set{Limit: maxUnencrypted},
	}
	o.hooks.failed = o.hookFailed
	o.thin.emit = o.emit
	return o
}

// tracesFrames reports whether Trace.FrameRead is set.
func (o *observer) tracesFrames() bool { return o.trace.FrameRead != nil }

// Observe implements [engine.Observer].
func (o *observer) Observe(e engine.Event) {
	switch e.Kind { // the events of each frame first
	case engine.Alive:
		o.count.lastRead.Store(time.Now().UnixMilli())
	case engine.FrameRead:
		o.count.framesRead.Add(1)
	default:
		o.observe(event{Event: e})
	}
}

// observe handles every event.
func (o *observer) observe(e event) {
	switch {
	case e.Kind <= engine.SessionEnded:
		o.connection(e)
	case e.Kind < engine.Kinds:
		o.frame(e)
	default:
		o.handling(e)
	}
}

func (o *observer) connection(e event) {
	if e.Kind == engine.Connected {
		o.count.connectedAt.Store(time.Now().UnixMilli())
		o.count.connects.Add(1)
		o.callConnected(e.Text)
		o.reportEach(slog.LevelInfo, "blaze: connected", "endpoint", e.Text)
		if o.onConnect != nil {
			o.onConnect()
		}
		return
	}
	err := connectionError(e.Err)
	if e.Kind == engine.RejectedHere {
		o.reportEach(slog.LevelError, "blaze: session rejected by the websocket only",
			"error", err, "hint", "GET /me accepts it; another program may be using the session")
		return
	}
	if hook := o.trace.Disconnected; hook != nil {
		o.hooks.add("Trace.Disconnected", func() { hook(err, e.RetryIn) })
	}
	if e.Kind == engine.SessionEnded {
		o.report(slog.LevelWarn, "blaze: rejected permanently", "error", err)
	} else {
		o.report(slog.LevelWarn, "blaze: disconnected", "error", err, "retry_in", e.RetryIn)
	}
}

func (o *observer) frame(e event) {
	switch e.Kind {
	case engine.FrameTraced:
		o.awaitConnected()
		o.frameHook("Trace.FrameRead", o.trace.FrameRead, e.JSON)
	case engine.FrameWritten:
		o.count.framesWritten.Add(1)
		if o.trace.FrameWritten != nil {
			o.frameHook("Trace.FrameWritten", o.trace.FrameWritten, e.JSON)
		}
	case engine.FrameSkipped:
		o.count.badFrames.Add(1)
		o.report(slog.LevelWarn, "blaze: frame skipped", "error", e.Err)
	case engine.Ignored:
		o.count.ignored.Add(1)
		if e.Rejection != nil {
			o.report(slog.LevelWarn, "blaze: the server reported an error", "error", newError(e.Rejection, e.Text, ""))
		}
	case engine.Duplicate:
		o.count.duplicates.Add(1)
	case engine.Acked:
		o.count.acked.Add(uint64(e.Count)) //nolint:gosec // G115: a length
	case engine.AckRejected:
		o.count.acksForgotten.Add(uint64(e.Count)) //nolint:gosec // G115: a length
		o.report(slog.LevelWarn, "blaze: acknowledgement rejected",
			"messages", e.Count, "error", ackRejected(e.Rejection, e.Text))
	case engine.AckUnanswered:
		o.count.acksForgotten.Add(uint64(e.Count)) //nolint:gosec // G115: a length
		o.report(slog.LevelWarn, "blaze: acknowledgement unanswered", "message", e.Text)
	case engine.ReceiptDropped:
		o.count.receiptsDropped.Add(1)
		//mutant:receipt-discarded
		o.report(slog.LevelWarn, "blaze: receipt discarded, OnReceipt is too slow",
			"message", e.Text)
	case engine.ConversationsWaiting:
		o.reportEach(slog.LevelWarn, "blaze: conversations wait for a failing message",
			"conversations", e.Count, "oldest", e.Age)
	case engine.HandlerSlow:
		o.count.slowHandlers.Add(1)
		o.reportEach(slog.LevelWarn, "blaze: a handler has been running for over a minute",
			"message", e.Text, "conversation", e.Conversation, "running", e.Age, "workers_busy", e.Count)
	case engine.ReceiptSlow:
		o.count.slowHandlers.Add(1)
		o.reportEach(slog.LevelWarn, "blaze: OnReceipt has been running for over a minute",
			"message", e.Text, "running", e.Age)
	case engine.NotRun:
		o.report(slog.LevelWarn, "blaze: a request waits, but Run was not called",
			"action", e.Text, "waiting", e.Age)
	}
}

func (o *observer) handling(e event) {
	switch e.Kind {
	case messageHandled:
		o.count.handled.Add(1)
	case messageDeclined:
		o.count.declined.Add(1)
		if !e.quiet {
			o.logDecline(Category(e.Text))
		}
	case attemptFailed:
		o.count.failed.Add(1)
		o.messageHook("Trace.HandlerError", o.trace.HandlerError, e)
	case attemptScheduled:
		o.report(slog.LevelWarn, "blaze: handler failed",
			"message", e.message, "error", failureText{e.Text, e.stack}, "retry_in", e.RetryIn)
	case attemptUndone:
		o.report(slog.LevelWarn, "blaze: handler failed while Run was ending",
			"message", e.message, "error", failureText{e.Text, e.stack})
	case messageDropped:
		o.count.dropped.Add(1)
		o.reportEach(slog.LevelError, "blaze: message dropped",
			"message", e.message, "error", failureText{e.Text, e.stack})
		o.messageHook("Trace.Dropped", o.trace.Dropped, e)
	case messageSent:
		o.count.sent.Add(1)
	case receiptFailed:
		o.report(slog.LevelWarn, "blaze: OnReceipt failed",
			"message", e.Text, "error", failureText{e.Err.Error(), e.stack})
	case ledgerLookupFailed:
		o.report(slog.LevelWarn, "blaze: Ledger.Handled failed",
			"message", e.Text, "error", e.Err)
	case ledgerRecordFailed:
		o.report(slog.LevelWarn, "blaze: Ledger.Record failed", "message", e.Text, "error", e.Err)
	}
}

// introduce logs the bot's profile.
func (o *observer) introduce(me User) {
	o.reportEach(slog.LevelInfo, "blaze: connected as",
		"name", me.FullName, "identity_number", me.IdentityNumber, "code_url", me.CodeURL)
}

// maxDeclined bounds the categories with a logged decline, because categories come from the network.
const maxDeclined = 100

// logDecline logs the first decline of each category, for at most maxDeclined categories.
func (o *observer) logDecline(category Category) {
	name := clip(string(category))
	o.mu.Lock()
	first := !o.declined[name] && len(o.declined) < maxDeclined
	if first {
		o.declined[name] = true
	}
	o.mu.Unlock()
	if first {
		o.report(slog.LevelWarn, "blaze: every handler declined a message", "category", name,
			"hint", "it is acknowledged; further ones of this category are not logged")
	}
}

// stats returns the counters.
func (o *observer) stats() Stats {
	s := &o.count
	return Stats{
		ConnectedAt: moment(&s.connectedAt), LastRead: moment(&s.lastRead),
		Connects: s.connects.Load(), FramesRead: s.framesRead.Load(), FramesWritten: s.framesWritten.Load(),
		BadFrames: s.badFrames.Load(), Ignored: s.ignored.Load(),
		Handled: s.handled.Load(), Declined: s.declined.Load(), Failed: s.failed.Load(),
		Dropped: s.dropped.Load(), Duplicates: s.duplicates.Load(),
		Acked: s.acked.Load(), AcksForgotten: s.acksForgotten.Load(), Sent: s.sent.Load(),
		ReceiptsDropped: s.receiptsDropped.Load(), SlowHandlers: s.slowHandlers.Load(),
		TraceDropped: o.hooks.dropped.Load(),
	}
}

func moment(ms *atomic.Int64) time.Time {
	if n := ms.Load(); n != 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}
