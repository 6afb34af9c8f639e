package engine

import (
	"slices"
	"sync"
)

// phase is the state of a session. ARCHITECTURE.md has the diagram.
type phase uint8

const (
	idle       phase = iota // Run was not called
	connecting              // dialing
	online                  // has a link
	offline                 // waiting before the next dial
	// the context of Run has ended, or the service has rejected the session; with or without a link
	draining
	closed // Run has ended
)

// transitions lists the phases that may follow each phase.
var transitions = map[phase][]phase{
	idle:       {}, // left by start
	connecting: {online, offline, draining},
	online:     {draining, offline},
	offline:    {connecting, draining},
	draining:   {closed},
	closed:     {},
}

// lifecycle is the phase of a session and the reason why it is not online. Its methods are safe for concurrent use.
type lifecycle struct {
	mu    sync.Mutex
	phase phase
	why   error // nil while there is a link
}

func newLifecycle() lifecycle { return lifecycle{why: ErrNotRunning} }

// start enters connecting from idle. It returns false if the session was started before.
func (l *lifecycle) start(why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	//mutant:start-once
	if l.phase != idle {
		return false
	}
	l.phase, l.why = connecting, why
	return true
}

// begun reports whether Run was called.
func (l *lifecycle) begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase != idle
}

// ending reports whether the session drains or has ended.
func (l *lifecycle) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == draining || l.phase == closed
}

// to enters a phase. It returns false, without a change, if the phase may not follow the current one. why is the reason
// why nothing is written. A nil why keeps the current reason if the new phase has no link.
func (l *lifecycle) to(p phase, why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(transitions[l.phase], p) {
		return false
	}
	l.phase = p
	if why != nil || p == online || p == draining {
		l.why = why
	}
	return true
}

// offline returns the reason why nothing is written, or nil while there is a link.
func (l *lifecycle) offline() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}
