package engine

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
)

// The tests, in package engine_test, reach inside the package only through this file.

type (
	Phase     = phase
	Lifecycle = lifecycle
)

// The phases.
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

// Policy is an authPolicy.
type Policy struct{ authPolicy }

func (p *Policy) OnRejected(code int, answered bool, skew, offset time.Duration) (Reason, time.Duration) {
	d := p.onRejected(code, answered, skew, offset)
	return d.reason, d.offset + d.skew
}

// Plan is a dialPlan.
type Plan struct{ dialPlan }

func NewPlan(p backoff.Policy, endpoints ...string) *Plan {
	return &Plan{dialPlan{endpoints: endpoints, backoff: backoff.Backoff{Policy: p}}}
}

// End is the part of an ending that a dialPlan looks at.
type End struct {
	Lived        time.Duration
	Rejected     bool
	Handshake    bool
	RetryAfter   time.Duration
	ResyncFailed bool
}

func (p *Plan) Endpoint() string { return p.endpoint() }

func (p *Plan) After(e End) time.Duration {
	end := ending{lived: e.Lived, handshake: e.Handshake, retryAfter: e.RetryAfter, resyncFailed: e.ResyncFailed}
	if e.Rejected {
		end.rejection = new(RejectedError)
	}
	return p.after(end)
}
