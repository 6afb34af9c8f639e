// Package backoff computes the wait before the next attempt: a random time with a bound that doubles with each failure.
// So the clients of a server that restarts do not all reconnect at the same moment.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// healthy is the duration of a connection after which earlier failures are ignored.
const healthy = time.Minute

// Policy bounds the waits: the first one by Base, and all of them by Cap.
type Policy struct{ Base, Cap time.Duration }

// Delay returns a random wait after the given number of failures, at least 1. It is between 0 and Bound.
func (p Policy) Delay(failures int) time.Duration {
	return upTo(p.Bound(failures))
}

// upTo returns a random wait between 0 and a bound.
func upTo(bound time.Duration) time.Duration {
	//mutant:backoff-jitter
	return rand.N(bound + 1) //nolint:gosec // spreads load; need not be unpredictable
}

// Near returns Bound, plus or minus up to a tenth. It is for waits that should last, and only must not end together.
func (p Policy) Near(failures int) time.Duration {
	d := p.Bound(failures)
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // as above
}

// Bound returns the longest wait after the given number of failures.
func (p Policy) Bound(failures int) time.Duration {
	d := p.Base
	for i := 1; i < failures && d < p.Cap; i++ {
		d *= 2
	}
	return min(d, p.Cap)
}

// Backoff counts the failures of one connection. It belongs to one goroutine.
type Backoff struct {
	Policy   Policy
	failures int
	limit    time.Duration // of the next wait, if the last connection worked; 0: none
}

// Next returns the wait before the next connection.
func (b *Backoff) Next() time.Duration {
	b.failures++
	bound := b.Policy.Bound(b.failures)
	if b.limit > 0 {
		bound = min(bound, b.limit)
	}
	return upTo(bound)
}

// Lived records the duration of the last connection, and whether it did useful work. It is called before each Next.
//
// A connection that lasted a minute, or ten times the wait before it, resets the count. A shorter one does not, even if
// its handshake succeeded. The wait counts with its bound, so that a short random wait cannot make a flapping server
// look healthy.
//
// After a connection that worked, the next wait lasts at most twice as long as the connection, or Policy.Base if that
// is longer. Later waits grow from there. So the client is offline only part of the time if a server cuts each
// connection after some work.
func (b *Backoff) Lived(d time.Duration, worked bool) {
	b.limit = 0
	if d >= min(healthy, 10*b.Policy.Bound(max(b.failures, 1))) {
		b.failures = 0
	}
	//mutant:backoff-worked
	if !worked {
		return
	}
	b.limit = max(b.Policy.Base, 2*min(d, b.Policy.Cap))
	for b.failures > 0 && b.Policy.Bound(b.failures) >= b.limit {
		b.failures--
	}
}

// Sleep waits, and reports whether it waited for the full time.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
