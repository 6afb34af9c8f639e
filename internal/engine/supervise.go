package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// supervise dials, serves and waits until ctx ends or the service rejects the session permanently. The error is nil or
// a *RejectedError.
func (e *Engine) supervise(ctx context.Context) error {
	plan := dialPlan{endpoints: e.cfg.Endpoints, backoff: backoff.Backoff{Policy: backoff.From(ctx, e.cfg.Reconnect)}}
	var auth authPolicy
	idle, stop := e.untilRejected(ctx)
	defer stop()
	for {
		end := e.connect(ctx, idle, plan.endpoint())
		if ctx.Err() != nil {
			return nil // a requested end; the error of the interrupted dial does not matter
		}
		e.life.to(offline, end.err)
		if err := e.rejected(idle, &auth, &end); err != nil {
			//mutant:rejected-stops
			e.reject(err) // from now on handlers fail because Run ends
			e.observer.Observe(Event{Kind: SessionEnded, Err: err})
			return err
		}
		wait := plan.after(end)
		e.observer.Observe(Event{Kind: Disconnected, Err: end.err, RetryIn: wait})
		if !backoff.Sleep(idle, wait) && ctx.Err() != nil {
			return nil
		}
		e.life.to(connecting, nil) // after a Reject the dial fails at once
	}
}

// Reject ends Run because an HTTP response rejected this client. Called before Run, it ends the following Run; after
// Run it has no effect. It never blocks.
func (e *Engine) Reject(rejection *wire.Error, action string) {
	e.reject(&RejectedError{Rejection: rejection, Action: action, Reason: UpdateRequired})
}

// untilRejected returns a context that ends with ctx or with a call of Reject. The supervisor uses it without a link.
func (e *Engine) untilRejected(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.rejection, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// rejected returns the error that ends Run if the service rejected the session permanently. After a 401, later tokens
// are dated by the service's clock, and GET /me is requested.
func (e *Engine) rejected(ctx context.Context, policy *authPolicy, end *ending) error {
	//mutant:session-served
	policy.worked = policy.worked || end.accepted || end.lived >= longLife
	if end.rejection == nil || ctx.Err() != nil {
		return context.Cause(e.rejection)
	}
	at := time.Now() // before GET /me, which may take long
	var probed Probed
	if end.rejection.Rejection.Code == codeUnauthorized {
		dated := e.cfg.Signer.Offset()
		if end.timed {
			//mutant:clock-offset
			e.cfg.Signer.SetOffset(end.skew)
		}
		probed = e.cfg.Probe(ctx)
		end.redated = (e.cfg.Signer.Offset() - dated).Abs() > clockSlack
		if ctx.Err() != nil {
			return context.Cause(e.rejection)
		}
	}
	d := policy.onRejected(end.rejection.Rejection.Code, at, probed)
	if d.alarm {
		e.observer.Observe(Event{Kind: RejectedHere, Err: end.err})
	}
	if d.reason == NotFinal {
		return nil
	}
	final := *end.rejection // a copy, because others may read the one in end.err
	final.Reason, final.Skew = d.reason, d.skew
	return &final
}

// ending describes the end of a connection, or a failed dial.
type ending struct {
	err        error          // a *ConnectionError
	lived      time.Duration  // 0: there was no connection
	rejection  *RejectedError // with code 401 or 10006; nil: another end
	skew       time.Duration  // with timed: by which the service's clock is ahead
	timed      bool           // the service sent its time
	redated    bool           // after rejection: later tokens have another date
	accepted   bool           // a request was answered, or a message pushed
	asked      bool           // a frame was written
	answered   bool           // a request was answered
	worked     bool           // a send or an acknowledgement was confirmed, or a new message handled
	throttled  bool           // the server responded to the handshake or the list with 429
	retryAfter time.Duration  // requested by the server
	resync     bool           // it was ended for a resync
}

// connect makes one connection and serves it until it ends. idle ends the dial only.
func (e *Engine) connect(ctx, idle context.Context, endpoint string) ending {
	e.use.begin()
	l, err := e.dial(idle, endpoint)
	if err != nil {
		return e.describe(&ConnectionError{Endpoint: endpoint, Err: err}, 0)
	}
	began := time.Now()
	e.setSkew(l.ServerTime()) // a 401 in a frame does not contain the time
	stop := context.AfterFunc(e.rejection, func() {
		if ctx.Err() == nil { // otherwise it is draining
			l.Fail(context.Cause(e.rejection))
		}
	})
	defer stop()
	resync := e.serve(ctx, l, endpoint)
	e.pong.ended(l, e.bounds)
	why := l.Err()
	if resync {
		why = errResync
	}
	end := e.describe(&ConnectionError{Endpoint: endpoint, Lost: true, Err: why}, max(time.Since(began), 1))
	end.resync = resync
	return end
}

// setSkew records the service's time, unless it is zero.
func (e *Engine) setSkew(at time.Time) {
	if !at.IsZero() {
		e.skew, e.timed = time.Until(at), true
	}
}

func (e *Engine) dial(ctx context.Context, endpoint string) (*link.Link, error) {
	token, _, err := e.cfg.Signer.Token("GET", "/", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot sign in: %w", err)
	}
	return link.Dial(ctx, link.Config{
		URL: endpoint, Token: token, UserAgent: e.cfg.UserAgent,
		DialContext: e.cfg.DialContext, TLS: e.cfg.TLS, Proxy: e.cfg.Proxy,
		Pong: e.pong.first, Patience: e.cfg.Drain,
	})
}

// peerEnded reports whether the peer or the network ended a link, by its error. The other causes are on this side: a
// frame, a hook, a timeout or a resync.
func (e *Engine) peerEnded(err error) bool {
	for _, ours := range []error{
		link.ErrClosed, link.ErrExited, link.ErrPong, link.ErrSilence, link.ErrEndless, link.ErrJump, errList,
	} {
		if errors.Is(err, ours) {
			return false
		}
	}
	return !errors.As(err, new(*RejectedError))
}

// describe returns the ending for the error of a connection.
func (e *Engine) describe(err *ConnectionError, lived time.Duration) ending {
	end := ending{
		err: err, lived: lived, accepted: e.use.accepted.Load(), asked: e.use.asked.Load(),
		answered: e.use.answered.Load(), worked: e.use.worked(),
	}
	var rejected *RejectedError
	var at time.Time
	switch cause := err.Err.(type) { //nolint:errorlint // errors.As would call methods of a user's error
	case *link.HandshakeError:
		rejected, at = rejectionOf(cause), cause.ServerTime
		end.retryAfter = cause.RetryAfter
		end.throttled = cause.Status == http.StatusTooManyRequests
	case *RejectedError:
		rejected = cause
	default:
		return end
	}
	//mutant:throttled-all
	end.throttled = end.throttled || throttles(rejected.Rejection)
	if !ofSession(rejected.Rejection) {
		return end
	}
	e.setSkew(at)
	end.rejection, end.skew, end.timed = rejected, e.skew, e.timed
	return end
}

// throttles reports whether a rejection requests the client to slow down.
func throttles(r *wire.Error) bool {
	return r != nil && (r.Code == http.StatusTooManyRequests || r.Status == http.StatusTooManyRequests)
}

// ofSession reports whether a rejection of a connection concerns the session.
func ofSession(r *wire.Error) bool {
	return r != nil && (r.Code == codeUnauthorized || r.Code == codeUpdateRequired)
}

// rejectionOf returns the rejection in the response to a handshake. The status takes precedence over the code in the
// body.
func rejectionOf(answer *link.HandshakeError) *RejectedError {
	r := wire.Error{Code: answer.Status, Status: answer.Status}
	if answer.Rejection != nil {
		r = *answer.Rejection
	}
	if answer.Status == http.StatusUnauthorized && r.Code != codeUpdateRequired {
		r.Code = codeUnauthorized
	}
	return &RejectedError{Rejection: &r}
}
