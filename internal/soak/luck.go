package soak

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// soon is how many occasions a fault lets pass, at most, before it happens for the first time: a short run has few of
// some.
const soon = 30

// luck decides which faults the server and the bot commit, and counts them.
type luck struct {
	calm atomic.Bool     // nothing more happens
	off  map[string]bool // faults that do not happen in this run

	mu    sync.Mutex
	r     *rand.Rand
	next  map[string]int // occasions until it happens
	fired map[string]uint64
}

func newLuck(seed uint64, off []string) *luck {
	l := &luck{
		r:    rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // G404: chance that can be repeated is the point
		next: make(map[string]int), fired: make(map[string]uint64), off: make(map[string]bool),
	}
	for _, name := range off {
		l.off[name] = true
	}
	return l
}

// strikes reports whether a fault happens now.
func (l *luck) strikes(name string, oneIn int) bool {
	if l.calm.Load() || l.off[name] {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.next[name]; !ok {
		l.next[name] = l.r.IntN(min(oneIn/2, soon) + 1)
		l.fired[name] += 0
	}
	if l.next[name]--; l.next[name] >= 0 {
		return false
	}
	l.next[name] = l.r.IntN(2 * oneIn)
	l.fired[name]++
	return true
}

// may reports whether a fault happens where its place is not left to chance.
func (l *luck) may(name string) bool { return !l.calm.Load() && !l.off[name] }

// note counts something that was not left to chance.
func (l *luck) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fired[name]++
}

func (l *luck) below(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

// within returns a random time below d. A time.Duration has more bits than an int of a 32-bit machine.
func (l *luck) within(d time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.r.Int64N(int64(d)))
}

// counts returns how often each fault happened.
func (l *luck) counts() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[string]uint64, len(l.fired))
	for name, n := range l.fired {
		m[name] = n
	}
	return m
}
