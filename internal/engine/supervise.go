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
	for {
		end := e.connect(ctx, plan.endpoint())
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end that was asked for; what it cut short does not matter
		}
		e.life.to(offline, end.err)
		if err := e.rejected(&auth, end); err != nil {
			e.observer.Observe(Event{Kind: SessionEnded, Err: err})
			return err
		}
		wait := plan.after(end)
		e.observer.Observe(Event{Kind: Disconnected, Err: end.err, RetryIn: wait})
		if !backoff.Sleep(ctx, wait) {
			return nil
		}
		e.life.to(connecting, nil)
	}
}

// rejected returns the error that ends Run if the service rejected the session for good. After a 401 that is not
// final, later tokens are dated by the service's clock.
func (e *Engine) rejected(policy *authPolicy, end ending) error {
	if end.rejection == nil {
		return nil
	}
	d := policy.onRejected(end.rejection.Rejection.Code, e.answered.Swap(false), end.skew, e.cfg.Signer.Offset())
	if d.reason == NotFinal {
		//mutant:clock-offset
		e.cfg.Signer.SetOffset(d.offset)
		return nil
	}
	final := *end.rejection // a copy: others may read the one in end.err
	final.Reason, final.Skew = d.reason, d.skew
	return &final
}

// ending is how a connection ended, or why there was none.
type ending struct {
	err          error          // a *ConnectionError
	lived        time.Duration  // 0: there was no connection
	rejection    *RejectedError // with the code 401 or 10006; nil: it ended otherwise
	skew         time.Duration  // by which the service's clock is ahead, as far as it is known
	handshake    bool           // a server answered the handshake, and rejected it
	retryAfter   time.Duration  // that a server asked for
	resyncFailed bool
}

// connect makes one connection and serves it until it ends.
func (e *Engine) connect(ctx context.Context, endpoint string) ending {
	l, err := e.dial(ctx, endpoint)
	if err != nil {
		return e.describe(&ConnectionError{Endpoint: endpoint, Err: err}, 0)
	}
	began := time.Now()
	if at := l.ServerTime(); !at.IsZero() {
		e.skew = at.Sub(began) // a 401 in a frame does not tell the time
	}
	e.serve(ctx, l, endpoint)
	return e.describe(&ConnectionError{Endpoint: endpoint, Lost: true, Err: l.Err()}, max(time.Since(began), 1))
}

func (e *Engine) dial(ctx context.Context, endpoint string) (*link.Link, error) {
	token, _, err := e.cfg.Signer.Token("GET", "/", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot sign in: %w", err)
	}
	return link.Dial(ctx, link.Config{
		URL: endpoint, Token: token, DialContext: e.cfg.DialContext, TLS: e.cfg.TLS, Proxy: e.cfg.Proxy,
	})
}

// describe takes the error of a connection apart.
func (e *Engine) describe(err *ConnectionError, lived time.Duration) ending {
	end := ending{err: err, lived: lived, resyncFailed: errors.Is(err, errResync)}
	var answer *link.HandshakeError
	var rejected *RejectedError
	switch {
	case errors.As(err, &answer):
		end.handshake, end.retryAfter = true, answer.RetryAfter
		rejected = rejectionOf(answer)
	case errors.As(err, &rejected):
	default:
		return end
	}
	if !ofSession(rejected.Rejection) {
		return end
	}
	if answer != nil && !answer.ServerTime.IsZero() {
		e.skew = time.Until(answer.ServerTime)
	}
	end.rejection, end.skew = rejected, e.skew
	return end
}

// ofSession reports whether a rejection is about the session, and not about one request.
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
