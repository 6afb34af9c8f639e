package engine

import (
	"math/rand/v2"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
)

const (
	// mostRetryAfter bounds how long a server's Retry-After is obeyed.
	mostRetryAfter = 5 * time.Minute
	// longLife is how long a connection lives at least that was not silent: silence ends one earlier.
	longLife = time.Minute
	// leastTurn and mostTurn bound the wait for the next endpoint of a round.
	leastTurn, mostTurn = 50 * time.Millisecond, 250 * time.Millisecond
)

// dialPlan decides which endpoint to dial next, and when. It belongs to the supervisor and does nothing itself.
//
// Endpoints are tried in rounds. After a connection that was of no use, the next endpoint follows almost at once, until
// each was tried; the waits between rounds grow. An endpoint that has served comes first in the round after its
// connection was lost.
type dialPlan struct {
	endpoints []string
	current   int
	tried     int // endpoints of this round that were of no use
	backoff   backoff.Backoff
	rejected  bool // the last connection ended with a 401 or a 10006
}

// endpoint returns the endpoint to dial.
func (p *dialPlan) endpoint() string { return p.endpoints[p.current%len(p.endpoints)] }

// after takes how the last connection ended, and returns how long to wait before the next one.
func (p *dialPlan) after(end ending) time.Duration {
	//mutant:backoff-lived
	p.backoff.Lived(end.lived, end.worked)
	firstRejection := end.rejection != nil && !p.rejected
	p.rejected = end.rejection != nil
	if firstRejection && end.redated || end.resync {
		// The next token is dated otherwise. A resync is no fault of the server's health.
		return 0
	}
	if !end.useful() {
		p.current++
		p.tried++
		//mutant:next-endpoint
		if p.tried < len(p.endpoints) && !end.ofAll() {
			return p.turn()
		}
	}
	p.tried = 0
	wait := p.backoff.Next()
	//mutant:retry-after
	wait += min(end.retryAfter, mostRetryAfter) // on top of a random wait, so that clients do not come all at once
	return wait
}

// turn returns the wait for the next endpoint of a round: short, and random, because the endpoint that failed may have
// had many clients. It is never longer than the first wait between rounds.
func (p *dialPlan) turn() time.Duration {
	wait := leastTurn + rand.N(mostTurn-leastTurn+1) //nolint:gosec // spreads load
	return min(wait, p.backoff.Policy.Base)
}

// useful reports whether the endpoint serves: it answered a request, or a message that it pushed was handled. A client
// that only sends may have nothing to send for a week, so a connection on which nothing was written counts too if it
// lived for long.
func (e *ending) useful() bool {
	//mutant:useful-quiet
	return e.answered || e.worked || !e.asked && e.lived >= longLife
}

// ofAll reports whether the other endpoints would give the same answer: about the session, or to leave the service
// alone for a while.
func (e *ending) ofAll() bool { return e.rejection != nil || e.throttled || e.retryAfter > 0 }
