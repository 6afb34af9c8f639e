package engine

import "time"

const (
	// maxSkew is the clock difference at which the service rejects a token.
	maxSkew = 5 * time.Minute
	// clockSlack is the minimum change of a token's date for which another attempt is worthwhile.
	clockSlack = time.Minute
	// patience is how long a session that never worked is retried after a 401 while GET /me gets no response.
	patience = 30 * time.Second
	// alarmInterval is the minimum interval between reports of a session that is rejected by the websocket only.
	alarmInterval = time.Minute
)

// Reason is the reason why a rejection ends Run.
type Reason uint8

// Reasons.
const (
	NotFinal       Reason = iota // the session is retried
	UpdateRequired               // the service no longer accepts this client
	ClockSkew                    // the token's date was wrong, and the service's time did not correct it
	Unauthorized                 // GET /me rejects the session too, or gets no response for a session that never worked
)

// ProbeAnswer is the service's response to GET /me.
type ProbeAnswer uint8

// Responses.
const (
	ProbeSilent   ProbeAnswer = iota // none, or not from the service
	ProbeAccepted                    // the session is valid
	ProbeRejected                    // 401
)

// Probed is the result of GET /me.
type Probed struct {
	Answer ProbeAnswer
	Skew   time.Duration // ProbeRejected: error of the token's date, 0 if the service sent no time
}

// authPolicy interprets a 401 or a 10006 about the session. The supervisor owns it. It depends on its arguments only.
type authPolicy struct {
	worked   bool      // the service accepted the session before, over the websocket or HTTP; never reset
	since    time.Time // the first 401 of a session that never worked; zero: none
	reported time.Time // the last alarm; zero: none
}

// authDecision is the result for one rejection.
type authDecision struct {
	reason Reason
	skew   time.Duration // ClockSkew: error of the rejected token's date
	alarm  bool          // report that GET /me accepts the session
}

// onRejected decides about a rejection. probed is the result of GET /me, which is requested after each 401. Only GET
// /me shows whether the session is gone: at the websocket, a transient failure of the sign-in looks the same.
func (p *authPolicy) onRejected(code int, now time.Time, probed Probed) authDecision {
	switch {
	case code == codeUpdateRequired:
		return authDecision{reason: UpdateRequired}
	//mutant:key-rejected
	case probed.Answer == ProbeRejected:
		return finalRejection(probed.Skew)
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

// finalRejection returns the reason for which GET /me rejected a token with a date wrong by skew.
func finalRejection(skew time.Duration) authDecision {
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
