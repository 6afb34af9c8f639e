// Package inbox holds messages from their arrival until their acknowledgement is confirmed. Messages of one lane are
// handled one at a time and in order, different lanes concurrently. Worker goroutines exist only while there is work.
// The inbox is bounded in bytes, which the lanes share. It does no I/O and never reads the messages.
package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// Overhead is the size of a message without its data, and of an id while only an acknowledgement is in flight.
const Overhead = 512

// spareLanes is the number of empty lanes kept for reuse.
const spareLanes = 32

// Fate is the result of Offer.
type Fate uint8

// Fates.
const (
	Taken     Fate = iota // accepted and handled; if it is released later, as if Rejected
	Duplicate             // its id is in flight already
	Rejected              // rejected, for capacity or order; the server must redeliver it
)

// Verdict is the result of an attempt to handle a message.
type Verdict struct {
	Then  Then
	After time.Duration // wait before a Retry
	Acked bool          // for Retry: the message was acknowledged, so the server does not redeliver it
	Note  any           // for Retry; passed to the next attempt, also if the message was released in between

	detached bool
}

// Detached reports whether the attempt was detached. Then Handle must not change its Verdict.
func (v *Verdict) Detached() bool { return v.detached }

// Then is the kind of a Verdict.
type Then uint8

// Kinds of Verdicts.
const (
	Done  Then = iota // finished; its id is in flight while an acknowledgement is
	Keep              // finished, but its id stays in flight until Forget
	Retry             // another attempt, before the rest of its lane unless it was detached
)

// Config has the options of a Box. All fields are required unless stated otherwise.
type Config[M any] struct {
	Workers int
	Bytes   int64
	// Handle makes one attempt, counted from 1, and stores its result in v. It must not panic. It may end its
	// goroutine, which is why it does not return the result.
	Handle func(m M, attempt int, v *Verdict)
	// Due is called when the server should redeliver rejected messages: the whole box, or one closed lane, has shrunk
	// to half of its size when it closed. It is called at most once for each of the two until Reopen, without locks,
	// and must not block. During a concurrent Reopen it may be called late; Box.Due has the current state.
	Due func(whole bool)
	// OnBackoff is called when a lane starts to back off, without locks.
	OnBackoff func()
	// Slow is called once for each attempt that has been running for SlowAfter. busy is the number of running attempts.
	// It is called without locks and must not block. It may be nil.
	SlowAfter time.Duration
	Slow      func(key, id string, running time.Duration, busy int)
	// OnReleased is called for a message with the verdict Retry and Acked if Stop prevents another attempt. It is
	// called without locks, on a goroutine that Idle waits for and Abandon counts. It may end that goroutine.
	OnReleased func(m M)
}

// Box holds messages by lane. Its methods are safe for concurrent use.
type Box[M any] struct {
	cfg  Config[M]
	born time.Time // times are measured from it, and none is 0

	mu       sync.Mutex
	lanes    map[string]*lane[M]
	alone    map[string]*lane[M] // those of single messages that were detached, by id
	spare    []*lane[M]          // empty ones
	ready    ready[M]
	backoffs backoffs[M]
	ids      ids
	used     int64 // by messages, and by ids with only an acknowledgement in flight
	inLanes  int64 // by messages only
	messages int
	workers  int
	starting bool // a worker has not taken its first lane yet
	handling int
	detached int
	leaving  int // handlers that run on although their detached message was settled
	closing  closing
	released released
	watch    *time.Timer // finds slow attempts; nil before the first attempt
	watching bool        // watch is running, because an unreported attempt is

	stopped   bool        // accepts and starts nothing
	abandoned atomic.Bool // discards results
	idle      []chan struct{}
}

// item is a message in a lane. It is kept small because there are many under load.
type item[M any] struct {
	id      string
	m       M
	size    int32 // of its data
	attempt int32
}

// cost is the size that a message counts.
func (it *item[M]) cost() int64 { return int64(it.size) + Overhead }

type lane[M any] struct {
	key     string
	alone   string // id of its only message if that was detached before, which is not ""
	items   fifo.Queue[item[M]]
	bytes   int64   // cost of its messages
	stage   stage   // of the first message
	turn    uint64  // since when it has been ready
	closed  bool    // until Reopen
	half    int64   // half of its bytes when it closed
	verdict Verdict // of the current attempt; stored here to save an allocation per attempt

	wakes     time.Duration // time of the next attempt of the first message
	backoffAt int           // index among the lanes in backoff, from 1; 0: not in backoff

	began  time.Duration // start of the current attempt
	slow   bool          // the current attempt was reported as slow
	from   *lane[M]      // of a detached message: the lane that its handler's goroutine has
	gone   departure     // of the lane that a goroutine kept after Detach
	failed time.Duration // first failure of the first message; 0: none, or the lane is empty
}

// stage is the state of the first message of a lane. All others are queued. It is stored in the lane and not with the
// id, so that an attempt needs no lookup of the id.
type stage uint8

const (
	queued stage = iota
	handling
	backingOff // or ready for the next attempt
	detached   // until Settle
)

// New returns an empty Box with all lanes open.
func New[M any](cfg Config[M]) *Box[M] {
	return &Box[M]{
		cfg: cfg, born: time.Now().Add(-time.Nanosecond), ready: ready[M]{capacity: cfg.Bytes / 8},
		lanes: make(map[string]*lane[M]), alone: make(map[string]*lane[M]), ids: ids{states: make(map[string]state)},
		closing: closing{empty: make(map[string]time.Duration)}, released: make(released),
	}
}

// now returns the time since the Box was made. It costs half as much as time.Now.
func (b *Box[M]) now() time.Duration { return time.Since(b.born) }

// Offer adds a message with size bytes of data to a lane. It never blocks.
func (b *Box[M]) Offer(key, id string, size int32, m M) Fate {
	fate, due := b.offer(key, item[M]{id: id, m: m, size: size})
	b.signalDue(due)
	return fate
}

func (b *Box[M]) offer(key string, it item[M]) (Fate, due) {
	b.mu.Lock()
	defer b.mu.Unlock()
	//mutant:inbox-duplicate
	if b.ids.has(it.id) {
		return Duplicate, notDue
	}
	l, name := b.lanes[key], key
	before := b.released[it.id]
	it.attempt = before.tried
	//mutant:released-alone
	if before.alone {
		l, name = nil, aloneName(key, it.id)
	}
	if b.stopped || b.rejects(name, l) {
		return Rejected, notDue
	}
	if !b.fits(it.cost()) && !b.makeCapacity(name, l, &it) {
		return Rejected, b.nowDue()
	}
	switch {
	case name != key:
		l = b.openAlone(key, it.id)
	case l == nil:
		l = b.open(key)
	}
	b.ids.enter(it.id)
	b.add(l, it.cost())
	b.messages++
	l.items.Push(it)
	//mutant:lane-ready
	if l.items.Len() == 1 {
		b.begin(l)
		b.hire()
	}
	return Taken, b.nowDue()
}

// add adds n to the bytes of l.
func (b *Box[M]) add(l *lane[M], n int64) {
	b.used += n
	b.inLanes += n
	l.bytes += n
}

// remove subtracts a message of l. Its id counts on while an acknowledgement is in flight.
func (b *Box[M]) remove(l *lane[M], it *item[M], keep bool) {
	b.messages--
	b.add(l, -it.cost())
	if b.ids.leave(it.id, keep) {
		b.used += Overhead
	}
}

// open adds a lane.
func (b *Box[M]) open(key string) *lane[M] {
	var l *lane[M]
	if last := len(b.spare) - 1; last >= 0 {
		l, b.spare = b.spare[last], b.spare[:last]
	} else {
		l = new(lane[M])
	}
	l.key = key
	b.lanes[key] = l
	return l
}

// discard removes an empty lane.
func (b *Box[M]) discard(l *lane[M]) {
	b.unlist(l)
	if l.closed {
		b.closeEmpty(l.name(), l.failed)
	}
	if len(b.spare) < spareLanes {
		*l = lane[M]{items: l.items}
		b.spare = append(b.spare, l)
	}
}

func (b *Box[M]) unlist(l *lane[M]) {
	if l.alone != "" {
		delete(b.alone, l.alone)
	} else {
		delete(b.lanes, l.key)
	}
}

// hire starts a worker if a lane is ready and the limit allows it. Workers start one after the other: each hires the
// next when it has work itself. So handlers that return at once do not cost a goroutine per message.
func (b *Box[M]) hire() {
	if b.ready.any() && !b.starting && b.workers < b.cfg.Workers {
		b.workers++
		b.starting = true
		go b.work(true)
	}
}

// Hold keeps an id in flight for one acknowledgement, until Release.
func (b *Box[M]) Hold(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.released, id)
	if b.ids.hold(id) {
		b.used += Overhead
	}
}

// Release undoes Hold for each id.
func (b *Box[M]) Release(ids ...string) { b.signalDue(b.release(ids)) }

func (b *Box[M]) release(ids []string) due {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if b.ids.release(id) {
			b.used -= Overhead
		}
	}
	return b.nowDue()
}

// Forget undoes a verdict of Keep, including a future one.
func (b *Box[M]) Forget(ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		//mutant:released-acked
		delete(b.released, id)
		b.ids.forget(id)
	}
}

// Len is the content of a Box.
type Len struct {
	Messages int // queued, running, detached, and backing off
	Handling int // running

	Closed  int // lanes that are closed until Reopen
	Waiting int // lanes in backoff
	Delayed int // lanes that are closed or in backoff

	OldestHandler time.Duration // running time of the longest-running attempt
	// time since the first failure of the message that has been waiting longest, including released ones
	OldestWaiting time.Duration
}

// Len returns the current numbers. It iterates over all lanes.
func (b *Box[M]) Len() Len {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	n := Len{Messages: b.messages, Handling: b.handling, Closed: len(b.closing.empty), Delayed: len(b.closing.empty)}
	for _, failed := range b.closing.empty {
		if failed > 0 {
			n.OldestWaiting = max(n.OldestWaiting, now-failed)
		}
	}
	for l := range b.all() {
		n.add(now, l.closed, l.stage, l.began, l.failed)
	}
	return n
}

// add counts a lane that is not empty.
func (n *Len) add(now time.Duration, closed bool, first stage, began, failed time.Duration) {
	if closed {
		n.Closed++
	}
	if closed || first == backingOff {
		n.Delayed++
	}
	switch first {
	case queued, detached:
	case handling:
		n.OldestHandler = max(n.OldestHandler, now-began)
	case backingOff:
		n.Waiting++
		n.OldestWaiting = max(n.OldestWaiting, now-failed)
	}
}
