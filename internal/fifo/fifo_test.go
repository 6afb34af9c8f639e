package fifo_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// Queue behaves like a slice that is copied each time.
func TestQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q fifo.Queue[int]
	var list []int
	for i := range 100_000 {
		switch n := rng.IntN(21); {
		case n < 11 && len(list) < 100+900*(i/10_000%2):
			q.Push(i)
			list = append(list, i)
		case n == 18:
			n := rng.IntN(len(list) + 1)
			q.Drop(n)
			list = slices.Clone(list[n:])
		case n == 19 && i%7 == 0:
			n := rng.IntN(len(list) + 1)
			q.Keep(n)
			list = slices.Clone(list[:n])
		case n == 20 && len(list) > 0:
			n := rng.IntN(len(list))
			q.Remove(n)
			list = slices.Delete(slices.Clone(list), n, n+1)
		case len(list) > 0:
			require.Equal(t, list[0], q.Pop())
			list = slices.Clone(list[1:])
		}
		require.Equal(t, len(list), q.Len())
		require.True(t, slices.Equal(list, q.All()))
	}
}

func TestQueueUsesItsMemoryAgain(t *testing.T) {
	var q fifo.Queue[int]
	for range 100 {
		q.Push(1)
	}
	assert.Zero(t, testing.AllocsPerRun(10_000, func() {
		q.Push(1)
		q.Pop()
	}))
	q.Keep(0)
	q.Push(1)
	assert.Zero(t, testing.AllocsPerRun(10_000, func() {
		q.Pop()
		q.Push(1)
	}))
}

// A queue that is never empty moves through its memory without growing.
func TestQueueIsNoLargerThanItHasToBe(t *testing.T) {
	var q fifo.Queue[*int]
	const most = 1000
	for i := range 100_000 {
		q.Push(new(int))
		if i >= most {
			q.Pop()
		}
		all := q.All()
		require.LessOrEqual(t, cap(all), 4*most)
		if i%100 == 0 {
			for _, p := range all[:cap(all)][len(all):] {
				require.Nil(t, p)
			}
		}
	}
	q.Drop(q.Len())
	assert.LessOrEqual(t, cap(q.All()), 64, "empty, it keeps little")
}

// A removed item is not referenced any more.
func TestQueueHoldsNothingElse(t *testing.T) {
	var q fifo.Queue[*int]
	for range 10 {
		q.Push(new(int))
	}
	q.Pop()
	q.Drop(2)
	q.Keep(4)
	q.Remove(1)
	all := q.All()
	require.Len(t, all, 3)
	for _, p := range all[:cap(all)][3:] {
		assert.Nil(t, p)
	}
}
