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

// supervise dials, serves and waits, until ctx ends or the service rejects the session for good. The error is nil or a
// *RejectedError.
func (e *Engine) supervise(ctx context.Context) error {
	plan := dialPlan{endpoints: e.cfg.Endpoints, backoff: backoff.Backoff{Policy: backoff.From(ctx, e.cfg.Reconnect)}}
	var auth authPolicy
	idle, stop := e.untilRejected(ctx)
	defer stop()
	for {
		end := e.connect(ctx, idle, plan.endpoint())
		if ctx.Err() != nil {
			return nil // the end that was asked for; what it cut short does not matter
		}
		e.life.to(offline, end.err)
		if err := e.rejected(idle, &auth, &end); err != nil {
			//mutant:rejected-stops
			e.reject(err) // handlers that fail from now on fail because Run ends
			e.observer.Observe(Event{Kind: SessionEnded, Err: err})
			return err
		}
		wait := plan.after(end)
		e.observer.Observe(Event{Kind: Disconnected, Err: end.err, RetryIn: wait})
		if !backoff.Sleep(idle, wait) && ctx.Err() != nil {
			return nil
		}
		e.life.to(connecting, nil) // after a Reject too: the dial fails at once
	}
}

// Reject ends Run because the service answered a request over HTTP with a rejection of this client. Before Run it ends
// the Run to come, and after Run it does nothing. It never blocks.
func (e *Engine) Reject(rejection *wire.Error, action string) {
	e.reject(&RejectedError{Rejection: rejection, Action: action, Reason: UpdateRequired})
}

// untilRejected returns a context that ends with ctx, or with a call of Reject, for what the supervisor does without a
// link.
func (e *Engine) untilRejected(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.rejection, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// rejected returns the error that ends Run if the service rejected the session for good. After a 401, later tokens are
// dated by the service's clock, and GET /me is asked.
func (e *Engine) rejected(ctx context.Context, policy *authPolicy, end *ending) error {
	//mutant:session-served
	policy.worked = policy.worked || end.accepted || end.lived >= longLife
	if end.rejection == nil || ctx.Err() != nil {
		return context.Cause(e.rejection)
	}
	at := time.Now() // GET /me may take its time
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
	final := *end.rejection // a copy: others may read the one in end.err
	final.Reason, final.Skew = d.reason, d.skew
	return &final
}

// ending is how a connection ended, or why there was none.
type ending struct {
	err        error          // a *ConnectionError
	lived      time.Duration  // 0: there was no connection
	rejection  *RejectedError // with the code 401 or 10006; nil: it ended otherwise
	skew       time.Duration  // with timed: by which the service's clock is ahead
	timed      bool           // the service told its time
	redated    bool           // after rejection: later tokens are dated otherwise
	accepted   bool           // a request was answered, or a message pushed
	asked      bool           // a frame was written
	answered   bool           // a request was answered
	worked     bool           // a send or an acknowledgement was confirmed, or a new message handled
	throttled  bool           // a server answered the handshake or the list with 429
	retryAfter time.Duration  // that a server asked for
	resync     bool           // it was replaced, to list pending messages again
}

// connect makes one connection and serves it until it ends. The context idle ends the dial only.
func (e *Engine) connect(ctx, idle context.Context, endpoint string) ending {
	e.use.begin()
	l, err := e.dial(idle, endpoint)
	if err != nil {
		return e.describe(&ConnectionError{Endpoint: endpoint, Err: err}, 0)
	}
	began := time.Now()
	e.heardTime(l.ServerTime()) // a 401 in a frame does not tell the time
	stop := context.AfterFunc(e.rejection, func() {
		if ctx.Err() == nil { // else it drains
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

// heardTime takes the time by the service's clock, zero if it told none.
func (e *Engine) heardTime(at time.Time) {
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

// peerEnded reports whether the peer or the network ended a link, by the error of the link: not this side, because of a
// frame, a hook, a silence or a clock.
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

// describe takes the error of a connection apart.
func (e *Engine) describe(err *ConnectionError, lived time.Duration) ending {
	end := ending{
		err: err, lived: lived, accepted: e.use.accepted.Load(), asked: e.use.asked.Load(),
		answered: e.use.answered.Load(), worked: e.use.worked(),
	}
	var rejected *RejectedError
	var at time.Time
	switch cause := err.Err.(type) { //nolint:errorlint // errors.As would ask an error of user code, and wait for it
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
	e.heardTime(at)
	end.rejection, end.skew, end.timed = rejected, e.skew, e.timed
	return end
}

// throttles reports whether a rejection asks to be left alone for a while.
func throttles(r *wire.Error) bool {
	return r != nil && (r.Code == http.StatusTooManyRequests || r.Status == http.StatusTooManyRequests)
}

// ofSession reports whether a rejection of a connection is about the session.
func ofSession(r *wire.Error) bool {
	return r != nil && (r.Code == codeUnauthorized || r.Code == codeUpdateRequired)
}

// rejectionOf returns the rejection in the answer to a handshake. Its status counts more than the code of its body.
func rejectionOf(answer *link.HandshakeError) *RejectedError {
	r := wire.Error{Code: answer.Status, Status: answer.Status}
	if answer.Refusal != nil {
		r = *answer.Refusal
	}
	if answer.Status == http.StatusUnauthorized && r.Code != codeUpdateRequired {
		r.Code = codeUnauthorized
	}
	return &RejectedError{Rejection: &r}
}
