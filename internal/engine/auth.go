package engine

import "time"

// maxSkew is how wrong a token may be dated: the service accepts five minutes.
const maxSkew = 5 * time.Minute

// Reason is why a rejection ends Run.
type Reason uint8

// The reasons.
const (
	NotFinal       Reason = iota // the session is tried again
	UpdateRequired               // the service does not speak to this client any more
	ClockSkew                    // tokens are dated wrong, and the service's time did not put that right
	Unauthorized                 // a new token was rejected too
)

// authPolicy decides what a 401 or a 10006 means. It belongs to the supervisor, and depends on its arguments alone.
type authPolicy struct {
	rejected bool // a 401 came before
}

// authDecision is the decision about a rejection.
type authDecision struct {
	reason Reason
	offset time.Duration // NotFinal: later tokens are dated by it
	skew   time.Duration // ClockSkew: by which the rejected token was dated wrong
}

// onRejected takes a rejection. answered says whether anything was answered since the one before. skew is by how much
// the service's clock is ahead of this machine's, offset by how much the rejected token was dated ahead.
//
// A first 401 is never final: the next token is dated by the service's clock. A second one is, unless something was
// answered in between.
func (p *authPolicy) onRejected(code int, answered bool, skew, offset time.Duration) authDecision {
	if code == codeUpdateRequired {
		return authDecision{reason: UpdateRequired}
	}
	//mutant:key-refused
	again := p.rejected && !answered
	p.rejected = true
	off := skew - offset
	switch {
	case again && off.Abs() > maxSkew:
		return authDecision{reason: ClockSkew, skew: off}
	case again:
		return authDecision{reason: Unauthorized}
	}
	return authDecision{offset: skew}
}
