package engine

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
)

// mostRetryAfter bounds how long a server's Retry-After is obeyed.
const mostRetryAfter = 5 * time.Minute

// dialPlan decides which endpoint to dial next, and when. It belongs to the supervisor and does nothing itself.
type dialPlan struct {
	endpoints []string
	current   int
	backoff   backoff.Backoff
	rejected  bool // the last connection ended with a 401 or a 10006
}

// endpoint returns the endpoint to dial.
func (p *dialPlan) endpoint() string { return p.endpoints[p.current%len(p.endpoints)] }

// after takes how the last connection ended, and returns how long to wait before the next one.
func (p *dialPlan) after(end ending) time.Duration {
	if end.lived > 0 {
		//mutant:backoff-lived
		p.backoff.Lived(end.lived)
	} else if !end.handshake {
		p.current++ // nobody answered there
	}
	firstRejection := end.rejection != nil && !p.rejected
	p.rejected = end.rejection != nil
	if firstRejection || end.resyncFailed {
		// A first 401 may be a matter of the clock, which was set meanwhile. A failed resync is no fault of the
		// server's health.
		return 0
	}
	wait := p.backoff.Next()
	//mutant:retry-after
	wait += min(end.retryAfter, mostRetryAfter) // on top of a random wait, so that clients do not come all at once
	return wait
}
