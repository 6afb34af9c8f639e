// Package inbox holds messages from the moment they are pushed until their acknowledgement is confirmed. Messages of
// one lane are handled one at a time and in order, different lanes at the same time, by workers that exist only while
// there is work. It is bounded by bytes, knows no socket, and never reads what it carries.
package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/recent"
)

// Overhead is what a message counts beside its data, and what its id counts alone while an acknowledgement waits.
const Overhead = 512

// keptIDs bounds the ids whose acknowledgement is left to the user; the oldest are forgotten.
const keptIDs = 100_000

// spareLanes is how many empty lanes are kept to be used again.
const spareLanes = 32

// Fate is what became of a message that was offered.
type Fate uint8

// The fates.
const (
	Taken     Fate = iota // it will be handled
	Duplicate             // its id is held already
	Refused               // no room, or not its turn: the server has to push it again
)

// Verdict is what becomes of a message after an attempt to handle it.
type Verdict struct {
	Then  Then
	After time.Duration // for Retry
}

// Then is the kind of a Verdict.
type Then uint8

// The verdicts.
const (
	Done  Then = iota // finished; its id is held as long as somebody else holds it
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
	// Relist asks the server to push everything pending again, because there is room again since the gate closed at the
	// message with that id. It is called under no lock and must not block.
	Relist func(gate string)
	// LetGo takes a message that waited for another attempt when Stop was called. It is called under no lock.
	LetGo func(m M)
}

// Box holds messages by lane. Its methods are safe for concurrent use.
type Box[K comparable, M any] struct {
	cfg Config[M]

	mu       sync.Mutex
	lanes    map[K]*lane[K, M]
	spare    []*lane[K, M] // empty ones
	ready    fifo.Queue[*lane[K, M]]
	held     map[string]hold
	kept     recent.Set
	used     int64
	messages int
	workers  int
	starting bool // a worker that has not taken its first lane
	handling int
	gate     gate

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

type lane[K comparable, M any] struct {
	key     K
	items   fifo.Queue[item[M]] // the first one is being handled, while busy is set
	busy    bool
	verdict Verdict     // of the present attempt: in the lane, so that it is not allocated for each attempt
	park    *time.Timer // runs while the lane waits for another attempt
}

// hold says who still needs an id to be remembered.
type hold struct {
	acks   int32 // acknowledgements under way
	here   bool  // its message is here
	forget bool  // Forget was called while its message was here
}

// gate is where messages come in. It closes at the first one that does not fit, so that no later one overtakes it,
// and opens when that one is pushed again.
type gate struct {
	id    string // what it is closed at, or "" while it is open
	size  int64  // of its data
	stage stage
}

// stage is how far a closed gate is from being opened.
type stage uint8

const (
	full   stage = iota // there is no room yet
	asked               // Relist was called
	early               // and its message came before the server had answered
	listed              // the server has answered: what it pushes from now on is everything, the oldest first
)

// admits reports whether a message may come in. Before the list, the gate's own may come alone, because the server
// pushes it again for a reason of its own: taken then, it would let through what comes next, ahead of those that were
// refused behind it.
func (g *gate) admits(id string) bool {
	if g.id == "" {
		return true
	}
	if g.id == id && g.stage == asked {
		g.stage = early
	}
	return g.id == id && g.stage == listed
}

// New returns an empty Box with an open gate.
func New[K comparable, M any](cfg Config[M]) *Box[K, M] {
	return &Box[K, M]{
		cfg: cfg, lanes: make(map[K]*lane[K, M]), held: make(map[string]hold), kept: recent.Set{Limit: keptIDs},
	}
}

// Offer adds a message with size bytes of data to a lane. One without id is not pushed again when it is refused: it
// does not mind the gate, and is not remembered. Offer never blocks.
func (b *Box[K, M]) Offer(key K, id string, size int32, m M) Fate {
	b.mu.Lock()
	defer b.mu.Unlock()
	//mutant:inbox-duplicate
	if id != "" && (b.holds(id) || b.kept.Has(id)) {
		return Duplicate
	}
	if b.stopped || id != "" && !b.gate.admits(id) {
		return Refused
	}
	if !b.fits(int64(size)) {
		if id != "" {
			//mutant:gate-close
			b.gate = gate{id: id, size: int64(size)}
		}
		return Refused
	}
	if id != "" {
		b.gate = gate{}
	}
	b.used += int64(size) + Overhead
	b.messages++
	if id != "" {
		b.held[id] = hold{here: true}
	}
	l := b.lane(key)
	l.items.Push(item[M]{id: id, m: m, size: size})
	//mutant:lane-ready
	if l.items.Len() == 1 {
		b.ready.Push(l)
		b.hire()
	}
	return Taken
}

func (b *Box[K, M]) holds(id string) bool {
	_, ok := b.held[id]
	return ok
}

// lane returns the lane of key, and makes it if there is none.
func (b *Box[K, M]) lane(key K) *lane[K, M] {
	l := b.lanes[key]
	if l == nil {
		if last := len(b.spare) - 1; last >= 0 {
			l, b.spare = b.spare[last], b.spare[:last]
		} else {
			l = new(lane[K, M])
		}
		l.key = key
		b.lanes[key] = l
	}
	return l
}

// close forgets an empty lane.
func (b *Box[K, M]) close(l *lane[K, M]) {
	delete(b.lanes, l.key)
	if len(b.spare) < spareLanes {
		*l = lane[K, M]{items: l.items}
		b.spare = append(b.spare, l)
	}
}

// hire starts a worker if a lane is ready and one more may be started. They come one after the other: each hires the
// next once it has something to do itself. So handlers that return at once do not cost a goroutine for each message.
func (b *Box[K, M]) hire() {
	if b.ready.Len() > 0 && !b.starting && b.workers < b.cfg.Workers {
		b.workers++
		b.starting = true
		go b.work(true)
	}
}

// Hold keeps an id for one acknowledgement, until Release.
func (b *Box[K, M]) Hold(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.held[id]
	if !ok {
		b.used += Overhead
	}
	h.acks++
	b.held[id] = h
}

// Release undoes Hold for each id.
func (b *Box[K, M]) Release(ids ...string) {
	b.mu.Lock()
	for _, id := range ids {
		if h := b.held[id]; h.acks > 0 {
			h.acks--
			b.keepIf(id, h)
		}
	}
	ask := b.wantsMore()
	b.mu.Unlock()
	b.relist(ask)
}

// Forget undoes a verdict of Keep, also one that is yet to come.
func (b *Box[K, M]) Forget(ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.kept.Remove(id)
		if h, ok := b.held[id]; ok {
			h.forget = true
			b.held[id] = h
		}
	}
}

// keepIf remembers who holds an id, and forgets one that nobody does.
func (b *Box[K, M]) keepIf(id string, h hold) {
	if h.here || h.acks > 0 {
		b.held[id] = h
		return
	}
	delete(b.held, id)
	b.used -= Overhead
}

// fits reports whether there is room for a message. An empty box takes any one, so that one larger than the box is not
// pushed for ever.
func (b *Box[K, M]) fits(size int64) bool {
	return b.used == 0 || b.used+size+Overhead <= b.cfg.Bytes
}

// wantsMore returns the gate's id where the server is to be asked for it now: the box is half empty, and what the gate
// waits for fits.
func (b *Box[K, M]) wantsMore() string {
	if b.gate.id == "" || b.gate.stage != full || b.stopped || b.used > b.cfg.Bytes/2 || !b.fits(b.gate.size) {
		return ""
	}
	//mutant:gate-ask
	b.gate.stage = asked
	return b.gate.id
}

func (b *Box[K, M]) relist(gate string) {
	if gate != "" {
		b.cfg.Relist(gate)
	}
}

// Listed tells that the server has answered the request that Relist made for the message at the gate: that message
// opens the gate when it is pushed from now on. It returns true if that message came between the request and the
// answer, as it does where a server pushes before it answers: then it does not come any more, on this link.
func (b *Box[K, M]) Listed(gate string) (missed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate.id != gate || b.gate.stage == full {
		return false // the answer to a request on a link before
	}
	missed = b.gate.stage == early
	b.gate.stage = listed
	return missed
}

// Asked returns the id of the message that Relist has asked for and that has not been taken since, or "". After Stop
// nothing is waited for.
func (b *Box[K, M]) Asked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate.stage == full || b.stopped {
		return ""
	}
	return b.gate.id
}

// OpenGate opens the gate: on a new link everything pending is pushed again anyway.
func (b *Box[K, M]) OpenGate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate = gate{}
}

// Len is what a Box holds.
type Len struct {
	Messages int // queued, being handled, and waiting for another attempt
	Handling int // being handled
}

// Len returns the present numbers.
func (b *Box[K, M]) Len() Len {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Len{Messages: b.messages, Handling: b.handling}
}

// Stop closes the gate for good and lets go of everything that is not being handled at this moment.
func (b *Box[K, M]) Stop() {
	for _, m := range b.stop() {
		b.cfg.LetGo(m)
	}
}

// stop returns those that have been tried.
func (b *Box[K, M]) stop() (tried []M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.ready.Keep(0)
	for key, l := range b.lanes {
		first := 0
		if l.busy {
			first = 1
		} else {
			delete(b.lanes, key)
		}
		for _, it := range l.items.All()[first:] {
			if it.attempt > 0 {
				tried = append(tried, it.m)
			}
			b.free(it)
		}
		l.items.Keep(first)
		if l.park != nil {
			l.park.Stop()
		}
	}
	return tried
}

// Idle returns a channel that is closed as soon as no worker runs; of use after Stop.
func (b *Box[K, M]) Idle() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.idle = append(b.idle, ch)
	b.tellIdle()
	return ch
}

func (b *Box[K, M]) tellIdle() {
	if b.workers > 0 {
		return
	}
	for _, ch := range b.idle {
		close(ch)
	}
	b.idle = nil
}

// Abandon returns how many messages are still being handled. Handle is expected to ask Abandoned, and to discard
// their results.
func (b *Box[K, M]) Abandon() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned.Store(true)
	return b.handling
}
