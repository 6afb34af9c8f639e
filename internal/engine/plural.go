package engine

import (
	"errors"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// Plural records whether the server has an action that carries several messages in one frame. A first frame that is
// rejected for good, or not answered, shows that it does not: the messages are sent one by one, and the action is not
// used again. Once a frame was confirmed, the messages of a later one that fails are sent one by one, and the action
// stays in use. The zero value is ready for use. Its methods are safe for concurrent use.
type Plural struct{ state atomic.Int32 }

const (
	unproven int32 = iota
	proven
	unusable
)

// Usable reports whether the action may be used.
func (p *Plural) Usable() bool { return p.state.Load() != unusable }

// Attempts returns how often a frame is written without a reply; 0: no limit.
func (p *Plural) Attempts() int {
	if p.state.Load() == proven {
		return 0
	}
	return 1 // where it is unusable too: the caller may have asked just before
}

// Observe takes the outcome of a frame, and reports whether its messages are to be sent one by one.
func (p *Plural) Observe(o outbox.Outcome) (singly bool) {
	switch {
	case o.Kind == outbox.Confirmed:
		p.state.CompareAndSwap(unproven, proven)
		return false
	case o.Kind == outbox.TransientExhausted:
		return false // a busy server may have the action all the same
	case o.Kind == outbox.Rejected || errors.Is(o.Err, outbox.ErrNoReply):
		//mutant:ack-unusable
		p.state.CompareAndSwap(unproven, unusable)
		return true
	}
	return false
}
