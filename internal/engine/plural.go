package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/outbox"
)

// Plural records whether the service takes an action for several messages in one frame. A frame that had to be split,
// before any was confirmed, shows that it may not: the action is not used for a while, and then tried with two
// messages. Once a frame was confirmed, the action stays in use. Its methods are safe for concurrent use.
type Plural struct {
	proven atomic.Bool // a frame was confirmed

	mu     sync.Mutex
	bounds bounds.Bounds
	failed int // frames that were split, each after the pause of the one before
	until  time.Time
	trial  bool // a frame of two is under way
}

// bound sets the bounds. Without them, those of package bounds count.
func (p *Plural) bound(b bounds.Bounds) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bounds = b
}

// Size returns how many messages a frame may have now, at most most; 1: the action is not to be used.
func (p *Plural) Size(most int) int {
	if p.proven.Load() {
		return most
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed == 0:
		return most
	case p.trial || time.Now().Before(p.until):
		return 1
	}
	return min(most, 2)
}

// Begin notes that a frame of several messages is about to be written. Observe takes its outcome.
func (p *Plural) Begin() {
	if p.proven.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trial = p.failed > 0
}

// Observe takes the outcome of a frame of several messages.
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
	busy := o.Rejection != nil // the service may have the action all the same
	if o.Kind == outbox.Split && !busy {
		p.split(time.Now())
	}
}

// split stops the use of the action, unless it is stopped.
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
