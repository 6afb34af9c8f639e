// Package engine runs one session of a bot. It connects, and connects again when the connection is lost; it delivers
// the messages that arrive and acknowledges them; it writes requests until they are answered; and it drains at the
// end. It handles frames and messages in the form of the wire. Payloads, handlers, logs and the errors of package
// blaze are above it, behind the interfaces Owner and Observer.
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
	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Config has the options of an Engine. All fields are needed, but for TLS and those of type bool.
type Config struct {
	AppID       string // in lower case
	Signer      *auth.Signer
	Endpoints   []string
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS         *tls.Config
	Proxy       func(*http.Request) (*url.URL, error)

	Workers      int
	InboxBytes   int64
	OutboxLen    int
	OutboxBytes  int64
	AckStatus    string // of automatic acknowledgements
	AckBatch     int    // ids in one frame
	SendAttempts int    // transient rejections until one is final; negative: no limit
	ReplyTimeout time.Duration
	Drain        time.Duration // negative: none

	Reconnect backoff.Policy         // waits between connections
	Rest      backoff.Policy         // waits after transient rejections
	Transient func(*wire.Error) bool // whether a rejection passes by itself

	Receipts    bool // receipts are delivered, not ignored
	ManualAcks  bool // Ack records the messages
	TraceFrames bool // the Observer gets the JSON of received frames; they are inflated one at a time then
}

// Engine is one session. Its methods are safe for concurrent use.
type Engine struct {
	cfg      Config
	owner    Owner
	observer Observer

	life   lifecycle
	outbox *outbox.Box
	inbox  *inbox.Box[lane, *Delivery]
	acks   *acks
	resync resync

	skew time.Duration // by which the service's clock is ahead; owned by the supervisor
	// answered is set by each answer, and cleared by the supervisor when a token is rejected.
	answered atomic.Bool

	// Set by Run, before it starts the goroutines that read them.
	listen      bool // messages are asked for
	runCtx      context.Context
	handlerCtx  context.Context // outlives runCtx until everything is drained
	endHandlers context.CancelFunc

	over context.Context // ends after Run has answered everything
	end  context.CancelFunc
}

// New returns an Engine. It connects nothing and starts no goroutine.
func New(cfg Config, owner Owner, observer Observer) *Engine {
	e := &Engine{cfg: cfg, owner: owner, observer: observer, life: newLifecycle()}
	e.over, e.end = context.WithCancel(context.Background()) //nolint:forbidigo // ends with Run, whatever callers want
	e.outbox = outbox.New(outbox.Config{
		Len: cfg.OutboxLen, Bytes: cfg.OutboxBytes, ReplyTimeout: cfg.ReplyTimeout, Attempts: cfg.SendAttempts,
		Transient: cfg.Transient, Rest: cfg.Rest.Near,
	})
	e.inbox = inbox.New[lane](inbox.Config[*Delivery]{
		Workers: cfg.Workers, Bytes: cfg.InboxBytes, Handle: e.handle, Relist: e.relist, LetGo: e.letGo,
	})
	e.acks = newAcks(e)
	return e
}

// Start reports whether Run is to be called: a session runs once.
func (e *Engine) Start() bool { return e.life.start(ErrConnecting) }

// Run runs the session, after Start, until ctx ends or the service rejects it for good. listen says whether messages
// are asked for. It returns nil only if ctx ended and everything under way was drained. Else the error is a
// *[RejectedError], a *[DrainError], or both joined.
func (e *Engine) Run(ctx context.Context, listen bool) error {
	e.listen, e.runCtx = listen, ctx
	e.handlerCtx, e.endHandlers = context.WithCancel(context.WithoutCancel(ctx))
	return e.finish(e.supervise(ctx))
}

// serve runs one link to its end. When ctx ends first, it drains.
func (e *Engine) serve(ctx context.Context, l *link.Link, endpoint string) {
	e.resync.use(l)
	e.inbox.OpenGate()
	e.outbox.Up()
	if e.listen {
		//mutant:list-pending
		e.list(l, func() {})
	}
	e.life.to(online, nil)
	e.observer.Observe(Event{Kind: Connected, Text: endpoint})
	l.Start(e.outbox, e.hooks())
	select {
	case <-l.Done():
	case <-ctx.Done():
		e.life.to(draining, nil)
		e.drain(l)
		<-l.Done()
	}
	e.resync.use(nil)
	e.outbox.Down()
}

// Over returns a context that ends after Run has answered everything.
func (e *Engine) Over() context.Context { return e.over }

// Offline returns why nothing is written at present, or nil while there is a link: ErrNotRunning, ErrConnecting, a
// *[ConnectionError], or after Run an error that is ErrClosed and wraps the error of Run.
func (e *Engine) Offline() error { return e.life.offline() }

// Stopping reports whether the context of Run has ended.
func (e *Engine) Stopping() bool { return e.runCtx.Err() != nil }

// Abandoned reports whether Run has ended without waiting for handlers: their results are discarded.
func (e *Engine) Abandoned() bool { return e.inbox.Abandoned() }

// Request is a request of package blaze.
type Request struct {
	Action   string
	Params   wire.Params
	Store    bool // the frame is not compressed
	Attempts int  // without a reply, after which it ends with outbox.ErrNoReply; 0: no limit
	// Pace, if not nil, is called after each transient rejection, on the goroutine that called Do.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// Do makes a request and waits until it or ctx has ended. Until there is room for it, it waits too.
func (e *Engine) Do(ctx context.Context, r Request) outbox.Outcome {
	id, err := wire.NewID()
	if err != nil {
		return outbox.Outcome{Err: err}
	}
	frame := wire.Request(id, r.Action, r.Params)
	return e.outbox.Do(ctx, outbox.Request{
		ID: id, Class: outbox.Send, Frame: frame, Store: r.Store, Attempts: r.Attempts, Pace: r.Pace,
	})
}

// Load is the work that an Engine holds.
type Load struct {
	Connected   bool
	Handling    int    // messages that are being handled
	Messages    int    // these, those queued, and those that wait for another attempt
	Requests    int    // written or waiting
	AcksWaiting int    // ids whose acknowledgement is not confirmed
	Resent      uint64 // frames written again
}

// Load returns the present numbers.
func (e *Engine) Load() Load {
	in, out := e.inbox.Len(), e.outbox.Len()
	return Load{
		Connected: e.life.offline() == nil, Handling: in.Handling, Messages: in.Messages,
		Requests: out.Requests, AcksWaiting: e.acks.waitingIDs(), Resent: out.Resent,
	}
}
