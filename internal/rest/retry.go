package rest

import (
	"errors"
	"net/http"
	"time"
)

// retrier decides whether a request is retried. It belongs to one request.
type retrier struct {
	cfg      *Config
	endless  bool          // see Request.Patient
	single   bool          // see Request.Single
	timeout  time.Duration // of the next attempt
	denials  int           // see Request.Denials
	denied   int           // consecutive responses that count against denials
	signed   bool          // signed again after the first 401
	attempts int           // number used
	waits    int           // number of waits before attempts
}

type verdict uint8

const (
	final verdict = iota
	signAgain
	waitFirst
	finalDenied
)

// after returns the next step after an error of an attempt.
func (p *retrier) after(err error) verdict {
	var rejected *Error
	var silent *NoAnswerError
	p.observe(err)
	switch {
	//mutant:rest-denied
	case p.denials > 0 && p.denied >= p.denials:
		return finalDenied
	case errors.As(err, &rejected) && rejected.Rejection.Code == http.StatusUnauthorized:
		//mutant:rest-sign
		if !p.signed {
			// The response may have corrected the clock offset, and with it the token. The retry uses no attempt.
			p.signed = true
			return signAgain
		}
		//mutant:rest-401
		return p.again(p.endless)
	case errors.As(err, &rejected):
		return p.again(p.cfg.Temporary(rejected.Rejection) && p.useAttempt())
	case errors.As(err, &silent):
		//mutant:rest-outage
		return p.again(p.endless || p.useAttempt())
	}
	return final
}

// observe counts consecutive denials. It doubles the timeout of a patient request after an attempt that timed out.
func (p *retrier) observe(err error) {
	var silent *NoAnswerError
	isSilent := errors.As(err, &silent)
	p.denied++
	//mutant:rest-consecutive
	if !isSilent || !silent.denied {
		p.denied = 0
	}
	if isSilent && silent.late && p.endless {
		//mutant:rest-timeout
		p.timeout = min(2*p.timeout, max(mostTimeout, p.cfg.Timeout))
	}
}

// useAttempt uses an attempt, and reports whether another one is left.
func (p *retrier) useAttempt() bool {
	p.attempts++
	//mutant:rest-single
	if p.single {
		return false
	}
	return p.cfg.Attempts < 0 || p.attempts < p.cfg.Attempts
}

func (p *retrier) again(yes bool) verdict {
	if !yes {
		return final
	}
	p.waits++
	return waitFirst
}
