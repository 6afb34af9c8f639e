package engine

import (
	"errors"
	"time"

	"github.com/mixin-blaze/blaze/internal/link"
)

// drain ends what is under way once the context of Run has ended: handlers first, because they still send; then sends
// and acknowledgements; then the link. When the link is lost meanwhile or the time is up, it skips the rest.
func (e *Engine) drain(l *link.Link) {
	e.inbox.Stop()
	if e.cfg.Drain < 0 {
		l.Fail(link.ErrClosed)
		return
	}
	end := time.Now().Add(e.cfg.Drain)
	timer := time.NewTimer(e.cfg.Drain)
	defer timer.Stop()
	await := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		case <-l.Done():
		case <-timer.C:
		}
		return false
	}
	if await(e.inbox.Idle()) {
		e.refuse()
		e.acks.flush()
		_ = await(e.acks.idle()) && await(e.outbox.Drained())
	}
	l.Close(time.Until(end))
}

// refuse turns new requests away.
func (e *Engine) refuse() {
	e.acks.seal()
	e.outbox.Seal(ErrClosed)
}

// finish ends everything that is left, and returns the error of Run. rejected is the error that ended it, or nil if its
// context did.
func (e *Engine) finish(rejected error) error {
	e.inbox.Stop()
	left := DrainError{Handlers: e.inbox.Abandon()}
	e.endHandlers()
	e.refuse()
	left.Requests = e.outbox.Len().Requests
	left.Acks = e.acks.close()
	err := runError(rejected, left)
	why := ErrClosed
	if err != nil {
		why = errors.Join(ErrClosed, err)
	}
	e.life.to(closed, why)
	e.outbox.Close(ErrClosed)
	e.end()
	e.acks.join()
	if left.Handlers == 0 {
		<-e.inbox.Idle() // its workers are on their way out
	}
	return err
}

// runError joins the rejection that ended Run with the counts of what was left. After a rejection it counts handlers
// only: the requests cannot have been answered.
func runError(rejected error, left DrainError) error {
	switch {
	case rejected != nil && left.Handlers > 0:
		return errors.Join(rejected, &DrainError{Handlers: left.Handlers})
	case rejected != nil:
		return rejected
	case left != DrainError{}:
		return &left
	}
	return nil
}
