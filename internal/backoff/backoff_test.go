package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/backoff"
)

// draws is the number of samples. A bound that is wrong by a half goes unnoticed with a probability of 2 to the power
// of -draws.
const draws = 400

var policy = backoff.Policy{Base: 500 * time.Millisecond, Cap: 30 * time.Second}

func TestBoundDoublesUpToTheCap(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		-1: 500 * time.Millisecond, 0: 500 * time.Millisecond, 1: 500 * time.Millisecond,
		2: time.Second, 3: 2 * time.Second, 4: 4 * time.Second, 5: 8 * time.Second, 6: 16 * time.Second,
		7: 30 * time.Second, 8: 30 * time.Second, math.MaxInt: 30 * time.Second,
	} {
		assert.Equal(t, want, policy.Bound(failures), "after %d failures", failures)
	}
	assert.Equal(t, time.Second, backoff.Policy{Base: time.Minute, Cap: time.Second}.Bound(1), "the cap wins")
	assert.Equal(t, time.Duration(1<<62), backoff.Policy{Base: 1 << 61, Cap: 1 << 62}.Bound(9), "no overflow")
}

// extremes returns the shortest and the longest of many waits.
func extremes(wait func() time.Duration) (shortest, longest time.Duration) {
	shortest = wait()
	longest = shortest
	for range draws {
		d := wait()
		shortest, longest = min(shortest, d), max(longest, d)
	}
	return shortest, longest
}

func TestDelayUsesTheWholeRange(t *testing.T) {
	for failures := 1; failures < 9; failures++ {
		bound := policy.Bound(failures)
		shortest, longest := extremes(func() time.Duration { return policy.Delay(failures) })
		assert.GreaterOrEqual(t, shortest, time.Duration(0))
		assert.Less(t, shortest, bound/10)
		assert.Greater(t, longest, bound-bound/10)
		assert.LessOrEqual(t, longest, bound)
	}
}

func TestNearStaysWithinATenth(t *testing.T) {
	for failures := 1; failures < 9; failures++ {
		bound := policy.Bound(failures)
		shortest, longest := extremes(func() time.Duration { return policy.Near(failures) })
		assert.GreaterOrEqual(t, shortest, bound-bound/10)
		assert.Less(t, shortest, bound-bound/20)
		assert.Greater(t, longest, bound+bound/20)
		assert.LessOrEqual(t, longest, bound+bound/10)
	}
}

func TestNothingToWaitFor(t *testing.T) {
	assert.Zero(t, backoff.Policy{}.Delay(3))
	assert.Zero(t, backoff.Policy{}.Near(3))
}

// next returns approximately the longest possible next wait, without changing the Backoff.
func next(b backoff.Backoff) time.Duration {
	_, longest := extremes(func() time.Duration { c := b; return c.Next() })
	return longest
}

func TestNextCountsFailures(t *testing.T) {
	b := backoff.Backoff{Policy: policy}
	for failures := 1; failures < 10; failures++ {
		bound := policy.Bound(failures)
		assert.InDelta(t, bound, next(b), float64(bound/10))
		b.Next()
	}
}

func TestALinkThatLivedResetsTheCount(t *testing.T) {
	for _, c := range []struct {
		failures int
		lived    time.Duration
		reset    bool
	}{
		{0, 0, false}, // the first connection: no failures yet
		{1, 5*time.Second - 1, false},
		{1, 5 * time.Second, true}, // ten times half a second
		{3, 20*time.Second - 1, false},
		{3, 20 * time.Second, true},
		{5, time.Minute - 1, false}, // ten times 8 s is more than a minute
		{5, time.Minute, true},
		{20, time.Minute - 1, false},
		{20, time.Minute, true},
		{20, time.Hour, true},
	} {
		b := backoff.Backoff{Policy: policy}
		for range c.failures {
			b.Next()
		}
		b.Lived(c.lived, false)
		want := policy.Bound(c.failures + 1)
		if c.reset {
			want = policy.Base
		}
		assert.InDelta(t, want, next(b), float64(want/10), "%d failures, lived %v", c.failures, c.lived)
	}
}

// After a connection that worked, the wait is bounded by twice its duration, and later ones grow from there.
func TestALinkThatWorkedBoundsTheWaits(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		failures     int
		lived        time.Duration
		first, later time.Duration // the wait after it, and the wait after a following failure
	}{
		{0, ms, 500 * ms, 1000 * ms},
		{7, ms, 500 * ms, 1000 * ms},
		{7, 250 * ms, 500 * ms, 1000 * ms},
		{7, 300 * ms, 600 * ms, 2000 * ms},
		{7, 500 * ms, 1000 * ms, 2000 * ms},
		{7, 3000 * ms, 6000 * ms, 16000 * ms},
		{2, 3000 * ms, 2000 * ms, 4000 * ms}, // the bound does not lengthen the wait
		{7, 59 * time.Second, 30 * time.Second, 30 * time.Second},
		{7, time.Minute, 500 * ms, 1000 * ms}, // healthy
		{7, 1 << 62, 500 * ms, 1000 * ms},
	} {
		b := backoff.Backoff{Policy: policy}
		for range c.failures {
			b.Next()
		}
		b.Lived(c.lived, true)
		assert.InDelta(t, c.first, next(b), float64(c.first/10), "%d failures, worked for %v", c.failures, c.lived)
		b.Next()
		b.Lived(0, false)
		assert.InDelta(t, c.later, next(b), float64(c.later/10), "%d failures, worked for %v, failed",
			c.failures, c.lived)
	}
}
