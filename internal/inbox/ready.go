package inbox

import (
	"slices"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// largeBytes is from how many bytes of data on a message is large. A handler gets the data once more, and what was read
// of it: what is being handled takes up to three times as much as what waits. So large messages that are handled at the
// same time share a part of the box. Of the others, Workers times this many bytes are handled at once.
const largeBytes = 16 << 10

// ready holds the lanes whose first message may be handled.
type ready[M any] struct {
	small, large fifo.Queue[*lane[M]] // by the size of the first message
	turns        uint64               // of the lane that came last

	room    int64 // for large messages that are being handled
	running int64 // bytes of those
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

// remove takes a lane off, wherever it is.
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

// any reports whether the first message of a lane may be handled now.
func (r *ready[M]) any() bool { return r.small.Len() > 0 || r.largeFits() }

// largeFits reports whether the large message that is next may be handled. One always may, however large it is.
func (r *ready[M]) largeFits() bool {
	if r.large.Len() == 0 {
		return false
	}
	//mutant:large-room
	return r.running == 0 || r.running+int64(r.large.All()[0].head().size) <= r.room
}

// pop takes off the lane that has been ready for longest, of those with a message that may be handled now. There has to
// be one. Its message counts until done.
func (r *ready[M]) pop() *lane[M] {
	if !r.largeFits() || r.small.Len() > 0 && r.small.All()[0].turn < r.large.All()[0].turn {
		return r.small.Pop()
	}
	l := r.large.Pop()
	r.running += int64(l.head().size)
	return l
}

// done is called when the first message of l is not being handled any more, before it leaves the lane.
func (r *ready[M]) done(l *lane[M]) {
	if isLarge(l) {
		//mutant:large-done
		r.running -= int64(l.head().size)
	}
}
