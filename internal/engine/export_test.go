package engine

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// This file exports internals to the tests in package engine_test.

type (
	Phase     = phase
	Lifecycle = lifecycle
)

// The phases of a Lifecycle.
const (
	Idle       = idle
	Connecting = connecting
	Online     = online
	Offline    = offline
	Draining   = draining
	Closed     = closed
)

var NewLifecycle = newLifecycle

func (l *Lifecycle) Start(why error) bool       { return l.start(why) }
func (l *Lifecycle) To(p Phase, why error) bool { return l.to(p, why) }
func (l *Lifecycle) Why() error                 { return l.offline() }
func (l *Lifecycle) Phase() Phase               { return l.phase }

// Policy exports authPolicy.
type Policy struct{ authPolicy }

// Decision exports authDecision.
type Decision struct {
	Reason Reason
	Skew   time.Duration
	Alarm  bool
}

// OnRejected handles a rejection. worked reports whether the session worked on the rejected link.
func (p *Policy) OnRejected(code int, worked bool, now time.Time, probed Probed) Decision {
	p.worked = p.worked || worked
	d := p.onRejected(code, now, probed)
	return Decision{d.reason, d.skew, d.alarm}
}

// Plan exports dialPlan.
type Plan struct{ dialPlan }

func NewPlan(p backoff.Policy, endpoints ...string) *Plan {
	return &Plan{dialPlan{endpoints: endpoints, backoff: backoff.Backoff{Policy: p}}}
}

// End has the fields of an ending that a dialPlan reads.
type End struct {
	Lived      time.Duration
	Answered   bool
	Worked     bool
	Asked      bool
	Rejected   bool
	Redated    bool
	Throttled  bool
	RetryAfter time.Duration
	Resync     bool
}

func (p *Plan) Endpoint() string { return p.endpoint() }

func (p *Plan) After(e End) time.Duration {
	end := ending{
		lived: e.Lived, answered: e.Answered, worked: e.Worked,
		asked: e.Asked, redated: e.Redated, throttled: e.Throttled,
		retryAfter: e.RetryAfter, resync: e.Resync,
	}
	if e.Rejected {
		end.rejection = new(RejectedError)
	}
	return p.after(end)
}

// ResyncPlan exports resyncPlan.
type ResyncPlan struct{ resyncPlan }

func NewResyncPlan(b bounds.Bounds) *ResyncPlan { return &ResyncPlan{resyncPlan{bounds: b}} }

func (p *ResyncPlan) After(now time.Time, whole bool) time.Duration { return p.after(now, whole) }

func (p *ResyncPlan) Done(now time.Time, whole bool) { p.done(now, whole) }

// Receipts exports receipts, with ids for messages.
type Receipts struct{ receipts }

func NewReceipts(handle func(id string)) *Receipts {
	return &Receipts{receipts{handle: func(m *wire.Message) { handle(m.MessageID) }}}
}

func (r *Receipts) Add(id string) (taken, full bool) { return r.add(receipt{id: id}) }
func (r *Receipts) Stop()                            { r.stop() }
func (r *Receipts) Idle() <-chan struct{}            { return r.idle() }

func (r *Receipts) Handling() (int, time.Duration) { return r.handling() }

// Use exports linkUse.
type Use struct{ linkUse }

func (u *Use) Begin() uint32 {
	u.begin()
	return u.link.Load()
}

func (u *Use) Works(link uint32) { u.works(link) }
func (u *Use) Worked() bool      { return u.worked() }
