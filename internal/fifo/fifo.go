// Package fifo is a queue that reuses its memory.
package fifo

import "slices"

// Queue is first in, first out. The zero Queue is empty. It is not safe for concurrent use.
type Queue[T any] struct {
	items []T
	first int
}

// keep is the largest capacity that an empty Queue retains.
const keep = 64

// Len returns the number of items.
func (q *Queue[T]) Len() int { return len(q.items) - q.first }

// All returns the items from the front. The slice belongs to q, and is valid until q is changed.
func (q *Queue[T]) All() []T { return q.items[q.first:] }

// Push appends v.
func (q *Queue[T]) Push(v T) {
	if len(q.items) == cap(q.items) && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// Pop removes and returns the first item. q must not be empty.
func (q *Queue[T]) Pop() T {
	v := q.items[q.first]
	q.Drop(1)
	return v
}

// Drop removes the first n items.
func (q *Queue[T]) Drop(n int) {
	clear(q.items[q.first : q.first+n])
	if q.first += n; q.Len() == 0 {
		q.Keep(0)
	}
}

// Remove removes the item at index i.
func (q *Queue[T]) Remove(i int) {
	if i == 0 {
		q.Drop(1)
		return
	}
	q.items = slices.Delete(q.items, q.first+i, q.first+i+1)
}

// Keep removes all but the first n items.
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
