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
	resting
	pacing // its caller runs Request.Pace; it rests after that
	split  // stands for its parts
	behind // a part that waits for one before it
)

type entry struct {
	Request
	done        func(Outcome) // gets the outcome of a request of Go
	ended       chan Outcome  // gets the outcome of a request of Do
	paces       chan struct{} // tells Do that there is something in pacing; nil: it has no Pace
	pacing      []*entry      // it and its parts, to be paced; not in parts
	group       *group        // of its parts, while it is split
	whole       *entry        // that it is a part of; nil: none
	part        int           // its place in the whole
	seq         uint64        // its place among the requests that wait
	state       state
	queue       *queue // that it is in; nil: none
	pos         int    // in queue
	due         time.Time
	timeout     time.Duration
	onLink      bool   // the present link owes an answer to it
	write       uint64 // its place among the writes of the link, while onLink
	awaited     bool   // by Quiesce
	late        bool   // its last attempt had no reply in time, on whatever link
	open        bool   // it counts in slow.open
	answers     uint64 // Box.link.answers when it was last written
	pongs       uint64 // Box.link.pongs then
	pushes      uint64 // Config.Pushes then
	attempts    int
	replies     int // that were taken
	silent      int // attempts without a reply, while others got one
	rejections  int // that were transient
	rests       int // rejections that were not final
	unconfirmed bool
	rejection   *wire.Error // the last that was not final
	blame       blame
}

// requeue moves e to the requests to be written.
func (b *Box) requeue(e *entry) {
	e.unqueue()
	e.state = waiting
	b.ready.push(e)
}

// unqueue takes e out of the queue it is in.
func (e *entry) unqueue() {
	if e.queue != nil {
		heap.Remove(e.queue, e.pos)
	}
}

// offLink notes that the present link owes no answer to e any more.
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

// remove forgets e. Its state stays as it was, for unanswered.
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

// leave gives the room of a request back.
func (b *Box) leave(bytes int64) {
	b.room.release(bytes)
	b.tellDrained()
}

func (b *Box) tellDrained() {
	if b.room.taken() > 0 {
		return
	}
	for _, ch := range b.drained {
		close(ch)
	}
	b.drained = nil
}
