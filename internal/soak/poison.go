package soak

import "sync"

// poison counts the frames at which the server closes the connection, by the message that they contain.
type poison struct {
	mu   sync.Mutex
	left map[string]int // remaining frames, by message id
}

// hangsUp reports whether the server closes the connection at a frame with this message. most is the maximum number of
// such frames.
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
