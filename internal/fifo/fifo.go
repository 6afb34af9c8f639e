// Package fifo is a queue that uses its memory again.
package fifo

import "slices"

// Queue is first in, first out. The zero Queue is empty. It is not safe for concurrent use.
type Queue[T any] struct {
	items []T
	first int
}

// keep is for how many items an empty Queue keeps memory.
const keep = 64

// Len returns how many items are in q.
func (q *Queue[T]) Len() int { return len(q.items) - q.first }

// All returns what is in q, from the front. It is q's, and valid until q is changed.
func (q *Queue[T]) All() []T { return q.items[q.first:] }

// Push adds v at the end.
func (q *Queue[T]) Push(v T) {
	if len(q.items) == cap(q.items) && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// Pop takes the first item off. There has to be one.
func (q *Queue[T]) Pop() T {
	v := q.items[q.first]
	q.Drop(1)
	return v
}

// Drop takes the first n items off.
func (q *Queue[T]) Drop(n int) {
	clear(q.items[q.first : q.first+n])
	if q.first += n; q.Len() == 0 {
		q.Keep(0)
	}
}

// Remove takes one item off, wherever it is.
func (q *Queue[T]) Remove(i int) {
	if i == 0 {
		q.Drop(1)
		return
	}
	q.items = slices.Delete(q.items, q.first+i, q.first+i+1)
}

// Keep forgets all but the first n items.
func (q *Queue[T]) Keep(n int) {
	clear(q.All()[n:])
	q.items = q.items[:q.first+n]
	if n > 0 {
		return
	}
	if q.items, q.first = q.items[:0], 0; cap(q.items) > keep {
		q.items = nil
	}
}
