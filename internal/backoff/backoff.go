// Package backoff says how long to wait before the next try: a random time whose bound doubles with each failure, so that
// many clients of one server that restarts do not come back at the same moment.
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
	//mutant:backoff-jitter
	return rand.N(p.Bound(failures) + 1) //nolint:gosec // spreads load; nothing depends on its being unpredictable
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
}

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.failures++
	return b.Policy.Delay(b.failures)
}

// Lived tells how long the last connection lived. One that stayed healthy for a minute, or for ten times the wait before
// it, starts the count anew; one that broke sooner does not, however well its handshake went. The wait counts at its bound:
// a short one that was drawn by chance must not make a flapping server look healthy.
func (b *Backoff) Lived(d time.Duration) {
	if d >= min(healthy, 10*b.Policy.Bound(max(b.failures, 1))) {
		b.failures = 0
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
