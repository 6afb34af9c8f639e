package soak

import "sync"

// poison knows at how many more frames with a message the server hangs up.
type poison struct {
	mu   sync.Mutex
	left map[string]int // by message id, of those that were met
}

// hangsUp reports whether the server hangs up at a frame with this message. most is at how many of them.
func (p *poison) hangsUp(id string, most int) bool {
	if most == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == nil {
		p.left = make(map[string]int)
	}
	left, met := p.left[id]
	if !met {
		left = most
	}
	p.left[id] = max(left-1, 0)
	return left > 0
}
