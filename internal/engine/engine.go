// Package engine runs one session of a bot. It connects and reconnects, delivers and acknowledges incoming messages,
// writes requests until they are answered, and drains at the end. It works with frames and messages in wire form.
// Payloads, handlers, logs and user-visible errors belong to package blaze, behind the interfaces Owner and Observer.
package engine

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Config has the options of an Engine. All fields are required, except TLS and those of type bool.
type Config struct {
	AppID       string // in lower case
	Signer      *auth.Signer
	Endpoints   []string
	UserAgent   string
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config
	Proxy       func(*http.Request) (*url.URL, error)

	Workers      int
	InboxBytes   int64
	OutboxLen    int
	OutboxBytes  int64
	AckStatus    string // of automatic acknowledgements
	AckBatch     int    // ids in one frame
	SendAttempts int    // see outbox.Config.Attempts
	ReplyTimeout time.Duration
	Drain        time.Duration // negative: none

	Reconnect backoff.Policy         // waits between connections
	Rest      backoff.Policy         // waits after transient rejections
	Transient func(*wire.Error) bool // reports whether a rejection is transient
	// Probe checks the session with GET /me. It returns no later than the end of ctx and does not panic. It may set the
	// offset of Signer.
	Probe func(ctx context.Context) Probed

	Receipts    bool // deliver receipts
	ManualAcks  bool // Ack records the messages
	EarlyAcks   bool // the Owner calls Accept
	TraceFrames bool // the Observer gets the JSON of received frames, which turns off parallel decompression
}

// Engine is one session. Its methods are safe for concurrent use.
type Engine struct {
	cfg      Config
	owner    Owner
	observer Observer

	life     lifecycle
	outbox   *outbox.Box
	inbox    *inbox.Box[*Delivery] // by conversation
	receipts receipts
	acks     *acks
	plain    Plural        // of CREATE_PLAIN_MESSAGES
	due      chan struct{} // signals to the supervisor that a resync is due

	made        time.Time
	lastWaiting atomic.Int64 // last report of waiting conversations, since made; 0: never

	// Owned by the supervisor, except for pushes and the flag of listing.
	bounds    bounds.Bounds
	resync    resyncPlan
	listing   listing
	pushes    atomic.Uint64 // pushed messages, counted by the reader
	listsLost int           // links lost in a row because their list was not answered
	drained   bool          // drain was called
	cut       int           // requests that ended because the link was lost while draining
	pong      pongPatience

	skew  time.Duration // by which the service's clock is ahead; owned by the supervisor
	timed bool          // skew is known; owned by the supervisor
	use   linkUse

	rejection context.Context // ends when the session is rejected, with a *RejectedError as cause; or with over
	reject    context.CancelCauseFunc

	// Set by Run before it starts the goroutines that read them.
	listen      bool // request pending messages
	runCtx      context.Context
	handlerCtx  context.Context // outlives runCtx until everything is drained
	endHandlers context.CancelFunc

	over context.Context // ends when Run has ended all requests
	end  context.CancelFunc
}

// New returns an Engine. It opens no connection and starts no goroutine.
func New(cfg Config, owner Owner, observer Observer) *Engine {
	e := &Engine{
		cfg: cfg, owner: owner, observer: observer, life: newLifecycle(), made: time.Now(), due: make(chan struct{}, 1),
	}
	e.over, e.end = context.WithCancel(context.Background()) //nolint:forbidigo // ends with Run, independent of callers
	e.outbox = outbox.New(outbox.Config{
		Len: cfg.OutboxLen, Bytes: cfg.OutboxBytes, ReplyTimeout: cfg.ReplyTimeout, Attempts: cfg.SendAttempts,
		Judge: e.judge, Rest: cfg.Rest.Near, Pushes: e.pushes.Load,
	})
	e.inbox = inbox.New(inbox.Config[*Delivery]{
		Workers: cfg.Workers, Bytes: cfg.InboxBytes, Handle: e.handle, Due: e.resyncDue, OnBackoff: e.reportWaiting,
		OnReleased: e.reportReleased, SlowAfter: slowHandler, Slow: e.slow,
	})
	e.receipts.handle, e.receipts.slow = owner.Receipt, e.slowReceipt
	e.acks = newAcks(e)
	e.rejection, e.reject = context.WithCancelCause(e.over)
	return e
}

// Start reports whether Run may be called. A session runs once.
func (e *Engine) Start() bool { return e.life.start(ErrConnecting) }

// Run runs the session, after Start, until ctx ends or the service rejects it permanently. listen requests pending
// messages. It returns nil only if ctx ended and all work in progress was drained. Otherwise the error is a
// *[RejectedError], a *[DrainError], or both joined.
func (e *Engine) Run(ctx context.Context, listen bool) error {
	e.listen, e.runCtx = listen, ctx
	e.bounds = bounds.From(ctx)
	e.resync.bounds = e.bounds
	e.outbox.Bound(e.bounds)
	e.acks.plural.bound(e.bounds)
	e.plain.bound(e.bounds)
	e.handlerCtx, e.endHandlers = context.WithCancel(context.WithoutCancel(ctx))
	return e.finish(e.supervise(ctx))
}

// serve runs one link until it ends. If ctx ends first, it drains. It reports whether it ended the link for a resync.
func (e *Engine) serve(ctx context.Context, l *link.Link, endpoint string) (resync bool) {
	e.inbox.Reopen()
	e.outbox.Up()
	if e.listen {
		//mutant:list-pending
		e.list(l)
	}
	e.life.to(online, nil)
	e.observer.Observe(Event{Kind: Connected, Text: endpoint})
	l.Start(e.outbox, e.hooks())
	resync = e.tend(ctx.Done(), l)
	if ctx.Err() != nil {
		e.life.to(draining, nil)
		e.drain(l)
	}
	<-l.Done()
	if e.listing.answered.Load() {
		e.listsLost = 0
	}
	e.outbox.Down(!resync && e.peerEnded(l.Err()))
	return resync
}

// judge decides what a rejection means for a request.
func (e *Engine) judge(r *wire.Error) outbox.Verdict {
	switch {
	case r.Code == codeUnauthorized:
		return outbox.Whole
	case e.cfg.Transient(r):
		return outbox.Transient
	}
	return outbox.Final
}

// Over returns a context that ends when Run has ended all requests.
func (e *Engine) Over() context.Context { return e.over }

// Offline returns the reason why nothing is written, or nil while there is a link: ErrNotRunning, ErrConnecting, a
// *[ConnectionError], or, when Run has ended or the session was rejected, an error that is ErrClosed and wraps the
// error of Run.
func (e *Engine) Offline() error { return e.life.offline() }

// Stopping reports whether the context of Run has ended, or the service has rejected the session permanently.
func (e *Engine) Stopping() bool { return e.runCtx.Err() != nil || e.rejection.Err() != nil }

// OnStop calls f on a goroutine of its own when Stopping becomes true, unless undo is called before. f may be called
// twice.
func (e *Engine) OnStop(f func()) (undo func()) {
	ended, rejected := context.AfterFunc(e.runCtx, f), context.AfterFunc(e.rejection, f)
	return func() {
		ended()
		rejected()
	}
}

// Ending is like Stopping, may be called at any time, and becomes true a moment later.
func (e *Engine) Ending() bool { return e.life.ending() }

// Abandoned reports whether Run has ended without waiting for handlers. Their results are discarded.
func (e *Engine) Abandoned() bool { return e.inbox.Abandoned() }

// Request is a request of package blaze.
type Request struct {
	Action string
	Params wire.Params
	Store  bool // the frame is not compressed
	// Split, if not nil, returns replacements for this request if the service does not accept it as a whole.
	Split func() []Part
	// Pace, if not nil, is called after each transient rejection, on the goroutine that called Do.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// Part is a request that replaces a part of another one.
type Part struct {
	Action string
	Params wire.Params
	Order  string // parts with the same Order are in flight one at a time
}

// Do makes a request and waits until it or ctx has ended. It also waits for outbox capacity.
func (e *Engine) Do(ctx context.Context, r Request) outbox.Outcome {
	req, err := request(r.Action, r.Params)
	if err != nil {
		return outbox.Outcome{Err: err}
	}
	req.Store, req.Pace = r.Store, r.Pace
	if r.Split != nil {
		req.Family = r.Action
		req.Split = func() ([]outbox.Part, error) { return parts(r.Split()) }
	}
	defer e.watchRun(r.Action)()
	return e.outbox.Do(ctx, req)
}

func request(action string, params wire.Params) (outbox.Request, error) {
	id, err := wire.NewID()
	if err != nil {
		return outbox.Request{}, err
	}
	return outbox.Request{ID: id, Class: outbox.Send, Frame: wire.Request(id, action, params)}, nil
}

func parts(from []Part) ([]outbox.Part, error) {
	all := make([]outbox.Part, len(from))
	for i, p := range from {
		r, err := request(p.Action, p.Params)
		if err != nil {
			return nil, err
		}
		all[i] = outbox.Part{Request: r, Order: p.Order}
	}
	return all, nil
}

// Hold acquires outbox capacity for a request that does not use the link. It waits until ctx ends. Run waits for
// release when it ends.
func (e *Engine) Hold(ctx context.Context, bytes int64) (release func(), err error) {
	return e.outbox.Hold(ctx, bytes)
}

// Plain records whether the service accepts CREATE_PLAIN_MESSAGES.
func (e *Engine) Plain() *Plural { return &e.plain }

// Load is the current work of an Engine.
type Load struct {
	Connected   bool
	Handling    int    // running handlers, and receipts being handled
	Messages    int    // running, queued or backing off
	Waiting     int    // conversations that are backing off, or closed until the next list
	Requests    int    // in flight or queued
	AcksWaiting int    // ids with an unconfirmed acknowledgement
	Resent      uint64 // frames written again

	OldestHandler time.Duration // running time of the longest-running handler
	OldestWaiting time.Duration // time since the first failure of the message that has been waiting longest
}

// Load returns the current numbers.
func (e *Engine) Load() Load {
	in, out := e.inbox.Len(), e.outbox.Len()
	receipts, age := e.receipts.handling()
	return Load{
		Connected: e.life.offline() == nil, Handling: in.Handling + receipts,
		Messages: in.Messages, Waiting: in.Delayed,
		OldestHandler: max(in.OldestHandler, age), OldestWaiting: in.OldestWaiting,
		Requests: out.Requests, AcksWaiting: e.acks.waitingIDs(), Resent: out.Resent,
	}
}
