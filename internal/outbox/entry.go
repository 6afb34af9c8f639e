package outbox

import (
	"container/heap"
	"time"
)

func (e *entry[A]) outcome(err error) Outcome[A] {
	return Outcome[A]{
		Answer: e.no, Refused: e.hasNo, Unsure: e.unsure || err != nil && e.state == written, Err: err, Attempts: e.attempts,
	}
}

// requeue moves e to the requests to be written.
func (b *Box[A]) requeue(e *entry[A]) {
	b.unqueue(e)
	e.state = waiting
	b.ready.push(e)
}

// unqueue takes e out of the queue it is in.
func (b *Box[A]) unqueue(e *entry[A]) {
	switch e.state {
	case waiting:
		b.ready.remove(e)
	case written, resting:
		heap.Remove(&b.timed, e.pos)
	case pacing:
	}
}

// offLink notes that the present link owes no answer to e any more.
func (b *Box[A]) offLink(e *entry[A]) {
	if e.onLink {
		e.onLink = false
		b.onLink--
	}
}

// longest returns since when the present link has owed an answer: the moment of the last one, or later, when the first of the
// requests that still wait was written.
func (b *Box[A]) longest(now time.Time) time.Time {
	first := now
	for _, e := range b.byID {
		if e.onLink && e.since.Before(first) {
			first = e.since
		}
	}
	if first.Before(b.heard) {
		return b.heard
	}
	return first
}

// remove forgets e. Its state stays what it was, for outcome.
func (b *Box[A]) remove(e *entry[A]) {
	b.unqueue(e)
	b.offLink(e)
	delete(b.byID, e.ID)
	if e.Class == Send {
		b.leave(int64(len(e.Frame)))
	}
}

// leave gives the room of a request back.
func (b *Box[A]) leave(bytes int64) {
	b.room.release(bytes)
	b.tellDrained()
}

func (b *Box[A]) tellDrained() {
	if b.room.taken() > 0 {
		return
	}
	for _, ch := range b.drained {
		close(ch)
	}
	b.drained = nil
}

// ready are the requests that wait to be written.
type ready[A any] struct {
	queues [classes]queue[A] // by age
	acked  bool              // an Ack was the last of Ack and Send
}

func (r *ready[A]) push(e *entry[A])   { heap.Push(&r.queues[e.Class], e) }
func (r *ready[A]) remove(e *entry[A]) { heap.Remove(&r.queues[e.Class], e.pos) }

// pop takes the one whose turn it is; nil: there is none.
func (r *ready[A]) pop() *entry[A] {
	order := [...]Class{List, Ack, Send}
	if r.acked {
		order = [...]Class{List, Send, Ack}
	}
	for _, class := range order {
		if q := &r.queues[class]; q.Len() > 0 {
			if class != List {
				r.acked = class == Ack
			}
			return heap.Pop(q).(*entry[A])
		}
	}
	return nil
}

func byAge[A any](a, b *entry[A]) bool { return a.seq < b.seq }
func byDue[A any](a, b *entry[A]) bool { return a.due.Before(b.due) }

// queue is a heap of entries that know where they are.
type queue[A any] struct {
	items []*entry[A]
	less  func(a, b *entry[A]) bool
}

func (q *queue[A]) Len() int           { return len(q.items) }
func (q *queue[A]) Less(i, j int) bool { return q.less(q.items[i], q.items[j]) }
func (q *queue[A]) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].pos, q.items[j].pos = i, j
}

func (q *queue[A]) Push(x any) {
	e := x.(*entry[A])
	e.pos = len(q.items)
	q.items = append(q.items, e)
}

func (q *queue[A]) Pop() any {
	last := len(q.items) - 1
	e := q.items[last]
	q.items[last] = nil
	q.items = q.items[:last]
	return e
}
