package outbox

import "time"

// A link that was lost with requests in flight may have been lost because of one of them. If the next link wrote them
// all at once, the cause would stay unknown, because the peer may hang up before it answers any. So that link starts
// slowly: the List first, then one request, and twice as many after each reply. A request without a reply after a reply
// timeout counts as answered: the peer did not hang up, and its reply may be behind pushes.
//
// A request therefore delays others for a reply timeout at most. So does a List, with a timeout that doubles after each
// slow start that was lost before its reply: the peer may be slow to answer it and hang up at the next request. A
// suspect does not count. Its turn waits for the List equally long, and has a bound of its own.

// wideOpen is the number of requests in flight that ends a slow start.
const wideOpen = 1024

// slow is the slow start of a link.
type slow struct {
	window int       // maximum number of requests in flight; 0: no limit
	since  time.Time // start of the link
	last   time.Time // last write of a request that counts in open
	open   int       // requests in flight, except suspects and those without a reply in time
}

// beCautious decides whether the next link starts slowly.
func (b *Box) beCautious(lost bool) {
	l := &b.link
	if !l.up {
		return
	}
	unanswered := false
	for _, e := range b.byID {
		unanswered = unanswered || e.onLink && e.Class != List
	}
	starting := l.slow.window > 0
	//mutant:slow-start
	b.cautious = starting || lost && unanswered
	switch {
	case !starting:
		//mutant:slow-list-reset
		b.listWait = b.cfg.ReplyTimeout
	case lost && unanswered && l.listed && !l.answered:
		//mutant:slow-list-grows
		b.listWait = max(b.listWait, min(2*b.listWait, b.maxReply))
	}
}

// delay returns how long only a List may be written, unless a reply arrives earlier.
func (b *Box) delay(now time.Time) time.Duration {
	s := &b.link.slow
	if s.window == 0 {
		return 0
	}
	if wait := b.listDelay(now); wait > 0 {
		return wait
	}
	if s.open < s.window {
		return 0
	}
	//mutant:slow-wait
	if wait := b.cfg.ReplyTimeout - now.Sub(s.last); wait > 0 {
		return wait
	}
	for _, e := range b.byID { // their own timeouts may be far longer
		s.leave(e)
	}
	s.widen()
	return 0
}

// listDelay returns how long a slow start still waits for the reply to the List.
func (b *Box) listDelay(now time.Time) time.Duration {
	l := &b.link
	if l.slow.window == 0 || !l.listed || l.answered {
		return 0
	}
	//mutant:slow-list
	return b.listWait - now.Sub(l.slow.since)
}

// enter counts e when it is first written on the link.
func (s *slow) enter(e *entry, now time.Time) {
	//mutant:slow-suspect
	if e.Class != List && !e.blame.suspect && !e.late {
		e.open = true
		s.open++
		s.last = now
	}
}

// leave ends the count of e: it was answered, or must not delay others any longer.
func (s *slow) leave(e *entry) {
	if e.open {
		e.open = false
		s.open--
	}
}

// widen allows more requests in flight.
func (s *slow) widen() {
	//mutant:slow-window
	if s.window *= 2; s.window >= wideOpen {
		s.window = 0
	}
}
