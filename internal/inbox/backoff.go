package inbox

import (
	"container/heap"
	"time"
)

// backoffs holds the lanes in backoff. They share one timer: there may be a hundred thousand, and a timer for each
// would take a third of the size of a short message.
type backoffs[M any] struct {
	heap  byWake[M]
	timer *time.Timer // runs while lanes are in backoff; nil before the first
}

// byWake is a heap of lanes, ordered by their next attempt.
type byWake[M any] []*lane[M]

// Len implements [heap.Interface].
func (h byWake[M]) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h byWake[M]) Less(i, j int) bool { return h[i].wakes < h[j].wakes }

// Swap implements [heap.Interface].
func (h byWake[M]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].backoffAt, h[j].backoffAt = i+1, j+1
}

// Push implements [heap.Interface].
func (h *byWake[M]) Push(x any) {
	l, _ := x.(*lane[M])
	*h = append(*h, l)
	l.backoffAt = len(*h)
}

// Pop implements [heap.Interface].
func (h *byWake[M]) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.backoffAt = 0
	return l
}

// backOff makes l ready at the given time.
func (b *Box[M]) backOff(l *lane[M], wakes, now time.Duration) {
	l.wakes = wakes
	heap.Push(&b.backoffs.heap, l)
	//mutant:backoff-first
	if b.backoffs.heap[0] == l {
		b.setWake(now)
	}
}

// setWake sets the timer for the lane that is due first.
func (b *Box[M]) setWake(now time.Duration) {
	after := b.backoffs.heap[0].wakes - now
	if b.backoffs.timer == nil {
		b.backoffs.timer = time.AfterFunc(after, b.wake)
	} else {
		b.backoffs.timer.Reset(after)
	}
}

// wake makes the lanes ready that are due. It may be called early, because a lane may have been released in between.
func (b *Box[M]) wake() {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.backoffs.heap.Len() > 0 && b.backoffs.heap[0].wakes <= now {
		l, _ := heap.Pop(&b.backoffs.heap).(*lane[M])
		b.ready.push(l)
	}
	b.hire()
	//mutant:backoff-next
	if b.backoffs.heap.Len() > 0 {
		b.setWake(now)
	}
}

// endBackoff removes a lane from the lanes in backoff, or from the ready lanes if its wait is over.
func (b *Box[M]) endBackoff(l *lane[M]) {
	//mutant:backoff-ended
	if l.backoffAt > 0 {
		heap.Remove(&b.backoffs.heap, l.backoffAt-1)
		return
	}
	b.ready.remove(l)
}

// endBackoffs removes all lanes in backoff.
func (b *Box[M]) endBackoffs() {
	b.backoffs.heap = nil
	if b.backoffs.timer != nil {
		b.backoffs.timer.Stop()
	}
}
