package engine

import (
	"errors"
	"time"

	"github.com/mixin-blaze/blaze/internal/link"
)

// drainer waits for what is under way at the end of a session. It belongs to the supervisor.
type drainer struct {
	e     *Engine
	gone  <-chan struct{} // closed once there is no link
	lost  bool            // gone was noticed
	timer *time.Timer
}

// drain ends what is under way once the session ends: handlers first, because they still send; then sends and
// acknowledgements; then the link, which may be nil. Without a link, sends end at once, so that the handlers that
// wait for them can return: a message that a handler is done with must be recorded, or it is handled again by the
// next process.
func (e *Engine) drain(l *link.Link) {
	e.drained = true
	//mutant:drain-stop
	e.stopIntake()
	//mutant:drain-none
	if e.cfg.Drain < 0 {
		if l != nil {
			l.Fail(link.ErrClosed)
		}
		return
	}
	end := time.Now().Add(e.cfg.Drain)
	d := &drainer{e: e, timer: time.NewTimer(e.cfg.Drain)}
	defer d.timer.Stop()
	if l != nil {
		d.gone = l.Done()
		e.outbox.Resume() // a resync may have been about to replace the link
	} else {
		d.linkLost()
	}
	//mutant:drain-handlers
	if d.await(e.inbox.Idle(), true) && d.await(e.receipts.idle(), true) {
		//mutant:drain-refuse
		e.refuse()
		//mutant:drain-flush
		e.acks.flush()
		//mutant:drain-sends
		_ = d.await(e.acks.idle(), false) && d.await(e.outbox.Drained(), true)
	}
	if l != nil {
		l.Close(time.Until(end))
	}
}

// await waits until done is closed, and reports whether it was before the time was up. With a lost link it goes on
// only if that is wanted.
func (d *drainer) await(done <-chan struct{}, withoutLink bool) bool {
	for {
		if d.lost && !withoutLink {
			return true
		}
		select {
		case <-done:
			return true
		case <-d.gone:
			d.linkLost()
		case <-d.timer.C:
			return false
		}
	}
}

// linkLost ends all sends: no link follows.
func (d *drainer) linkLost() {
	d.lost, d.gone = true, nil
	d.e.outbox.Down(false)
	d.e.cut = d.e.outbox.Len().Requests
	//mutant:drain-lost
	d.e.outbox.Close(ErrClosed)
	d.e.cut -= d.e.outbox.Len().Requests // those that do not need the link
}

// stopIntake takes nothing that is pushed any more.
func (e *Engine) stopIntake() {
	e.inbox.Stop()
	e.receipts.stop()
}

// refuse turns new requests away.
func (e *Engine) refuse() {
	e.acks.seal()
	e.outbox.Seal(ErrClosed)
}

// finish ends everything that is left, and returns the error of Run. rejected is the error that ended it, or nil if its
// context did.
func (e *Engine) finish(rejected error) error {
	if !e.drained {
		why := e.life.offline()
		if rejected != nil {
			why = errors.Join(ErrClosed, rejected) // the sends that end now tell it
		}
		e.life.to(draining, why)
		e.drain(nil)
	}
	left := DrainError{Handlers: e.inbox.Abandon()}
	left.Handlers += e.receipts.abandon()
	e.endHandlers()
	e.refuse()
	left.Requests = e.cut + e.outbox.Len().Requests
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
		<-e.receipts.idle()
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
