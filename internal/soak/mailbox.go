package soak

import (
	"slices"
	"sync"
)

// mailbox holds the unacknowledged messages for the bot, oldest first. Messages are created on demand, at the rate at
// which the bot acknowledges them, so that a window of them is always pending.
type mailbox struct {
	script
	window int

	mu      sync.Mutex
	pending []int // ascending
	written int
	total   int
	opened  bool
}

// warmUp is the capacity before open is called.
const warmUp = 40

// open ends the warm-up, which has little load.
func (m *mailbox) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = true
}

// next returns the first pending message that is not older than from, or creates one. ok is false if there is none now.
func (m *mailbox) next(from int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, _ := slices.BinarySearch(m.pending, from); i < len(m.pending) {
		return m.pending[i], true
	}
	if m.written == m.total || len(m.pending) >= m.capacity() {
		return 0, false
	}
	m.pending = append(m.pending, m.written)
	m.written++
	return m.written - 1, true
}

// countFrom returns the number of pending messages that are not older than message.
func (m *mailbox) countFrom(message int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, message)
	return len(m.pending) - i
}

// write creates a message that is pushed before the pending messages from number from on. If one of these is in the
// same conversation, that would break its order: then ok is false, and no message is created.
func (m *mailbox) write(from int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, from)
	if m.written == m.total || i == len(m.pending) || len(m.pending) >= m.capacity()+m.window {
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

// unacknowledged returns the pending messages.
func (m *mailbox) unacknowledged() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pending)
}

// capacity is the maximum number of pending messages. It varies over time, so that the bot's inbox sometimes overflows.
func (m *mailbox) capacity() int {
	if !m.opened {
		return warmUp
	}
	return m.window/8 + m.draw(forSize+200, m.written/(4*m.window), m.window)
}

// addOffline creates up to n messages while no connection exists.
func (m *mailbox) addOffline(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0 && m.written < m.total; n-- {
		m.pending = append(m.pending, m.written)
		m.written++
	}
}

// older returns a random pending message that is older than a number. ok is false if there is none.
func (m *mailbox) older(than, random int) (message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(m.pending, than)
	if i == 0 {
		return 0, false
	}
	return m.pending[random%i], true
}

// remove removes an acknowledged message, and reports whether it was pending.
func (m *mailbox) remove(message int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := slices.BinarySearch(m.pending, message)
	if ok {
		m.pending = slices.Delete(m.pending, i, i+1)
	}
	return ok
}

// writtenAll reports whether every message of the run has been created.
func (m *mailbox) writtenAll() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written == m.total
}

// count returns the number of messages created.
func (m *mailbox) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written
}
