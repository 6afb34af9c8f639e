package outbox

import (
	"container/heap"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

type state uint8

const (
	waiting state = iota
	written
	backingOff
	limiting // its caller is running Request.Pace; backoff follows
	split    // replaced by its parts
	behind   // a part that waits for an earlier one
)

type entry struct {
	Request
	done        func(Outcome) // called with the outcome of a request of Go
	ended       chan Outcome  // receives the outcome of a request of Do
	paceDue     chan struct{} // signals a non-empty unpaced to Do; nil without Pace
	unpaced     []*entry      // it and its parts that need a call of Pace; not in parts
	group       *group        // its parts, while it is split
	whole       *entry        // the request that it is a part of; nil: none
	part        int           // its index in the whole
	seq         uint64        // its position among the waiting requests
	state       state
	queue       *queue // nil: in none
	pos         int    // in queue
	due         time.Time
	timeout     time.Duration
	onLink      bool   // written and not answered on the current link
	write       uint64 // its position among the writes of the link, while onLink
	awaited     bool   // by Quiesce
	late        bool   // its last attempt had no reply in time, on any link
	open        bool   // it counts in slow.open
	answers     uint64 // Box.link.answers at the last write
	pongs       uint64 // Box.link.pongs at the last write
	pushes      uint64 // Config.Pushes at the last write
	attempts    int
	replies     int // processed replies
	silent      int // attempts without a reply while another request got one
	rejections  int // transient ones
	backoffs    int // rejections that were not final
	unconfirmed bool
	rejection   *wire.Error // the last one that was not final
	blame       blame
}

// requeue moves e to the requests to be written.
func (b *Box) requeue(e *entry) {
	e.unqueue()
	e.state = waiting
	b.ready.push(e)
}

// unqueue removes e from its queue.
func (e *entry) unqueue() {
	if e.queue != nil {
		heap.Remove(e.queue, e.pos)
	}
}

// offLink records that e is no longer in flight on the current link.
func (b *Box) offLink(e *entry) {
	if !e.onLink {
		return
	}
	e.onLink = false
	b.link.owed--
	b.link.slow.leave(e)
	if e.awaited {
		e.awaited = false
		b.link.quiet.ended()
	}
}

// remove removes e. It keeps its state for unanswered.
func (b *Box) remove(e *entry) {
	e.unqueue()
	b.offLink(e)
	delete(b.byID, e.ID)
	if e.attempts > e.replies {
		b.late.Add(e.ID)
	}
	if e.Class == Send && e.whole == nil {
		b.leave(int64(len(e.Frame)))
	}
}

// leave releases the capacity of a request.
func (b *Box) leave(bytes int64) {
	b.capacity.release(bytes)
	b.signalDrained()
}

func (b *Box) signalDrained() {
	if b.capacity.taken() > 0 {
		return
	}
	for _, ch := range b.drained {
		close(ch)
	}
	b.drained = nil
}
