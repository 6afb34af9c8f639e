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

// Stats are a Client's counters and gauges at one moment, for health checks and metrics. Counters start at zero with
// [New].
type Stats struct {
	Connected             bool
	ConnectedAt, LastRead time.Time // LastRead: last frame, ping or pong. Zero before the first connection

	Connects                  uint64
	FramesRead, FramesWritten uint64
	BadFrames                 uint64 // skipped: not a frame, or a push that cannot be read
	Ignored                   uint64 // well-formed, but of no use: late replies, unknown actions
	Handled                   uint64 // messages whose handler succeeded
	Declined                  uint64 // messages that every handler declined
	Failed                    uint64 // attempts of a handler that failed
	Dropped                   uint64 // messages given up
	Duplicates                uint64 // pushes of messages that were held or handled already
	Acked                     uint64 // messages whose acknowledgement was confirmed
	SlowHandlers              uint64 // attempts of a handler, and calls of OnReceipt, that ran for over a minute
	AcksForgotten             uint64 // messages whose acknowledgement was refused for good
	Sent                      uint64 // messages confirmed by the server
	Resent                    uint64 // frames written again, with the same ids
	ReceiptsDropped           uint64 // receipts lost because 16,384 others waited for OnReceipt
	TraceDropped              uint64 // log records and calls of Trace that were lost: see Config.Logger

	HandlersRunning, InboxMessages, OutboxRequests, AcksWaiting int

	Waiting int // conversations that wait for another attempt, or take no messages until InboxBytes has room again

	OldestHandler time.Duration // since the longest of the running handlers began; 0: none runs
	OldestWaiting time.Duration // since the first failure of the message that has been waited for longest; 0: none is
}

// The kinds of events in this package, beside those of the engine.
const (
	messageHandled   = engine.Kinds + iota
	messageDeclined  // Text: the category
	attemptFailed    // message, Err, Text: of Err
	attemptScheduled // message, Text: of the error, RetryIn
	attemptUndone    // message, Err, Text: of Err; Run was ending, so the attempt does not count
	messageDropped   // message, Err, Text: of Err
	messageSent
	receiptFailed  // Text: the id, Err
	ledgerNotAsked // Text: the id, Err
	ledgerNotTold  // Text: the id, Err
)

// event is something that happened, in the engine or in this package.
type event struct {
	engine.Event
	message *Message
	stack   []byte // of the panic that Text tells of
}

type counters struct {
	connectedAt, lastRead atomic.Int64 // unix milliseconds; 0: never

	connects, framesRead, framesWritten, badFrames, ignored atomic.Uint64
	handled, declined, failed, dropped, duplicates          atomic.Uint64
	slowHandlers                                            atomic.Uint64
	acked, acksForgotten, sent, receiptsDropped             atomic.Uint64
}

// observer turns events into counters, log records and calls of Trace. Nothing else counts, logs or traces. It decides
// nothing. Its methods are safe for concurrent use, and block on the hooks of frames, HandlerError and Dropped only.
type observer struct {
	log   slog.Handler
	trace *Trace
	hooks hookQueue
	thin  thinner
	count counters

	stacks  stacks
	tls     sync.Once                       // warns of TLS configurations
	running atomic.Pointer[context.Context] // with the values of Run's; nil: Run was not called

	connected atomic.Pointer[turn] // Trace.Connected of the present link; nil: no frame waits for it
	apart     atomic.Bool          // a hook of frames called runtime.Goexit: they are called apart from now on

	mu       sync.Mutex
	declined map[string]bool      // categories of which the first decline was logged
	failures map[string]time.Time // when a hook's failure was last logged
	users    recent.Set           // to whom answers to encrypted messages went out in plain text
	groups   recent.Set           // likewise
}

func newObserver(log *slog.Logger, trace *Trace) *observer {
	o := &observer{
		log: log.Handler(), trace: trace, declined: make(map[string]bool), failures: make(map[string]time.Time),
		users: recent.Set{Limit: mostOpened}, groups: recent.Set{Limit: mostOpened},
	}
	o.hooks.failed = o.hookFailed
	o.thin.emit = o.emit
	return o
}

// tracesFrames reports whether Trace wants the JSON of received frames.
func (o *observer) tracesFrames() bool { return o.trace.FrameRead != nil }

// Observe implements [engine.Observer].
func (o *observer) Observe(e engine.Event) {
	switch e.Kind { // first those of each frame
	case engine.Alive:
		o.count.lastRead.Store(time.Now().UnixMilli())
	case engine.FrameRead:
		o.count.framesRead.Add(1)
	default:
		o.observe(event{Event: e})
	}
}

// observe takes every event.
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
		o.tellEach(slog.LevelInfo, "blaze: connected", "endpoint", e.Text)
		return
	}
	err := connectionError(e.Err)
	if e.Kind == engine.RejectedHere {
		o.tellEach(slog.LevelError, "blaze: the websocket refuses the session, and GET /me accepts it; "+
			"is the session used by another program?", "error", err)
		return
	}
	if hook := o.trace.Disconnected; hook != nil {
		o.hooks.add("Trace.Disconnected", func() { hook(err, e.RetryIn) })
	}
	if e.Kind == engine.SessionEnded {
		o.tell(slog.LevelWarn, "blaze: refused for good", "error", err)
	} else {
		o.tell(slog.LevelWarn, "blaze: disconnected", "error", err, "retry_in", e.RetryIn)
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
		o.tell(slog.LevelWarn, "blaze: frame skipped", "error", e.Err)
	case engine.Ignored:
		o.count.ignored.Add(1)
		if e.Rejection != nil {
			o.tell(slog.LevelWarn, "blaze: the server reported an error", "error", newError(e.Rejection, e.Text, ""))
		}
	case engine.Duplicate:
		o.count.duplicates.Add(1)
	case engine.Acked:
		o.count.acked.Add(uint64(e.Count)) //nolint:gosec // G115: a length
	case engine.AckRejected:
		o.count.acksForgotten.Add(uint64(e.Count)) //nolint:gosec // G115: a length
		o.tell(slog.LevelWarn, "blaze: acknowledgement refused",
			"messages", e.Count, "error", ackRejected(e.Rejection, e.Text))
	case engine.AckUnanswered:
		o.count.acksForgotten.Add(uint64(e.Count)) //nolint:gosec // G115: a length
		o.tell(slog.LevelWarn, "blaze: acknowledgement not answered", "message", e.Text)
	case engine.ReceiptDropped:
		o.count.receiptsDropped.Add(1)
		//mutant:receipt-lost
		o.tell(slog.LevelWarn, "blaze: a receipt was lost: too many wait for OnReceipt, which is too slow",
			"message", e.Text)
	case engine.ConversationsWaiting:
		o.tellEach(slog.LevelWarn, "blaze: conversations wait for a message whose handler fails",
			"conversations", e.Count, "oldest", e.Age)
	case engine.HandlerSlow:
		o.count.slowHandlers.Add(1)
		o.tellEach(slog.LevelWarn, "blaze: a handler has been running for over a minute",
			"message", e.Text, "conversation", e.Conversation, "running", e.Age, "workers_busy", e.Count)
	case engine.ReceiptSlow:
		o.count.slowHandlers.Add(1)
		o.tellEach(slog.LevelWarn, "blaze: OnReceipt has been running for over a minute",
			"message", e.Text, "running", e.Age)
	case engine.NotRun:
		o.tell(slog.LevelWarn, "blaze: a request waits for Run, which was not called",
			"action", e.Text, "waiting", e.Age)
	}
}

func (o *observer) handling(e event) {
	switch e.Kind {
	case messageHandled:
		o.count.handled.Add(1)
	case messageDeclined:
		o.count.declined.Add(1)
		o.logDecline(Category(e.Text))
	case attemptFailed:
		o.count.failed.Add(1)
		o.messageHook("Trace.HandlerError", o.trace.HandlerError, e)
	case attemptScheduled:
		o.tell(slog.LevelWarn, "blaze: handler failed",
			"message", e.message, "error", failureText{e.Text, e.stack}, "retry_in", e.RetryIn)
	case attemptUndone:
		o.tell(slog.LevelWarn, "blaze: handler failed while Run was ending",
			"message", e.message, "error", failureText{e.Text, e.stack})
	case messageDropped:
		o.count.dropped.Add(1)
		o.tellEach(slog.LevelError, "blaze: message dropped",
			"message", e.message, "error", failureText{e.Text, e.stack})
		o.messageHook("Trace.Dropped", o.trace.Dropped, e)
	case messageSent:
		o.count.sent.Add(1)
	case receiptFailed:
		o.tell(slog.LevelWarn, "blaze: OnReceipt failed",
			"message", e.Text, "error", failureText{e.Err.Error(), e.stack})
	case ledgerNotAsked:
		o.tell(slog.LevelWarn, "blaze: the ledger cannot tell whether a message was handled",
			"message", e.Text, "error", e.Err)
	case ledgerNotTold:
		o.tell(slog.LevelWarn, "blaze: the ledger cannot record a message", "message", e.Text, "error", e.Err)
	}
}

// mostDeclined is for how many categories a decline is logged: categories come from the network.
const mostDeclined = 100

// logDecline logs the first decline of each category, of the first mostDeclined categories.
func (o *observer) logDecline(category Category) {
	name := clip(string(category))
	o.mu.Lock()
	first := !o.declined[name] && len(o.declined) < mostDeclined
	if first {
		o.declined[name] = true
	}
	o.mu.Unlock()
	if first {
		o.tell(slog.LevelWarn, "blaze: every handler declined a message; it is acknowledged, "+
			"and further ones of its category are not reported", "category", name)
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
