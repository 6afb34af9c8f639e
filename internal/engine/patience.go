package engine

import (
	"errors"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/link"
)

// pongPatience is how long the first ping of the next link may be unanswered; 0: as the bounds say. On a slow line the
// answer may be behind all that is pending, so it doubles with each link that ended for want of one.
type pongPatience struct{ first time.Duration }

// ended takes how a link ended.
func (p *pongPatience) ended(l *link.Link, b bounds.Bounds) {
	if l.Ponged() {
		p.first = 0
	}
	if errors.Is(l.Err(), link.ErrPong) {
		//mutant:pong-doubles
		p.first = min(2*max(p.first, b.Pong), b.MaxPong)
	}
}
