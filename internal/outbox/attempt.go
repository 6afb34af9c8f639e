package outbox

import (
	"bytes"
	"container/heap"
	"time"
	"unicode"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// splitAfter is the number of attempts without a reply after which a request is split.
const splitAfter = 3

// written records that e is written now. A List has no timeout, because it is written once.
func (b *Box) written(e *entry, now time.Time) {
	l := &b.link
	l.writes++
	e.state, e.answers, e.pongs, e.pushes = written, l.answers, l.pongs, b.cfg.Pushes()
	if e.Class == List {
		l.listed = true
	} else {
		e.due = now.Add(e.timeout)
		heap.Push(&b.timed, e)
	}
	if e.attempts++; e.attempts > 1 || e.whole != nil && e.Class == Send {
		b.resent++
	}
	if !e.onLink {
		e.onLink, e.write = true, l.writes
		l.owed++
		l.slow.enter(e, now)
	}
}

// expire makes requests that are due wait for another write. It splits or ends those without attempts left.
func (b *Box) expire(now time.Time, ends *endings) {
	for b.timed.Len() > 0 && !b.timed.items[0].due.After(now) {
		e := b.timed.items[0]
		switch {
		case e.state == written && b.noReply(e, ends):
		case e.blame.suspect:
			b.putLast(e)
		default:
			b.requeue(e)
		}
	}
}

// noReply records an attempt without a reply in time, and reports whether it was the last one.
func (b *Box) noReply(e *entry, ends *endings) (last bool) {
	e.unconfirmed, e.late = true, true
	//mutant:slow-timeout
	if e.open {
		b.link.slow.widen()
	}
	//mutant:slow-late
	b.link.slow.leave(e)
	//mutant:reply-doubles
	e.timeout = max(e.timeout, min(2*e.timeout, b.maxReply))
	if !b.overdue(e) {
		return false
	}
	e.silent++
	if e.silent >= splitAfter && b.split(e, ends) {
		return true
	}
	if e.Split == nil && e.Attempts > 0 && e.silent >= e.Attempts {
		b.finish(e, e.unanswered(ErrNoReply), ends)
		return true
	}
	return false
}

// overdue reports whether a reply could have arrived: another request was answered since. A pong counts only if no
// message was pushed, because replies may queue behind pushes while pongs do not.
func (b *Box) overdue(e *entry) bool {
	//mutant:overdue-pushes
	pong := b.link.pongs > e.pongs && b.cfg.Pushes() == e.pushes
	//mutant:overdue-others
	return pong || b.link.answers > e.answers
}

// Answer ends the request with that frame id, or puts it in backoff if the rejection is not final. rejection is nil if
// the request was accepted. Answer reports whether a request was waiting for the reply. It never blocks.
func (b *Box) Answer(id []byte, rejection *wire.Error) bool {
	var ends endings
	b.mu.Lock()
	took := b.answer(id, rejection, &ends)
	more := rejection != nil || !b.ready.empty()
	b.mu.Unlock()
	if more {
		b.signal()
	}
	ends.run()
	return took
}

// Late reports whether a frame id belongs to a finished request that may still get a reply, because it was abandoned,
// or written more often than answered.
func (b *Box) Late(id []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.late.Has(wire.LowerID(string(id)))
}

func (b *Box) answer(id []byte, rejection *wire.Error, ends *endings) bool {
	e := b.byID[string(id)]
	if e == nil && bytes.ContainsFunc(id, unicode.IsUpper) { // otherwise each push would allocate a string
		e = b.byID[wire.LowerID(string(id))]
	}
	if e == nil {
		return false
	}
	verdict := Final
	//mutant:list-once
	if rejection != nil && e.Class != List { // a List is not written again
		//mutant:patient-401
		if verdict = b.cfg.Judge(rejection); verdict == Whole && e.Patient {
			verdict = Passing
		}
	}
	again := verdict == Transient || verdict == Passing
	if again && (e.state == backingOff || e.state == limiting) {
		return false
	}
	e.replies++
	b.link.answered = true
	b.link.answers++
	if e.Class != List {
		b.link.slow.widen()
	}
	b.offLink(e)
	e.unqueue()
	e.blame, e.late = blame{}, false // the service has accepted it
	//mutant:family-proven
	if rejection == nil && e.Family != "" {
		b.proven[e.Family] = true
	}
	switch {
	case e.state == split && rejection != nil: // its parts get replies of their own
	case e.state == split:
		b.confirmRest(e, ends)
	case again && b.again(e, verdict, rejection):
	default:
		b.final(e, verdict, rejection, ends)
	}
	return true
}

// again puts e in backoff after a rejection that is not final, and reports whether it has attempts left.
func (b *Box) again(e *entry, verdict Verdict, rejection *wire.Error) bool {
	e.rejection = rejection
	e.backoffs++
	if verdict == Transient {
		e.rejections++
		if b.cfg.Attempts >= 0 && e.rejections >= b.cfg.Attempts {
			return false
		}
	}
	if !e.requestPace() {
		b.rest(e)
	}
	return true
}

// requestPace makes Do call Pace for e, and reports whether there is one.
func (e *entry) requestPace() bool {
	asks := e
	if e.whole != nil {
		asks = e.whole
	}
	if asks.paceDue == nil {
		return false
	}
	e.state = limiting
	asks.unpaced = append(asks.unpaced, e)
	select {
	case asks.paceDue <- struct{}{}:
	default:
	}
	return true
}

func (b *Box) rest(e *entry) {
	e.state, e.due = backingOff, time.Now().Add(b.cfg.Rest(e.backoffs))
	heap.Push(&b.timed, e)
}

// final ends e with a reply, or splits it. An acknowledgement that failed because the service was busy is split too.
// For a message, a split would not help.
func (b *Box) final(e *entry, verdict Verdict, rejection *wire.Error, ends *endings) {
	o := e.answered(rejection, verdict)
	splits := o.Kind == Rejected && verdict == Final || o.Kind == TransientExhausted && e.Class == Ack
	if !splits || !b.split(e, ends) {
		b.finish(e, o, ends)
		return
	}
	if e.group != nil && o.Kind == TransientExhausted {
		e.group.rejection = rejection
	}
}
