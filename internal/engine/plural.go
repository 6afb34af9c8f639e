package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/outbox"
)

// Plural records whether the service accepts an action for several messages in one frame. If a frame had to be split
// before any was confirmed, the action is not used for a while, and then tested with two messages. After a confirmed
// frame the action stays in use. Its methods are safe for concurrent use.
type Plural struct {
	proven atomic.Bool // a frame was confirmed

	mu     sync.Mutex
	bounds bounds.Bounds
	failed int // split frames, each after the pause of the one before
	until  time.Time
	trial  bool // a test frame is in flight
}

// bound sets the bounds. The default is those of package bounds.
func (p *Plural) bound(b bounds.Bounds) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bounds = b
}

// Size returns how many messages a frame may have now, at most most. 1 means that the action must not be used.
func (p *Plural) Size(most int) int {
	if p.proven.Load() {
		return most
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size(most)
}

func (p *Plural) size(most int) int {
	switch {
	case p.failed == 0:
		return most
	case p.trial || time.Now().Before(p.until):
		return 1
	}
	return min(most, 2)
}

// Take is like Size, for a frame of most messages that is about to be written. If the result is above 1, the caller
// must call Observe with the outcome: only one test frame is in flight at a time.
func (p *Plural) Take(most int) int {
	if p.proven.Load() {
		return most
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.size(most)
	if n > 1 && p.failed > 0 {
		p.trial = true
	}
	return n
}

// Observe records the outcome of a frame with several messages.
func (p *Plural) Observe(o outbox.Outcome) {
	if p.proven.Load() {
		return
	}
	if o.Kind == outbox.Confirmed {
		p.proven.Store(true)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trial = false
	if o.Kind == outbox.Split && !explained(o) {
		p.split(time.Now())
	}
}

// explained reports whether a frame was split for a reason other than the action: the service was busy, or rejected one
// of the messages permanently.
func explained(o outbox.Outcome) bool {
	return o.Rejection != nil || slices.ContainsFunc(o.Parts, func(part outbox.Outcome) bool {
		return part.Kind == outbox.Rejected
	})
}

// split stops the use of the action, unless it is stopped already.
func (p *Plural) split(now time.Time) {
	if p.failed > 0 && now.Before(p.until) {
		return
	}
	b := p.bounds
	if b.Plural == 0 {
		b = bounds.Default()
	}
	//mutant:ack-unusable
	p.until = now.Add(min(b.Plural<<min(p.failed, 16), b.MaxPlural))
	p.failed++
}
