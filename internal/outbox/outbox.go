// Package outbox holds requests from the moment they are made until they are answered. It outlives every connection,
// uses no socket and starts no goroutine. The writer of a link takes frames from Next; the reader of a link hands
// answers to Answer.
//
// A request is in one of these states until it has ended, and then no longer here:
//
//	waiting    to be written: new, written on a link that was lost, or unanswered for too long
//	written    on the present link, its reply timeout running
//	resting    rejected for a transient reason, until it may be written again
//	split      replaced by its parts, which are requests of their own
//
// An attempt that ended without an answer makes the request unconfirmed, for good: it may have been carried out.
package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/recent"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Class says what a request is for. List is written first. Then Ack and Send take turns, Ack first: an
// acknowledgement frees what it is for, but a thousand of them must not stand before a message that somebody waits
// for.
type Class uint8

// The classes.
const (
	List Class = iota // asks for pending messages: belongs to one link, is written once, and is forgotten with the link
	Ack               // acknowledges; takes no room
	Send              // takes room: see Config.Len and Config.Bytes
	classes
)

// Errors that end a request without an answer.
var (
	// ErrNoReply means that Request.Attempts attempts got no reply, while something else did.
	ErrNoReply = errors.New("outbox: no reply")
	// ErrLinkLost means that Config.Attempts links were lost while nothing but the request was unanswered on them.
	ErrLinkLost = errors.New("outbox: the connection was lost each time the request was written")
)

// Request is a frame to be written. Every attempt writes the same bytes.
type Request struct {
	ID    string // of the frame; the reply carries it
	Class Class
	Frame []byte
	Store bool // the frame is written without being compressed
	// Attempts is the number of attempts without a reply after which the request ends with ErrNoReply; 0: no limit.
	// Only attempts during which a reply could have come count: the link answered something else, or a ping while no
	// message was pushed.
	Attempts int
	// Patient is set for a request that is written again after a rejection whose reason is not in its content.
	Patient bool
	// Family, if not "", names an action that the service may not have. Of the requests of one Family, none of which
	// was confirmed, all are split with the first that is a suspect.
	Family string
	// Split, if not nil, returns the requests that replace this one where the service does not take it as a whole:
	// when it is rejected for good, gets no reply, or is a suspect. Its error ends the request; without parts, the
	// request goes on as one that cannot be split. It is called under the lock of the Box, at most once, and must not
	// use the Box.
	Split func() ([]Part, error)
	// Pace, if not nil, is called by Do after each rejection that is not final, before the request rests. Its error
	// ends the request. The parts of a request have its Pace.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// Config has the limits and the rules of a Box; all fields but Pushes are needed.
type Config struct {
	Len          int           // requests of class Send
	Bytes        int64         // of their frames
	ReplyTimeout time.Duration // doubles with each attempt that got no reply, up to bounds.Bounds.MaxReply
	// Attempts is the number of transient rejections of which the last one is final, and of links after which a suspect
	// ends with ErrLinkLost; negative: no limit.
	Attempts int
	Judge    func(*wire.Error) Verdict          // is called under the lock of the Box, and not for a List
	Rest     func(rejections int) time.Duration // the wait after that many rejections that were not final
	Pushes   func() uint64                      // counts the messages that were pushed; nil: none ever is
}

// Box holds requests. Its methods are safe for concurrent use.
type Box struct {
	cfg  Config
	wake chan struct{} // tells the writer to call Next again

	mu       sync.Mutex
	maxReply time.Duration
	byID     map[string]*entry
	ready    ready
	timed    queue // written and resting, by when they are due
	seq      uint64
	closed   error
	link     linkState
	cautious bool            // the next link starts slowly
	listWait time.Duration   // for which a slow start awaits the List
	proven   map[string]bool // families of which a request was confirmed
	room     room
	drained  []chan struct{}
	resent   uint64
	late     recent.Set // requests that may still be answered, though they have ended
}

// mostLate is how many of them are remembered.
const mostLate = 4096

// New returns an empty Box without a link.
func New(cfg Config) *Box {
	if cfg.Pushes == nil {
		cfg.Pushes = func() uint64 { return 0 }
	}
	return &Box{
		cfg: cfg, wake: make(chan struct{}, 1), byID: make(map[string]*entry), proven: make(map[string]bool),
		maxReply: bounds.Default().MaxReply, listWait: cfg.ReplyTimeout, ready: newReady(), timed: queue{less: byDue},
		late: recent.Set{Limit: mostLate},
		room: room{slots: cfg.Len, bytes: cfg.Bytes, maxSlots: cfg.Len, maxBytes: cfg.Bytes},
	}
}

// Bound replaces the bounds that a Box begins with.
func (b *Box) Bound(to bounds.Bounds) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.maxReply = to.MaxReply
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
	if e.Class == List && !b.link.up {
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
	var ends endings
	b.mu.Lock()
	b.expire(now, &ends)
	e, wait := b.next(now)
	b.mu.Unlock()
	ends.run()
	if e == nil {
		return nil, false, wait, nil
	}
	return e.Frame, e.Store, 0, nil
}

func (b *Box) next(now time.Time) (*entry, time.Duration) {
	e, wait := b.choose(now)
	if e != nil {
		b.written(e, now)
		return e, 0
	}
	if b.timed.Len() > 0 {
		if due := b.timed.items[0].due.Sub(now); wait < 0 || due < wait {
			wait = due
		}
	}
	return nil, wait
}

// Close ends every request with err, and all that come later.
func (b *Box) Close(err error) {
	var ends endings
	b.mu.Lock()
	b.closed, b.room.shut = err, err
	b.room.seal(err)
	for _, e := range b.byID {
		if e.whole == nil {
			b.abort(e, err, &ends)
		}
	}
	b.mu.Unlock()
	ends.run()
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
	Resent   uint64 // how often any request was written again, parts of class Send included
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
