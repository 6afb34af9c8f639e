package inbox

import (
	"slices"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// largeBytes is the data size above which a message is large. A handler gets a copy of the data and a decoded payload,
// so a running message takes up to three times the memory of a queued one. Running large messages therefore share a
// part of the box. Running small ones take at most Workers times largeBytes.
const largeBytes = 16 << 10

// ready holds the lanes with a first message that may be handled.
type ready[M any] struct {
	small, large fifo.Queue[*lane[M]] // by the size of the first message
	turns        uint64               // of the lane that was added last

	capacity int64 // capacity for running large messages
	running  int64 // bytes of running large messages
}

func (r *ready[M]) Len() int { return r.small.Len() + r.large.Len() }

// isLarge reports whether the first message of l is large.
func isLarge[M any](l *lane[M]) bool { return l.head().size > largeBytes }

// push adds a lane.
func (r *ready[M]) push(l *lane[M]) {
	r.turns++
	l.turn = r.turns
	r.queue(l).Push(l)
}

func (r *ready[M]) queue(l *lane[M]) *fifo.Queue[*lane[M]] {
	if isLarge(l) {
		return &r.large
	}
	return &r.small
}

// remove removes a lane from either queue.
func (r *ready[M]) remove(l *lane[M]) {
	q := r.queue(l)
	if i := slices.Index(q.All(), l); i >= 0 {
		q.Remove(i)
	}
}

func (r *ready[M]) clear() {
	r.small.Keep(0)
	r.large.Keep(0)
}

// any reports whether a message may be handled now.
func (r *ready[M]) any() bool { return r.small.Len() > 0 || r.largeFits() }

// largeFits reports whether the next large message may be handled. A single one always may.
func (r *ready[M]) largeFits() bool {
	if r.large.Len() == 0 {
		return false
	}
	//mutant:large-capacity
	return r.running == 0 || r.running+int64(r.large.All()[0].head().size) <= r.capacity
}

// pop removes the lane that has been ready for longest and has a message that may be handled now. There must be one.
// Its message counts as running until done.
func (r *ready[M]) pop() *lane[M] {
	if !r.largeFits() || r.small.Len() > 0 && r.small.All()[0].turn < r.large.All()[0].turn {
		return r.small.Pop()
	}
	l := r.large.Pop()
	r.running += int64(l.head().size)
	return l
}

// done ends the count of the first message of l as running. It is called before the message leaves the lane.
func (r *ready[M]) done(l *lane[M]) {
	if isLarge(l) {
		//mutant:large-done
		r.running -= int64(l.head().size)
	}
}
