package soak

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// firstWithin is the maximum number of chances that a fault misses before it first happens. It ensures that short runs
// have rare faults.
const firstWithin = 30

// rng decides at random which faults the server and the bot inject, and counts them.
type rng struct {
	stopped atomic.Bool     // no more faults happen
	off     map[string]bool // faults disabled for this run

	mu     sync.Mutex
	source *rand.Rand
	next   map[string]int // chances left before the fault happens
	fired  map[string]uint64
}

func newRNG(seed uint64, off []string) *rng {
	r := &rng{
		source: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // G404: the sequence must be reproducible
		next:   make(map[string]int), fired: make(map[string]uint64), off: make(map[string]bool),
	}
	for _, name := range off {
		r.off[name] = true
	}
	return r
}

// happens reports whether a fault happens now, on average one time in oneIn.
func (r *rng) happens(name string, oneIn int) bool {
	if r.stopped.Load() || r.off[name] {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.next[name]; !ok {
		r.next[name] = r.source.IntN(min(oneIn/2, firstWithin) + 1)
		r.fired[name] += 0
	}
	if r.next[name]--; r.next[name] >= 0 {
		return false
	}
	r.next[name] = r.source.IntN(2 * oneIn)
	r.fired[name]++
	return true
}

// enabled reports whether a fault may happen. It is for faults that the script places.
func (r *rng) enabled(name string) bool { return !r.stopped.Load() && !r.off[name] }

// record counts a fault or event that was not drawn with happens.
func (r *rng) record(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fired[name]++
}

func (r *rng) below(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.IntN(n)
}

// within returns a random duration below d. It does not use below, because an int has 32 bits on some machines.
func (r *rng) within(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.source.Int64N(int64(d)))
}

// counts returns the number of occurrences of each fault.
func (r *rng) counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := make(map[string]uint64, len(r.fired))
	for name, n := range r.fired {
		m[name] = n
	}
	return m
}
