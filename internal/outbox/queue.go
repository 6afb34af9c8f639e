package outbox

import "container/heap"

// ready holds the requests that wait to be written.
type ready struct {
	queues   [classes]queue // by age
	suspects queue          // of all classes, by age; they are in no other queue
	acked    bool           // the last of Ack and Send was an Ack
	before   uint64         // requests up to this seq are written before the next suspect
}

func newReady() ready {
	r := ready{suspects: queue{less: byAge}}
	for i := range r.queues {
		r.queues[i].less = byAge
	}
	return r
}

func (r *ready) push(e *entry) {
	if e.blame.suspect {
		heap.Push(&r.suspects, e)
		return
	}
	heap.Push(&r.queues[e.Class], e)
}

func (r *ready) empty() bool {
	for i := range r.queues {
		if r.queues[i].Len() > 0 {
			return false
		}
	}
	return r.suspects.Len() == 0
}

// any reports whether an Ack or Send that is not a suspect is ready. paused excludes Sends.
func (r *ready) any(paused bool) bool {
	return r.queues[Ack].Len() > 0 || r.queues[Send].Len() > 0 && !paused
}

// pop removes and returns the next request that is not a suspect, or nil. paused excludes Sends.
func (r *ready) pop(paused bool) *entry {
	order := [...]Class{List, Ack, Send}
	//mutant:class-order
	if r.acked {
		order = [...]Class{List, Send, Ack}
	}
	for _, class := range order {
		q := &r.queues[class]
		//mutant:quiesce-sends
		if q.Len() == 0 || class == Send && paused {
			continue
		}
		if class != List {
			r.acked = class == Ack
		}
		return heap.Pop(q).(*entry)
	}
	return nil
}

// suspect returns the suspect that may be written now, or nil.
func (r *ready) suspect(paused bool) *entry {
	if r.suspects.Len() == 0 || paused && r.suspects.items[0].Class == Send || r.queues[List].Len() > 0 {
		return nil
	}
	//mutant:suspect-last
	for class := Ack; class < classes; class++ {
		q := &r.queues[class]
		if q.Len() > 0 && q.items[0].seq <= r.before && !(paused && class == Send) {
			return nil
		}
	}
	return r.suspects.items[0]
}

// byAge sorts parts to the position of their request.
func byAge(a, b *entry) bool { return a.seq < b.seq || a.seq == b.seq && a.part < b.part }

func byDue(a, b *entry) bool {
	order := a.due.Compare(b.due)
	return order < 0 || order == 0 && byAge(a, b)
}

// queue is a heap of entries with their positions. An entry is in one queue at a time.
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
	e.queue, e.pos = q, len(q.items)
	q.items = append(q.items, e)
}

func (q *queue) Pop() any {
	last := len(q.items) - 1
	e := q.items[last]
	e.queue = nil
	q.items[last] = nil
	q.items = q.items[:last]
	return e
}
