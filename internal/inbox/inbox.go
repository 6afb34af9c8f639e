// Package inbox holds messages from the moment they are pushed until their acknowledgement is confirmed. Messages of
// one lane are handled one at a time and in order, different lanes at the same time, by workers that exist only while
// there is work. It is bounded by bytes, which the lanes share, knows no socket, and never reads what it carries.
package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// Overhead is what a message counts beside its data, and what its id counts alone while an acknowledgement waits.
const Overhead = 512

// spareLanes is how many empty lanes are kept to be used again.
const spareLanes = 32

// Fate is what became of a message that was offered.
type Fate uint8

// The fates.
const (
	Taken     Fate = iota // it is handled, and again after a Retry, unless its lane gives way: then as Refused
	Duplicate             // its id is held already
	Refused               // no room, or not its turn: the server has to push it again
)

// Verdict is what becomes of a message after an attempt to handle it.
type Verdict struct {
	Then  Then
	After time.Duration // for Retry
	Acked bool          // for Retry: the message was acknowledged, so that the server does not push it again
	Note  any           // for Retry; Handle finds that of the last attempt here, also of a message that gave way
}

// Then is the kind of a Verdict.
type Then uint8

// The verdicts.
const (
	Done  Then = iota // finished; its id is held as long as an acknowledgement holds it
	Keep              // finished, but its id is held until Forget
	Retry             // again, ahead of the rest of its lane
)

// Config has what a Box needs; all fields do.
type Config[M any] struct {
	Workers int
	Bytes   int64
	// Handle runs one attempt, counted from 1, and stores its result in v. It must not panic, but may end its
	// goroutine: with a result to return, it could not.
	Handle func(m M, attempt int, v *Verdict)
	// Due tells that what was refused may be pushed again: something closed, and the whole box or one closed lane is
	// down to half of what it held then. It is called at most once for each of the two until Reopen, under no lock, and
	// must not block. Where Reopen comes at the same time, it may be called late: Box.Due knows.
	Due func(whole bool)
	// Parked tells that a lane began to wait for another attempt. It is called under no lock.
	Parked func()
	// Slow tells, once for each attempt, that one has been running for SlowAfter; busy is how many run. It is called
	// under no lock, and must not block. Nil: nobody is to be told.
	SlowAfter time.Duration
	Slow      func(key, id string, running time.Duration, busy int)
	// LetGo takes a message with a verdict of Retry and Acked that Stop keeps from another attempt. It is called under
	// no lock, on a goroutine that Idle waits for and Abandon counts. It may end that goroutine.
	LetGo func(m M)
}

// Box holds messages by lane. Its methods are safe for concurrent use.
type Box[M any] struct {
	cfg  Config[M]
	born time.Time // moments are counted from it, and none is 0

	mu       sync.Mutex
	lanes    map[string]*lane[M]
	spare    []*lane[M] // empty ones
	ready    ready[M]
	parked   parked[M]
	ids      ids
	used     int64 // by messages, and by ids that only an acknowledgement holds
	inLanes  int64 // by messages alone
	messages int
	workers  int
	starting bool // a worker that has not taken its first lane
	handling int
	closing  closing
	away     away
	watch    *time.Timer // looks for slow attempts; nil: none has begun yet
	watching bool        // watch runs: an attempt does that was not told of

	stopped   bool        // takes nothing and starts nothing any more
	abandoned atomic.Bool // does not hear results any more
	idle      []chan struct{}
}

// item is a message in a lane. Under load there are many: it is as small as it can be.
type item[M any] struct {
	id      string
	m       M
	size    int32 // of its data
	attempt int32
}

// cost is what a message counts.
func (it *item[M]) cost() int64 { return int64(it.size) + Overhead }

type lane[M any] struct {
	key     string
	items   fifo.Queue[item[M]]
	bytes   int64   // what its messages count
	stage   stage   // of the first one
	turn    uint64  // since when it has been ready
	closed  bool    // until Reopen
	half    int64   // of what it held when it closed
	verdict Verdict // of the present attempt: in the lane, so that it is not allocated for each attempt

	wakes    time.Duration // when another attempt of the first message is due
	parkedAt int           // among the lanes that wait for that, from 1; 0: the lane is not

	began  time.Duration // when the present attempt did
	slow   bool          // the present attempt was told of
	failed time.Duration // when the first message failed for the first time; 0: it did not, or the lane is empty
}

// stage is how far the first message of a lane is. All others are queued. It is kept here, and not with the id, so
// that an attempt does not have to look the id up.
type stage uint8

const (
	queued stage = iota
	handling
	backingOff // or ready for the next attempt
)

// New returns an empty Box that takes messages of every lane.
func New[M any](cfg Config[M]) *Box[M] {
	return &Box[M]{
		cfg: cfg, born: time.Now().Add(-time.Nanosecond), ready: ready[M]{room: cfg.Bytes / 8},
		lanes: make(map[string]*lane[M]), ids: ids{states: make(map[string]state)},
		closing: closing{empty: make(map[string]time.Duration)}, away: make(away),
	}
}

// now returns the time since the Box was made, which costs half of time.Now.
func (b *Box[M]) now() time.Duration { return time.Since(b.born) }

// Offer adds a message with size bytes of data to a lane. It never blocks.
func (b *Box[M]) Offer(key, id string, size int32, m M) Fate {
	fate, due := b.offer(key, item[M]{id: id, m: m, size: size})
	b.tell(due)
	return fate
}

func (b *Box[M]) offer(key string, it item[M]) (Fate, due) {
	b.mu.Lock()
	defer b.mu.Unlock()
	//mutant:inbox-duplicate
	if b.ids.has(it.id) {
		return Duplicate, notDue
	}
	l := b.lanes[key]
	if b.stopped || b.refuses(key, l) {
		return Refused, notDue
	}
	it.attempt = b.away[it.id].tried
	if !b.fits(it.cost()) && !b.makeRoom(key, l, &it) {
		return Refused, b.nowDue()
	}
	if l == nil {
		l = b.open(key)
	}
	b.ids.enter(it.id)
	b.add(l, it.cost())
	b.messages++
	l.items.Push(it)
	//mutant:lane-ready
	if l.items.Len() == 1 {
		b.ready.push(l)
		b.hire()
	}
	return Taken, b.nowDue()
}

// add counts bytes of messages of l.
func (b *Box[M]) add(l *lane[M], n int64) {
	b.used += n
	b.inLanes += n
	l.bytes += n
}

// remove takes a message of l out of the count. Its id stays in it as long as an acknowledgement holds it.
func (b *Box[M]) remove(l *lane[M], it *item[M], keep bool) {
	b.messages--
	b.add(l, -it.cost())
	if b.ids.leave(it.id, keep) {
		b.used += Overhead
	}
}

// open makes a lane.
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

// discard forgets an empty lane.
func (b *Box[M]) discard(l *lane[M]) {
	delete(b.lanes, l.key)
	if l.closed {
		b.closeEmpty(l.key, l.failed)
	}
	if len(b.spare) < spareLanes {
		*l = lane[M]{items: l.items}
		b.spare = append(b.spare, l)
	}
}

// hire starts a worker if a lane is ready and one more may be started. They come one after the other: each hires the
// next once it has something to do itself. So handlers that return at once do not cost a goroutine for each message.
func (b *Box[M]) hire() {
	if b.ready.any() && !b.starting && b.workers < b.cfg.Workers {
		b.workers++
		b.starting = true
		go b.work(true)
	}
}

// Hold keeps an id for one acknowledgement, until Release.
func (b *Box[M]) Hold(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.away, id)
	if b.ids.hold(id) {
		b.used += Overhead
	}
}

// Release undoes Hold for each id.
func (b *Box[M]) Release(ids ...string) { b.tell(b.release(ids)) }

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

// Forget undoes a verdict of Keep, also one that is yet to come.
func (b *Box[M]) Forget(ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		//mutant:away-acked
		delete(b.away, id)
		b.ids.forget(id)
	}
}

// Len is what a Box holds.
type Len struct {
	Messages int // queued, being handled, and backing off
	Handling int // being handled

	Closed  int // lanes that take nothing until Reopen
	Waiting int // lanes that wait for another attempt of their first message
	Delayed int // lanes that are one of the two

	OldestHandler time.Duration // since the longest attempt of those that run began
	// since the first failure of the message that has been waited for longest, let go or not
	OldestWaiting time.Duration
}

// Len returns the present numbers. It looks at every lane.
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
	for _, l := range b.lanes {
		n.add(now, l.closed, l.stage, l.began, l.failed)
	}
	return n
}

// add counts a lane that holds something.
func (n *Len) add(now time.Duration, closed bool, first stage, began, failed time.Duration) {
	if closed {
		n.Closed++
	}
	if closed || first == backingOff {
		n.Delayed++
	}
	switch first {
	case queued:
	case handling:
		n.OldestHandler = max(n.OldestHandler, now-began)
	case backingOff:
		n.Waiting++
		n.OldestWaiting = max(n.OldestWaiting, now-failed)
	}
}
