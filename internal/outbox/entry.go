package outbox

import (
	"container/heap"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// end delivers the outcome to the caller of Go or Do. It is called once, under no lock, after e was removed.
func (e *entry) end(o Outcome) {
	if e.done != nil {
		e.done(o)
		return
	}
	e.ended <- o // has room for one
}

// answered returns the outcome of a request that has its final answer.
func (e *entry) answered(rejection *wire.Error, transient bool) Outcome {
	o := Outcome{Kind: Rejected, Rejection: rejection, Unconfirmed: e.unconfirmed, Attempts: e.attempts}
	switch {
	case rejection == nil:
		o.Kind = Confirmed
	case transient:
		o.Kind = TransientExhausted
	}
	return o
}

// unanswered returns the outcome of a request that err ended.
func (e *entry) unanswered(err error) Outcome {
	//mutant:outcome-unsure
	return Outcome{
		Kind: Unanswered, Rejection: e.rejection, Unconfirmed: e.unconfirmed || e.state == written,
		Err: err, Attempts: e.attempts,
	}
}

// requeue moves e to the requests to be written.
func (b *Box) requeue(e *entry) {
	b.unqueue(e)
	e.state = waiting
	b.ready.push(e)
}

// unqueue takes e out of the queue it is in.
func (b *Box) unqueue(e *entry) {
	switch e.state {
	case waiting:
		b.ready.remove(e)
	case written, resting:
		heap.Remove(&b.timed, e.pos)
	case pacing:
	}
}

// offLink notes that the present link owes no answer to e any more.
func (b *Box) offLink(e *entry) {
	if e.onLink {
		e.onLink = false
		b.onLink--
	}
}

// longest returns since when the present link has owed an answer: the moment of the last one, or later, when the
// first of the requests that still wait was written.
func (b *Box) longest(now time.Time) time.Time {
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

// remove forgets e. Its state stays as it was, for unanswered.
func (b *Box) remove(e *entry) {
	b.unqueue(e)
	b.offLink(e)
	delete(b.byID, e.ID)
	if e.Class == Send {
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

// ready are the requests that wait to be written.
type ready struct {
	queues [classes]queue // by age
	acked  bool           // an Ack was the last of Ack and Send
}

func (r *ready) push(e *entry)   { heap.Push(&r.queues[e.Class], e) }
func (r *ready) remove(e *entry) { heap.Remove(&r.queues[e.Class], e.pos) }

// pop takes the one whose turn it is; nil: there is none.
func (r *ready) pop() *entry {
	order := [...]Class{List, Ack, Send}
	//mutant:class-order
	if r.acked {
		order = [...]Class{List, Send, Ack}
	}
	for _, class := range order {
		if q := &r.queues[class]; q.Len() > 0 {
			if class != List {
				r.acked = class == Ack
			}
			return heap.Pop(q).(*entry)
		}
	}
	return nil
}

func byAge(a, b *entry) bool { return a.seq < b.seq }
func byDue(a, b *entry) bool { return a.due.Before(b.due) }

// queue is a heap of entries that know where they are.
type queue struct {
	items []*entry
	less  func(a, b *entry) bool
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(i, j int) bool { return q.less(q.items[i], q.items[j]) }
func (q *queue) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].pos, q.items[j].pos = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.pos = len(q.items)
	q.items = append(q.items, e)
}

func (q *queue) Pop() any {
	last := len(q.items) - 1
	e := q.items[last]
	q.items[last] = nil
	q.items = q.items[:last]
	return e
}
