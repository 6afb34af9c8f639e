package blaze

import (
	"sync"

	"github.com/mixin-blaze/blaze/internal/engine"
)

// Detach lets the conversation of m continue while work on m goes on: the next message is handled although m is not
// done. m stays in flight and counts in Config.InboxBytes, but it no longer occupies one of Config.Workers, and it is
// never reported as slow. After Detach, a nil result of the handler means nothing. settle ends m with an error or nil,
// by the rules of [Handler]. It returns when the Ledger has recorded m, and it may be called on any goroutine.
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
// context ends, Run waits up to Config.Drain for m. Otherwise m is redelivered on the next start, unless it was
// acknowledged before (AckReceived). A message that is never settled stays in flight until Run has ended.
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
	owner    attemptOwner
	delivery *engine.Delivery
	message  *Message
	number   int

	mu    sync.Mutex
	stage attemptStage
}

// attemptOwner is the deliverer of an attempt.
type attemptOwner interface {
	detached(d *engine.Delivery)
	// judge carries out a result. With detached, the message was detached before.
	judge(a *attempt, err error, detached bool)
	stopping() bool
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
	a.owner, a.delivery, a.message, a.number, a.stage = owner, d, m, number, inHandler
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
	if before := a.endHandler(err); before != over {
		a.owner.judge(a, err, before == detached)
	}
}

// endHandler returns the stage before the handler returned with err, or over if that is no result.
func (a *attempt) endHandler(err error) attemptStage {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.stage
	//mutant:detached-nil
	if before == detached && err == nil {
		return over // settle follows
	}
	a.stage = over
	return before
}

// settle ends the attempt of a detached message.
func (a *attempt) settle(err error) {
	if a.endDetached() {
		a.owner.judge(a, err, true)
	}
}

func (a *attempt) endDetached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	//mutant:settle-once
	if a.stage != detached {
		return false
	}
	a.stage = over
	return true
}

// ending reports whether Run is ending. It is false for a Message that no handler got, such as that of Trace.Dropped.
func (a *attempt) ending() bool { return a.owner != nil && a.owner.stopping() }
