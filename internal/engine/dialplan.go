package engine

import (
	"math/rand/v2"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
)

const (
	// maxRetryAfter bounds the wait for a server's Retry-After.
	maxRetryAfter = 5 * time.Minute
	// longLife is the minimum life of a connection that proves its endpoint useful. A silent connection ends sooner.
	longLife = time.Minute
	// minTurn and maxTurn bound the wait for the next endpoint of a round.
	minTurn, maxTurn = 50 * time.Millisecond, 250 * time.Millisecond
)

// dialPlan decides which endpoint to dial next, and when. The supervisor owns it. It does no I/O.
//
// Endpoints are dialed in rounds. After a useless connection the next endpoint follows almost at once, until each was
// dialed. The waits between rounds grow. After the loss of a useful connection, its endpoint comes first in the next
// round.
type dialPlan struct {
	endpoints []string
	current   int
	tried     int // useless endpoints of this round
	backoff   backoff.Backoff
	rejected  bool // the last connection ended with a 401 or a 10006
}

// endpoint returns the endpoint to dial.
func (p *dialPlan) endpoint() string { return p.endpoints[p.current%len(p.endpoints)] }

// after returns the wait before the next connection, given the end of the last one.
func (p *dialPlan) after(end ending) time.Duration {
	//mutant:backoff-lived
	p.backoff.Lived(end.lived, end.worked)
	firstRejection := end.rejection != nil && !p.rejected
	p.rejected = end.rejection != nil
	if firstRejection && end.redated || end.resync {
		// The next token has another date. A resync does not indicate an unhealthy server.
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
	wait += min(end.retryAfter, maxRetryAfter) // in addition to a random wait, so that clients spread out
	return wait
}

// turn returns the wait for the next endpoint of a round. It is short, and random because many clients may leave a
// failed endpoint together. It is at most the first wait between rounds.
func (p *dialPlan) turn() time.Duration {
	wait := minTurn + rand.N(maxTurn-minTurn+1) //nolint:gosec // spreads load
	return min(wait, p.backoff.Policy.Base)
}

// useful reports whether the endpoint works: it answered a request, or a message that it pushed was handled. A
// send-only client may have nothing to send for a week, so a connection without any request also counts if it lived for
// longLife.
func (e *ending) useful() bool {
	//mutant:useful-quiet
	return e.answered || e.worked || !e.asked && e.lived >= longLife
}

// ofAll reports whether the other endpoints would respond the same: the session was rejected, or the client must slow
// down.
func (e *ending) ofAll() bool { return e.rejection != nil || e.throttled || e.retryAfter > 0 }
