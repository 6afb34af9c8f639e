// Package outbox holds requests from the moment they are made until they are answered. It outlives every connection, knows
// no socket, starts no goroutine, and never reads what it carries: the writer of a link asks it what to write next, and the
// reader tells it which answer came.
//
// A request is in one of these states until it is answered, and then no longer here:
//
//	waiting    to be written: new, written on a link that was lost, or unanswered for too long
//	written    on the present link, its reply clock running
//	resting    refused for a passing reason, until it may be written again
//
// A try that ended without an answer marks the request unsure, for good: it may have been carried out.
package outbox

import (
	"container/heap"
	"errors"
	"sync"
	"time"
)

// Class says what a request is for. List is written first. Then Ack and Send take turns, Ack first: an acknowledgement frees
// what it is for, but a thousand of them must not stand before a message that somebody waits for.
type Class uint8

// The classes.
const (
	List Class = iota // asks for pending messages: belongs to one link and is forgotten with it
	Ack               // acknowledges; takes no room
	Send              // takes room: see Config.Len and Config.Bytes
	classes
)

// Errors that end a request without an answer.
var (
	// ErrUnanswered means that Request.Tries went by without a reply.
	ErrUnanswered = errors.New("outbox: no reply")
	// ErrStalled is what Next returns when the link answers nothing any more and should be replaced.
	ErrStalled = errors.New("nothing was answered for twice the reply timeout")
)

// Request is what is to be written. The same bytes are written on every try.
type Request struct {
	ID    string // of the frame; the reply carries it
	Class Class
	Frame []byte
	Store bool // the frame is written without being compressed
	// Tries is how many tries end in silence before it is given up; 0: any number. A link that was lost is no silence, and
	// every try has the same time: with one that doubles, the link would be replaced first, again and again.
	Tries int
}

// Outcome is how a request ended.
type Outcome[A any] struct {
	Answer   A     // the reply, where Err is nil; else the last temporary refusal, where Refused is set
	Refused  bool  // a temporary refusal came, and nothing better after it
	Unsure   bool  // some try ended without an answer: it may have been carried out, whatever a later one says
	Err      error // nil: answered; else why it was not
	Attempts int   // how often it was written
}

// Config has the limits and the rules of a Box; all fields are needed.
type Config[A any] struct {
	Len          int           // requests of class Send
	Bytes        int64         // of their frames
	ReplyTimeout time.Duration // doubled with each try that ended in silence, but see Request.Tries
	Attempts     int           // temporary refusals until one is final; negative: no limit
	Temporary    func(A) bool  // whether the refusal passes by itself; false for every other answer
	Rest         func(refusals int) time.Duration
}

// Box holds requests. Its methods are safe for concurrent use.
type Box[A any] struct {
	cfg  Config[A]
	wake chan struct{} // tells the writer to call Next again

	mu      sync.Mutex
	byID    map[string]*entry[A]
	ready   ready[A]
	timed   queue[A] // written and resting, by when they are due
	seq     uint64
	closed  error
	up      bool
	onLink  int       // entries written on the present link and not answered
	heard   time.Time // last answer on it, or when the wait for one began
	room    room
	drained []chan struct{}
	resent  uint64
}

type state uint8

const (
	waiting state = iota
	written
	resting
	pacing // about to rest, once its caller has waited for the limiter
)

type entry[A any] struct {
	Request
	done     func(Outcome[A])
	refused  chan A // tells a caller who wants to pace of a temporary refusal; nil: it just rests
	seq      uint64
	state    state
	pos      int // in the queue it is in
	due      time.Time
	timeout  time.Duration
	onLink   bool
	since    time.Time // it was first written on the present link, while onLink
	attempts int
	silent   int // tries that ended in silence
	refusals int
	unsure   bool
	hasNo    bool
	no       A // the last temporary refusal
}

// New returns an empty Box without a link.
func New[A any](cfg Config[A]) *Box[A] {
	b := &Box[A]{
		cfg: cfg, wake: make(chan struct{}, 1), byID: make(map[string]*entry[A]),
		timed: queue[A]{less: byDue[A]},
		room:  room{slots: cfg.Len, bytes: cfg.Bytes, maxSlots: cfg.Len, maxBytes: cfg.Bytes},
	}
	for i := range b.ready.queues {
		b.ready.queues[i].less = byAge[A]
	}
	return b
}

// Wake is readable when Next may have something new to say.
func (b *Box[A]) Wake() <-chan struct{} { return b.wake }

func (b *Box[A]) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Go adds a request that takes no room. done is called once with its outcome, by the goroutine that brings it about and
// under no lock; it must not block. Go reports the error of a closed Box to done as well.
func (b *Box[A]) Go(req Request, done func(Outcome[A])) {
	b.add(&entry[A]{Request: req, done: done})
}

func (b *Box[A]) add(e *entry[A]) {
	b.mu.Lock()
	if err := b.closed; err != nil {
		if e.Class == Send {
			b.leave(int64(len(e.Frame)))
		}
		b.mu.Unlock()
		e.done(Outcome[A]{Err: err})
		return
	}
	if e.Class == List && !b.up {
		b.mu.Unlock() // every link begins with a request of its own
		return
	}
	b.seq++
	e.seq, e.timeout = b.seq, b.cfg.ReplyTimeout
	b.byID[e.ID] = e
	b.ready.push(e)
	b.mu.Unlock()
	b.signal()
}

// Next returns the next frame to write and whether to store it, and counts it as written. Without one, it returns how long
// until there may be one again unless Wake says so earlier, or a negative duration for ever.
func (b *Box[A]) Next() (frame []byte, store bool, wait time.Duration, err error) {
	now := time.Now()
	b.mu.Lock()
	gaveUp := b.expire(now)
	e, wait, err := b.next(now)
	b.mu.Unlock()
	for _, e := range gaveUp {
		e.done(e.outcome(ErrUnanswered))
	}
	if e == nil {
		return nil, false, wait, err
	}
	return e.Frame, e.Store, 0, nil
}

func (b *Box[A]) next(now time.Time) (*entry[A], time.Duration, error) {
	wait := time.Duration(-1)
	if b.onLink > 0 {
		wait = 2*b.cfg.ReplyTimeout - now.Sub(b.heard)
		if wait <= 0 {
			// Those who have waited since then may have given up.
			b.heard = b.longest(now)
			wait = 2*b.cfg.ReplyTimeout - now.Sub(b.heard)
		}
		if wait <= 0 {
			return nil, 0, ErrStalled
		}
	}
	e := b.ready.pop()
	if e == nil {
		if b.timed.Len() > 0 {
			if due := b.timed.items[0].due.Sub(now); wait < 0 || due < wait {
				wait = due
			}
		}
		return nil, wait, nil
	}
	e.state, e.due = written, now.Add(e.timeout)
	heap.Push(&b.timed, e)
	if e.attempts++; e.attempts > 1 {
		b.resent++
	}
	if !e.onLink {
		if b.onLink == 0 {
			b.heard = now
		}
		e.onLink, e.since = true, now
		b.onLink++
	}
	return e, 0, nil
}

// expire moves what is due back to waiting, and returns those whose tries are used up.
func (b *Box[A]) expire(now time.Time) (gaveUp []*entry[A]) {
	for b.timed.Len() > 0 && !b.timed.items[0].due.After(now) {
		e := b.timed.items[0]
		if e.state == written {
			e.unsure = true
			e.silent++
			if e.Tries == 0 {
				e.timeout *= 2
			} else if e.silent >= e.Tries {
				b.remove(e)
				gaveUp = append(gaveUp, e)
				continue
			}
		}
		b.requeue(e)
	}
	return gaveUp
}

// Answer finishes the request with that frame id, or lets it rest where the answer is a temporary refusal. It reports
// whether the answer was waited for, and never blocks.
func (b *Box[A]) Answer(id []byte, a A) bool {
	temporary := b.cfg.Temporary(a)
	b.mu.Lock()
	e := b.byID[string(id)]
	if e == nil || temporary && (e.state == resting || e.state == pacing) {
		b.mu.Unlock()
		return false
	}
	b.heard = time.Now()
	b.offLink(e)
	if temporary {
		e.no, e.hasNo = a, true
		if e.refusals++; b.cfg.Attempts < 0 || e.refusals < b.cfg.Attempts {
			b.rest(e, a)
			b.mu.Unlock()
			b.signal()
			return true
		}
	}
	b.remove(e)
	b.mu.Unlock()
	out := e.outcome(nil)
	out.Answer, out.Refused = a, temporary
	e.done(out)
	return true
}

// rest puts e aside after a temporary refusal, once its caller has paced if it wants to.
func (b *Box[A]) rest(e *entry[A], a A) {
	b.unqueue(e)
	if e.refused != nil {
		e.state = pacing
		e.refused <- a // there is room for one, and no second comes while it is pacing
		return
	}
	b.restNow(e)
}

func (b *Box[A]) restNow(e *entry[A]) {
	e.state, e.due = resting, time.Now().Add(b.cfg.Rest(e.refusals))
	heap.Push(&b.timed, e)
}

// Up tells that a link is there. Without one, requests of class List are not taken.
func (b *Box[A]) Up() {
	b.mu.Lock()
	b.up = true
	b.mu.Unlock()
}

// Down tells that the link is gone: what was written on it waits for the next one, unsure, in its first order, and requests
// of class List are forgotten, without a word to anybody.
func (b *Box[A]) Down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = false
	for _, e := range b.byID {
		b.offLink(e)
		switch {
		case e.Class == List:
			b.remove(e)
		case e.state == written:
			e.unsure = true
			b.requeue(e)
		}
	}
}

// Close ends every request with err, and all that come later.
func (b *Box[A]) Close(err error) {
	b.mu.Lock()
	b.closed, b.room.shut = err, err
	b.room.seal(err)
	left := make([]*entry[A], 0, len(b.byID))
	for _, e := range b.byID {
		b.remove(e)
		left = append(left, e)
	}
	b.mu.Unlock()
	for _, e := range left {
		e.done(e.outcome(err))
	}
}

// Seal refuses new requests of class Send with err, those that wait for room too, and leaves the others be.
func (b *Box[A]) Seal(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room.seal(err)
}

// Len is what a Box holds and has done.
type Len struct {
	Requests int    // that have room
	Resent   uint64 // how often any request was written again
}

// Len returns the present numbers.
func (b *Box[A]) Len() Len {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Len{Requests: b.room.taken(), Resent: b.resent}
}

// Drained returns a channel that is closed as soon as no request of class Send is here, or on its way in.
func (b *Box[A]) Drained() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.drained = append(b.drained, ch)
	b.tellDrained()
	return ch
}
