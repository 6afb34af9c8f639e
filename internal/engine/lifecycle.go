package engine

import (
	"slices"
	"sync"
)

// phase is where a session stands. ARCHITECTURE.md has the diagram.
type phase uint8

const (
	idle       phase = iota // Run was not called
	connecting              // dials
	online                  // has a link
	offline                 // waits before it dials again
	// the context of Run has ended, or the service has rejected the session; with or without a link
	draining
	closed // Run has ended
)

// transitions has the phases that may follow each phase.
var transitions = map[phase][]phase{
	idle:       {}, // left by start
	connecting: {online, offline, draining},
	online:     {draining, offline},
	offline:    {connecting, draining},
	draining:   {closed},
	closed:     {},
}

// lifecycle is the phase of a session and why it is not online. Its methods are safe for concurrent use.
type lifecycle struct {
	mu    sync.Mutex
	phase phase
	why   error // why nothing is written; nil while there is a link
}

func newLifecycle() lifecycle { return lifecycle{why: ErrNotRunning} }

// start enters connecting for the first time, and reports whether it was: later, connecting follows offline as well.
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

// to enters a phase, and reports whether it may follow the present one; if not, nothing changes. why is the reason why
// nothing is written from now on. A nil why leaves the reason as it is where the new phase has no link.
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

// offline returns why nothing is written, nil while there is a link.
func (l *lifecycle) offline() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}
