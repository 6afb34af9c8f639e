package engine

import (
	"errors"
	"time"

	"github.com/mixin-blaze/blaze/internal/link"
)

// drainer waits for work in progress at the end of a session. The supervisor owns it.
type drainer struct {
	e     *Engine
	gone  <-chan struct{} // closed when there is no link
	lost  bool            // the end of the link was handled
	timer *time.Timer
}

// drain finishes the work in progress: first handlers, because they still send, then sends and acknowledgements, then
// the link. l may be nil. Without a link, sends end at once so that handlers can return. A message with a finished
// handler must be recorded, otherwise the next process handles it again.
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
		//mutant:drain-reject
		e.rejectNew()
		//mutant:drain-flush
		e.acks.flush()
		//mutant:drain-sends
		_ = d.await(e.acks.idle(), false) && d.await(e.outbox.Drained(), true)
	}
	if l != nil {
		l.Close(time.Until(end))
	}
}

// await waits for done and reports whether it was closed in time. After the loss of the link it continues only if
// withoutLink is set.
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

// linkLost ends all sends, because no other link follows.
func (d *drainer) linkLost() {
	d.lost, d.gone = true, nil
	d.e.outbox.Down(false)
	d.e.cut = d.e.outbox.Len().Requests
	//mutant:drain-lost
	d.e.outbox.Close(ErrClosed)
	d.e.cut -= d.e.outbox.Len().Requests // those over HTTP
}

// stopIntake makes the engine discard further pushes.
func (e *Engine) stopIntake() {
	e.inbox.Stop()
	e.receipts.stop()
}

// rejectNew rejects new requests.
func (e *Engine) rejectNew() {
	e.acks.seal()
	e.outbox.Seal(ErrClosed)
}

// finish ends all remaining work and returns the error of Run. rejected is the rejection that ended Run, or nil if its
// context ended.
func (e *Engine) finish(rejected error) error {
	if !e.drained {
		why := e.life.offline()
		if rejected != nil {
			why = errors.Join(ErrClosed, rejected) // for the sends that end now
		}
		e.life.to(draining, why)
		e.drain(nil)
	}
	left := DrainError{Handlers: e.inbox.Abandon()}
	left.Handlers += e.receipts.abandon()
	e.endHandlers()
	e.rejectNew()
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
		<-e.inbox.Idle() // its workers are about to end
		<-e.receipts.idle()
	}
	return err
}

// runError joins the rejection that ended Run with the counts of unfinished work. After a rejection it counts handlers
// only, because requests could not be answered.
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
