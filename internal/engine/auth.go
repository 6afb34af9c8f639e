package engine

import "time"

const (
	// maxSkew is how wrong a token may be dated: the service accepts five minutes.
	maxSkew = 5 * time.Minute
	// clockSlack is how far apart the dates of two tokens must be for the second one to have a better chance.
	clockSlack = time.Minute
	// patience is how long a session that never worked is tried after a 401 while GET /me gives no answer.
	patience = 30 * time.Second
	// alarmInterval is the least time between two reports that the websocket rejects a session that GET /me accepts.
	alarmInterval = time.Minute
)

// Reason is why a rejection ends Run.
type Reason uint8

// The reasons.
const (
	NotFinal       Reason = iota // the session is tried again
	UpdateRequired               // the service does not speak to this client any more
	ClockSkew                    // tokens are dated wrong, and the service's time did not put that right
	Unauthorized                 // GET /me rejects the session too, or does not answer for a session that never worked
)

// ProbeAnswer is the service's answer to GET /me.
type ProbeAnswer uint8

// The answers.
const (
	ProbeSilent   ProbeAnswer = iota // none, or none that is the service's own
	ProbeAccepted                    // the session is valid
	ProbeRefused                     // 401
)

// Probed is what GET /me says about the session.
type Probed struct {
	Answer ProbeAnswer
	Skew   time.Duration // ProbeRefused: by which the token was dated wrong, 0 if the service told no time
}

// authPolicy decides what a 401 or a 10006 about the session means. It belongs to the supervisor, and depends on its
// arguments alone.
type authPolicy struct {
	worked   bool      // the service accepted the session once, over the websocket or over HTTP; never reset
	since    time.Time // the first 401 of a session that never worked; zero: none
	reported time.Time // the last alarm; zero: none
}

// authDecision is the decision about a rejection.
type authDecision struct {
	reason Reason
	skew   time.Duration // ClockSkew: by which the rejected token was dated wrong
	alarm  bool          // GET /me accepts the session, which is to be reported now
}

// onRejected takes a rejection. probed is the answer of GET /me, which is asked after each 401: it alone knows whether
// the session is gone. A failure of the sign-in, which looks the same at the websocket, passes.
func (p *authPolicy) onRejected(code int, now time.Time, probed Probed) authDecision {
	switch {
	case code == codeUpdateRequired:
		return authDecision{reason: UpdateRequired}
	//mutant:key-refused
	case probed.Answer == ProbeRefused:
		return finalRefusal(probed.Skew)
	case probed.Answer == ProbeAccepted:
		//mutant:probe-accepted
		p.worked = true
		return authDecision{alarm: p.alarm(now)}
	//mutant:session-worked
	case p.worked:
		return authDecision{}
	case p.since.IsZero():
		p.since = now
	//mutant:probe-patience
	case now.Sub(p.since) >= patience:
		return authDecision{reason: Unauthorized}
	}
	return authDecision{}
}

// finalRefusal names the reason why GET /me rejects a token that was dated wrong by skew.
func finalRefusal(skew time.Duration) authDecision {
	if skew.Abs() > maxSkew {
		return authDecision{reason: ClockSkew, skew: skew}
	}
	return authDecision{reason: Unauthorized}
}

// alarm reports whether a report is due.
func (p *authPolicy) alarm(now time.Time) bool {
	//mutant:alarm-interval
	if !p.reported.IsZero() && now.Sub(p.reported) < alarmInterval {
		return false
	}
	p.reported = now
	return true
}
