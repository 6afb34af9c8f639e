package soak

import (
	"slices"
	"sync"
)

// mailbox is what the server keeps for the bot: every message that is not acknowledged, oldest first. Messages are
// written on demand, as fast as the bot takes them, so that a window of them is pending at any time.
type mailbox struct {
	script
	window int

	mu      sync.Mutex
	pending []int // ascending
	written int
	total   int
	opened  bool
}

// warmUp is how many messages may be pending at first.
const warmUp = 40

// open ends the time in which there is little to do.
func (m *mailbox) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = true
}

// next returns the first pending message that is not older than from; ok is false when there is none now.
func (m *mailbox) next(from int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, _ := slices.BinarySearch(m.pending, from); i < len(m.pending) {
		return m.pending[i], true
	}
	if m.written == m.total || len(m.pending) >= m.room() {
		return 0, false
	}
	m.pending = append(m.pending, m.written)
	m.written++
	return m.written - 1, true
}

// from returns how many pending messages are not older than a number.
func (m *mailbox) from(message int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, message)
	return len(m.pending) - i
}

// write writes a message and returns it, to be pushed before what is pending from a number on. That would break the
// order of its conversation where that has such a message: then ok is false, and nothing is written.
func (m *mailbox) write(from int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, from)
	if m.written == m.total || i == len(m.pending) || len(m.pending) >= m.room()+m.window {
		return 0, false
	}
	lane := m.conversation(m.written)
	for _, n := range m.pending[i:] {
		if m.conversation(n) == lane {
			return 0, false
		}
	}
	m.pending = append(m.pending, m.written)
	m.written++
	return m.written - 1, true
}

// unacknowledged returns what is pending.
func (m *mailbox) unacknowledged() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pending)
}

// room is how many messages may be pending. It changes over time: the bot's inbox is to overflow now and then.
func (m *mailbox) room() int {
	if !m.opened {
		return warmUp
	}
	return m.window/8 + m.draw(forSize+200, m.written/(4*m.window), m.window)
}

// missed writes some messages that nobody is there to take.
func (m *mailbox) missed(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0 && m.written < m.total; n-- {
		m.pending = append(m.pending, m.written)
		m.written++
	}
}

// older returns a pending message of before a number, or false.
func (m *mailbox) older(than, luck int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, than)
	if i == 0 {
		return 0, false
	}
	return m.pending[luck%i], true
}

// remove takes an acknowledged message out, and reports whether it was pending.
func (m *mailbox) remove(message int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := slices.BinarySearch(m.pending, message)
	if ok {
		m.pending = slices.Delete(m.pending, i, i+1)
	}
	return ok
}

// writtenAll reports whether every message of the run was written.
func (m *mailbox) writtenAll() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written == m.total
}

// count returns how many messages were written.
func (m *mailbox) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written
}
