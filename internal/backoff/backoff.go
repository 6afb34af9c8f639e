// Package backoff says how long to wait before the next try: a random time whose bound doubles with each failure, so
// that many clients of one server that restarts do not come back at the same moment.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// healthy is how long a connection has to have lived to forgive all failures before it.
const healthy = time.Minute

// Policy bounds the waits. The first one lasts at most Base, and none longer than Cap.
type Policy struct{ Base, Cap time.Duration }

// Delay returns a random wait after the given number of failures, which counts from 1: between 0 and the doubled bound.
func (p Policy) Delay(failures int) time.Duration {
	return upTo(p.Bound(failures))
}

// upTo returns a random wait between 0 and a bound.
func upTo(bound time.Duration) time.Duration {
	//mutant:backoff-jitter
	return rand.N(bound + 1) //nolint:gosec // spreads load; nothing depends on its being unpredictable
}

// Near returns the doubled bound, give or take a tenth: for waits that should last, and only not end all at once.
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
	limit    time.Duration // of the next wait, because the last connection worked; 0: none
}

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.failures++
	bound := b.Policy.Bound(b.failures)
	if b.limit > 0 {
		bound = min(bound, b.limit)
	}
	return upTo(bound)
}

// Lived tells how long the last connection lived, and whether it did useful work. It is called before each Next.
//
// A connection that stayed healthy for a minute, or for ten times the wait before it, starts the count anew; one that
// broke sooner does not, however well its handshake went. The wait counts at its bound: a short one that was drawn by
// chance must not make a flapping server look healthy.
//
// After a connection that worked, the next wait lasts at most twice as long as the connection, or Policy.Base if that
// is longer, and later waits grow from there: a server that cuts each connection, after it did some work, is left alone
// for a part of the time only.
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

// Sleep waits, and reports whether it did so to the end.
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
