// Package outbox holds requests from the moment they are made until they are answered. It outlives every connection,
// uses no socket and starts no goroutine. The writer of a link takes frames from Next; the reader of a link hands
// answers to Answer.
//
// A request is in one of these states until it has ended, and then no longer here:
//
//	waiting    to be written: new, written on a link that was lost, or unanswered for too long
//	written    on the present link, its reply timeout running
//	resting    rejected for a transient reason, until it may be written again
//
// An attempt that ended without an answer makes the request unconfirmed, for good: it may have been carried out.
package outbox

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Class says what a request is for. List is written first. Then Ack and Send take turns, Ack first: an
// acknowledgement frees what it is for, but a thousand of them must not stand before a message that somebody waits
// for.
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
	// ErrNoReply means that Request.Attempts attempts got no reply.
	ErrNoReply = errors.New("outbox: no reply")
	// ErrStalled is returned by Next when the link answers nothing any more and should be replaced.
	ErrStalled = errors.New("nothing was answered for twice the reply timeout")
)

// Request is a frame to be written. Every attempt writes the same bytes.
type Request struct {
	ID    string // of the frame; the reply carries it
	Class Class
	Frame []byte
	Store bool // the frame is written without being compressed
	// Attempts is the number of attempts without a reply after which the request ends with ErrNoReply; 0: no limit. A
	// lost link does not count. With a limit the reply timeout does not double, because the link would be replaced
	// first each time.
	Attempts int
	// Pace, if not nil, is called by Do after each transient rejection, before the request rests. Its error ends the
	// request.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// Kind is the way in which a request ended.
type Kind uint8

// The ways in which a request ends.
const (
	Unanswered         Kind = iota // no final answer came: Outcome.Err says why
	Confirmed                      // the service accepted it
	Rejected                       // the service rejected it, for good
	TransientExhausted             // the service rejected it Config.Attempts times for transient reasons
)

// Outcome says how a request ended.
type Outcome struct {
	Kind Kind
	// Rejection is the answer of a request that was Rejected or TransientExhausted. Of an Unanswered one it is the last
	// transient rejection, or nil.
	Rejection   *wire.Error
	Unconfirmed bool  // an attempt got no answer: it may have been carried out, whatever a later attempt was answered
	Err         error // why the request is Unanswered; nil for the other kinds
	Attempts    int   // how often it was written
}

// Config has the limits and the rules of a Box; all fields are needed.
type Config struct {
	Len          int           // requests of class Send
	Bytes        int64         // of their frames
	ReplyTimeout time.Duration // doubles with each attempt that got no reply, but see Request.Attempts
	Attempts     int           // transient rejections until one is final; negative: no limit
	Transient    func(*wire.Error) bool
	Rest         func(rejections int) time.Duration // the wait after that many transient rejections
}

// Box holds requests. Its methods are safe for concurrent use.
type Box struct {
	cfg  Config
	wake chan struct{} // tells the writer to call Next again

	mu      sync.Mutex
	byID    map[string]*entry
	ready   ready
	timed   queue // written and resting, by when they are due
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
	pacing // its caller runs Request.Pace; it rests after that
)

type entry struct {
	Request
	done        func(Outcome)    // gets the outcome of a request of Go
	ended       chan Outcome     // gets the outcome of a request of Do
	rejected    chan *wire.Error // tells a caller with a Pace of a transient rejection
	seq         uint64
	state       state
	pos         int // in the queue it is in
	due         time.Time
	timeout     time.Duration
	onLink      bool
	since       time.Time // it was first written on the present link, while onLink
	attempts    int
	silent      int // attempts that got no reply in time
	rejections  int
	unconfirmed bool
	rejection   *wire.Error // the last transient one
}

// New returns an empty Box without a link.
func New(cfg Config) *Box {
	b := &Box{
		cfg: cfg, wake: make(chan struct{}, 1), byID: make(map[string]*entry),
		timed: queue{less: byDue},
		room:  room{slots: cfg.Len, bytes: cfg.Bytes, maxSlots: cfg.Len, maxBytes: cfg.Bytes},
	}
	for i := range b.ready.queues {
		b.ready.queues[i].less = byAge
	}
	return b
}

// Wake is readable when Next may have something new to say.
func (b *Box) Wake() <-chan struct{} { return b.wake }

func (b *Box) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Go adds a request that takes no room. done is called once with its outcome, by the goroutine that ends the request
// and under no lock; it must not block. A closed Box calls done with its error.
func (b *Box) Go(req Request, done func(Outcome)) {
	b.add(&entry{Request: req, done: done})
}

func (b *Box) add(e *entry) {
	b.mu.Lock()
	if err := b.closed; err != nil {
		if e.Class == Send {
			b.leave(int64(len(e.Frame)))
		}
		b.mu.Unlock()
		e.end(Outcome{Err: err})
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

// Next returns the next frame to write and whether to store it, and counts it as written. Without one, it returns how
// long until there may be one again unless Wake says so earlier, or a negative duration for ever.
func (b *Box) Next() (frame []byte, store bool, wait time.Duration, err error) {
	now := time.Now()
	b.mu.Lock()
	gaveUp := b.expire(now)
	e, wait, err := b.next(now)
	b.mu.Unlock()
	for _, e := range gaveUp {
		e.end(e.unanswered(ErrNoReply))
	}
	if e == nil {
		return nil, false, wait, err
	}
	return e.Frame, e.Store, 0, nil
}

func (b *Box) next(now time.Time) (*entry, time.Duration, error) {
	wait := time.Duration(-1)
	if b.onLink > 0 {
		wait = 2*b.cfg.ReplyTimeout - now.Sub(b.heard)
		if wait <= 0 {
			// Those who have waited since then may have given up.
			b.heard = b.longest(now)
			wait = 2*b.cfg.ReplyTimeout - now.Sub(b.heard)
		}
		if wait <= 0 {
			//mutant:link-stalled
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

// expire moves the requests that are due back to waiting, and returns those without attempts left.
func (b *Box) expire(now time.Time) (gaveUp []*entry) {
	for b.timed.Len() > 0 && !b.timed.items[0].due.After(now) {
		e := b.timed.items[0]
		if e.state == written {
			e.unconfirmed = true
			e.silent++
			if e.Request.Attempts == 0 {
				e.timeout *= 2
			} else if e.silent >= e.Request.Attempts {
				b.remove(e)
				gaveUp = append(gaveUp, e)
				continue
			}
		}
		b.requeue(e)
	}
	return gaveUp
}

// Answer ends the request with that frame id, or lets it rest where the answer is a transient rejection. rejection is
// nil where the request was accepted. Answer reports whether a request waited for the answer, and never blocks.
func (b *Box) Answer(id []byte, rejection *wire.Error) bool {
	transient := rejection != nil && b.cfg.Transient(rejection)
	b.mu.Lock()
	e := b.byID[string(id)]
	if e == nil || transient && (e.state == resting || e.state == pacing) {
		b.mu.Unlock()
		return false
	}
	b.heard = time.Now()
	b.offLink(e)
	if transient {
		e.rejection = rejection
		if e.rejections++; b.cfg.Attempts < 0 || e.rejections < b.cfg.Attempts {
			b.rest(e)
			b.mu.Unlock()
			b.signal()
			return true
		}
	}
	b.remove(e)
	b.mu.Unlock()
	e.end(e.answered(rejection, transient))
	return true
}

// rest puts e aside after a transient rejection, once its caller has paced if it wants to.
func (b *Box) rest(e *entry) {
	b.unqueue(e)
	if e.rejected != nil {
		e.state = pacing
		e.rejected <- e.rejection // there is room for one, and no second comes while it is pacing
		return
	}
	b.restNow(e)
}

func (b *Box) restNow(e *entry) {
	e.state, e.due = resting, time.Now().Add(b.cfg.Rest(e.rejections))
	heap.Push(&b.timed, e)
}

// Up tells that a link is there. Without one, requests of class List are not taken.
func (b *Box) Up() {
	b.mu.Lock()
	b.up = true
	b.mu.Unlock()
}

// Down tells that the link is gone. Requests that were written on it wait for the next one, unconfirmed and in their
// first order. Requests of class List are forgotten, and their done is not called.
func (b *Box) Down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = false
	for _, e := range b.byID {
		b.offLink(e)
		switch {
		//mutant:outbox-down
		case e.Class == List:
			b.remove(e)
		case e.state == written:
			e.unconfirmed = true
			b.requeue(e)
		}
	}
}

// Close ends every request with err, and all that come later.
func (b *Box) Close(err error) {
	b.mu.Lock()
	b.closed, b.room.shut = err, err
	b.room.seal(err)
	left := make([]*entry, 0, len(b.byID))
	for _, e := range b.byID {
		b.remove(e)
		left = append(left, e)
	}
	b.mu.Unlock()
	for _, e := range left {
		e.end(e.unanswered(err))
	}
}

// Seal refuses new requests of class Send with err, those that wait for room too, and leaves the others be.
func (b *Box) Seal(err error) {
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
func (b *Box) Len() Len {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Len{Requests: b.room.taken(), Resent: b.resent}
}

// Drained returns a channel that is closed as soon as no request of class Send is here, or on its way in.
func (b *Box) Drained() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.drained = append(b.drained, ch)
	b.tellDrained()
	return ch
}
