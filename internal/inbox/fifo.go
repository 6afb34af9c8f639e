package inbox

// keepItems is how many items an empty fifo keeps memory for.
const keepItems = 64

// fifo is a queue that uses its memory again. The zero fifo is empty.
type fifo[T any] struct {
	items []T
	first int
}

func (q *fifo[T]) len() int { return len(q.items) - q.first }

// all returns what is in q, from the front, until q is changed.
func (q *fifo[T]) all() []T { return q.items[q.first:] }

func (q *fifo[T]) push(v T) {
	if len(q.items) == cap(q.items) && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

func (q *fifo[T]) pop() T {
	var zero T
	v := q.items[q.first]
	q.items[q.first] = zero
	q.first++
	if q.len() == 0 {
		q.cut(0)
	}
	return v
}

// cut forgets all but the first n.
func (q *fifo[T]) cut(n int) {
	clear(q.all()[n:])
	if n > 0 {
		q.items = q.items[:q.first+n]
		return
	}
	if q.items, q.first = q.items[:0], 0; cap(q.items) > keepItems {
		q.items = nil
	}
}
