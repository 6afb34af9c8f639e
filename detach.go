package blaze

import (
	"sync"

	"github.com/mixin-blaze/blaze/internal/engine"
)

// Detach lets the conversation of m continue before m is done. m stays in flight and counts in Config.InboxBytes, but
// it no longer occupies one of Config.Workers, and it is never reported as slow. After Detach, a nil result of the
// handler means nothing. settle ends m with an error or nil, by the rules of [Handler], on any goroutine. It returns
// when m is recorded, dropped, or scheduled for another attempt.
//
//	settle := m.Detach()
//	go func() { settle(work(ctx, m)) }()
//	return nil
//
// A panic on a goroutine of one's own ends the process; [Jobs] recovers it. The context of the handler stays valid
// until Run has ended, unless middleware ends it.
//
// Only the first result counts: that of settle, or an error or panic of the handler itself. If m is retried, the
// handler runs again from its start, when the wait is over, beside the other messages of the conversation. When Run's
// context ends, Run waits up to Config.Drain for m and for the handler. If m is not settled by then, it is redelivered
// on the next start, unless it was acknowledged before (AckReceived). A message that is never settled stays in flight
// until Run has ended.
//
// The settle of a second call does nothing, and neither does that of a call after the handler has returned, or of a
// Message constructed by hand. Detach is safe for concurrent use.
func (m *Message) Detach() (settle func(error)) {
	if m.attempt == nil || !m.attempt.detach() {
		return func(error) {}
	}
	return m.attempt.settle
}

// attempt is one attempt to handle a message, and the handling of its Message. It ends when the handler returns. If the
// handler detaches the message, it ends with settle, or with an error of the handler.
type attempt struct {
	mu    sync.Mutex
	stage attemptStage
	attemptParts
}

// attemptParts are what an attempt belongs to. A Message that is kept does not keep them after the attempt has ended.
type attemptParts struct {
	owner    attemptOwner
	delivery *engine.Delivery
	message  *Message
	number   int
}

// attemptOwner is the deliverer of an attempt.
type attemptOwner interface {
	detached(d *engine.Delivery)
	// judge carries out a result. With detached, the message was detached before.
	judge(p attemptParts, err error, detached bool)
	stopping() bool
	// onStop calls f on a goroutine of its own when Run is ending, unless the function that it returns was called.
	onStop(f func()) (undo func())
}

type attemptStage uint8

const (
	notBegun attemptStage = iota
	inHandler
	detached
	over
)

// begin is called before the handler.
func (a *attempt) begin(owner attemptOwner, d *engine.Delivery, m *Message, number int) {
	a.attemptParts, a.stage = attemptParts{owner, d, m, number}, inHandler
}

// detach detaches the message while the handler runs, once. The handler cannot return in between, because returned
// takes mu.
func (a *attempt) detach() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	//mutant:detach-once
	if a.stage != inHandler {
		return false
	}
	a.stage = detached
	a.owner.detached(a.delivery)
	return true
}

// returned ends the attempt with the result of the handler. If the message is detached, nil is no result.
func (a *attempt) returned(err error) {
	a.mu.Lock()
	before := a.stage
	//mutant:detached-nil
	if before == over || before == detached && err == nil { // settled, or settle follows
		a.mu.Unlock()
		return
	}
	p := a.end()
	a.mu.Unlock()
	p.owner.judge(p, err, before == detached)
}

// settle ends the attempt of a detached message.
func (a *attempt) settle(err error) {
	a.mu.Lock()
	//mutant:settle-once
	if a.stage != detached {
		a.mu.Unlock()
		return
	}
	p := a.end()
	a.mu.Unlock()
	p.owner.judge(p, err, true)
}

// end returns the parts of the attempt and forgets them. The caller holds mu.
func (a *attempt) end() attemptParts {
	p := a.attemptParts
	//mutant:attempt-forgotten
	a.attemptParts = attemptParts{}
	a.stage = over
	return p
}

// running reports whether the handler is running and has not detached the message.
func (a *attempt) running() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stage == inHandler
}

// open reports whether the message is detached and not settled, while Run is not ending.
func (a *attempt) open() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stage == detached && !a.owner.stopping()
}

// onStop calls f on a goroutine of its own when Run is ending, unless the function that it returns was called. It does
// nothing after the attempt.
func (a *attempt) onStop(f func()) (undo func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owner == nil {
		return func() {}
	}
	return a.owner.onStop(f)
}
