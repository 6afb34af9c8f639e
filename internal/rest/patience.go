package rest

import (
	"errors"
	"net/http"
	"time"
)

// patience decides whether a request is made again. It belongs to one request.
type patience struct {
	cfg      *Config
	endless  bool          // see Request.Patient
	timeout  time.Duration // of the next try
	denials  int           // see Request.Denials
	denied   int           // answers in a row that count against denials
	signed   bool          // anew, after the first 401
	attempts int           // that were used
	rests    int           // before tries
}

type verdict uint8

const (
	giveUp verdict = iota
	signAnew
	restFirst
	giveUpDenied
)

// after takes the error of a try.
func (p *patience) after(err error) verdict {
	var refused *Error
	var silent *NoAnswerError
	p.heed(err)
	switch {
	//mutant:rest-denied
	case p.denials > 0 && p.denied >= p.denials:
		return giveUpDenied
	case errors.As(err, &refused) && refused.Refusal.Code == http.StatusUnauthorized:
		//mutant:rest-sign
		if !p.signed {
			// The answer's clock may have put the token right. This uses no attempt.
			p.signed = true
			return signAnew
		}
		//mutant:rest-401
		return p.again(p.endless)
	case errors.As(err, &refused):
		return p.again(p.cfg.Temporary(refused.Refusal) && p.attempt())
	case errors.As(err, &silent):
		//mutant:rest-silent
		return p.again(p.endless || p.attempt())
	}
	return giveUp
}

// heed takes what the error of a try says about the time of the next one, and about what is before the service.
func (p *patience) heed(err error) {
	var silent *NoAnswerError
	isSilent := errors.As(err, &silent)
	p.denied++
	//mutant:rest-in-a-row
	if !isSilent || !silent.denied {
		p.denied = 0
	}
	if isSilent && silent.late && p.endless {
		//mutant:rest-timeout
		p.timeout = min(2*p.timeout, max(mostTimeout, p.cfg.Timeout))
	}
}

// attempt uses an attempt, and reports whether there is another one.
func (p *patience) attempt() bool {
	p.attempts++
	return p.cfg.Attempts < 0 || p.attempts < p.cfg.Attempts
}

func (p *patience) again(yes bool) verdict {
	if !yes {
		return giveUp
	}
	p.rests++
	return restFirst
}
