package engine

import (
	"errors"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/link"
)

// pongPatience is how long the first ping of the next link may be unanswered; 0 means the default. On a slow line the
// pong may arrive after all pending messages, so the value doubles with each link that ended without a pong.
type pongPatience struct{ first time.Duration }

// ended adapts to the end of a link.
func (p *pongPatience) ended(l *link.Link, b bounds.Bounds) {
	if l.Ponged() {
		p.first = 0
	}
	if errors.Is(l.Err(), link.ErrPong) {
		//mutant:pong-doubles
		p.first = min(2*max(p.first, b.Pong), b.MaxPong)
	}
}
