// Package outbox holds requests from the call until the reply. It outlives every connection, does no I/O and starts no
// goroutine. The writer of a link takes frames from Next; its reader passes replies to Answer.
//
// A request is in one of these states until it has ended:
//
//	waiting    to be written: new, written on a lost link, or without a reply in time
//	written    in flight on the current link, its reply timeout running
//	limiting   its caller is running Request.Pace after a transient rejection
//	backingOff in backoff after a transient rejection
//	split      replaced by its parts, which are requests of their own
//	behind     a part that waits for an earlier part
//
// An attempt that ended without a reply makes the request unconfirmed for good: it may have been carried out.
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

// Class is the kind of a request. List is written first. Then Ack and Send alternate, Ack first: acknowledgements free
// memory, but a thousand of them must not delay a message that a caller waits for.
type Class uint8

// Classes.
const (
	List Class = iota // requests pending messages: written once, on one link, and discarded with it
	Ack               // acknowledges; uses no capacity
	Send              // uses capacity: see Config.Len and Config.Bytes
	classes
)

// Errors that end a request without a reply.
var (
	// ErrNoReply means that Request.Attempts attempts got no reply, while the peer answered another request or a ping.
	ErrNoReply = errors.New("outbox: no reply")
	// ErrLinkLost means that Config.Attempts links were lost while only this request was in flight.
	ErrLinkLost = errors.New("outbox: the connection was lost each time the request was written")
)

// Request is a frame to write. Every attempt writes the same bytes.
type Request struct {
	ID    string // of the frame and its reply
	Class Class
	Frame []byte
	Store bool // do not compress the frame
	// Attempts is the number of attempts without a reply after which the request ends with ErrNoReply; 0: no limit. An
	// attempt counts only if a reply could have arrived: another request was answered, or a ping while no message was
	// pushed.
	Attempts int
	// Patient requests are written again after a rejection that does not concern their content.
	Patient bool
	// Family, if not "", names an action that the service may not accept. If no request of a Family was confirmed, all
	// are split with the first suspect.
	Family string
	// Split, if not nil, returns replacements for this request if the service does not accept it as a whole: it is
	// rejected permanently, gets no reply, or is a suspect. An error ends the request. Without parts the request
	// continues unsplit. Split is called at most once, with the lock of the Box held, and must not use the Box.
	Split func() ([]Part, error)
	// Pace, if not nil, is called by Do after each rejection that is not final, before the backoff. An error ends the
	// request. Parts share the Pace of their request.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// Config has the limits and rules of a Box. All fields but Pushes are required.
type Config struct {
	Len          int           // requests of class Send
	Bytes        int64         // of their frames
	ReplyTimeout time.Duration // doubles with each attempt without a reply, up to bounds.Bounds.MaxReply
	// Attempts is the number of transient rejections after which the last one is final, and of lost links after which a
	// suspect ends with ErrLinkLost; negative: no limit.
	Attempts int
	Judge    func(*wire.Error) Verdict          // called with the lock of the Box held, not for a List
	Rest     func(rejections int) time.Duration // returns the backoff after that many rejections that were not final
	Pushes   func() uint64                      // returns the number of pushed messages; may be nil
}

// Box holds requests. Its methods are safe for concurrent use.
type Box struct {
	cfg  Config
	wake chan struct{} // signals the writer to call Next again

	mu       sync.Mutex
	maxReply time.Duration
	byID     map[string]*entry
	ready    ready
	timed    queue // written and backingOff, by due time
	seq      uint64
	closed   error
	link     linkState
	cautious bool            // the next link starts slowly
	listWait time.Duration   // how long a slow start waits for the reply to the List
	proven   map[string]bool // families with a confirmed request
	capacity capacity
	drained  []chan struct{}
	resent   uint64
	late     recent.Set // finished requests that may still get a reply
}

// maxLate bounds the ids in Box.late.
const maxLate = 4096

// New returns an empty Box without a link.
func New(cfg Config) *Box {
	if cfg.Pushes == nil {
		cfg.Pushes = func() uint64 { return 0 }
	}
	return &Box{
		cfg: cfg, wake: make(chan struct{}, 1), byID: make(map[string]*entry), proven: make(map[string]bool),
		maxReply: bounds.Default().MaxReply, listWait: cfg.ReplyTimeout, ready: newReady(), timed: queue{less: byDue},
		late:     recent.Set{Limit: maxLate},
		capacity: capacity{slots: cfg.Len, bytes: cfg.Bytes, maxSlots: cfg.Len, maxBytes: cfg.Bytes},
	}
}

// Bound replaces the default bounds.
func (b *Box) Bound(to bounds.Bounds) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.maxReply = to.MaxReply
}

// Wake returns a channel that is readable when the result of Next may have changed.
func (b *Box) Wake() <-chan struct{} { return b.wake }

func (b *Box) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Go adds a request without using capacity. done is called once with its outcome, without locks, by the goroutine that
// ends the request. It must not block. A closed Box calls done with its error.
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

// Next returns the next frame to write and whether it must not be compressed, and counts it as written. If there is
// none, it returns how long to wait unless Wake signals earlier. A negative duration means without limit.
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

// Close ends every request with err, including later ones.
func (b *Box) Close(err error) {
	var ends endings
	b.mu.Lock()
	b.closed, b.capacity.sealed = err, err
	b.capacity.seal(err)
	for _, e := range b.byID {
		if e.whole == nil {
			b.abort(e, err, &ends)
		}
	}
	b.mu.Unlock()
	ends.run()
}

// Seal rejects new requests of class Send with err, including those waiting for capacity. Others continue.
func (b *Box) Seal(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.capacity.seal(err)
}

// Len is the content of a Box, and a counter.
type Len struct {
	Requests int    // those with capacity
	Resent   uint64 // repeated writes of requests, including parts of class Send
}

// Len returns the current numbers.
func (b *Box) Len() Len {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Len{Requests: b.capacity.taken(), Resent: b.resent}
}

// Drained returns a channel that is closed when no request of class Send is in the Box or waiting to enter.
func (b *Box) Drained() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.drained = append(b.drained, ch)
	b.signalDrained()
	return ch
}
