package outbox

import "time"

// A link that was lost with unanswered requests may have been lost because of one of them. Written all at once, the
// next link would tell no more: the peer may hang up before it has answered any. So that link starts slowly: first the
// List, then one request, and twice as many with each answer. A request that has no answer after a reply timeout counts
// as one that has: the peer did not hang up at it, and its answer may be behind pushes.
//
// So a request holds others back for a reply timeout at most. A List does, too, but for twice as long after each slow
// start that was lost while it was unanswered: the peer may be slow to answer it, and hang up at what comes next. A
// suspect does not count: its turn waits for the List as long, and has a bound of its own.

// wideOpen is the number of unanswered requests from which on a slow start is over.
const wideOpen = 1024

// slow is the slow start of a link.
type slow struct {
	window int       // requests that may be unanswered; 0: any number
	since  time.Time // when the link began
	last   time.Time // when a request was written that counts in open
	open   int       // unanswered requests, but for suspects and those that had no reply in time
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
		//mutant:slow-calm
		b.listWait = b.cfg.ReplyTimeout
	case lost && unanswered && l.listed && !l.answered:
		//mutant:slow-patience
		b.listWait = max(b.listWait, min(2*b.listWait, b.maxReply))
	}
}

// holds returns for how long only a List may be written, unless something is answered.
func (b *Box) holds(now time.Time) time.Duration {
	s := &b.link.slow
	if s.window == 0 {
		return 0
	}
	if wait := b.holdsForList(now); wait > 0 {
		return wait
	}
	if s.open < s.window {
		return 0
	}
	//mutant:slow-hold
	if wait := b.cfg.ReplyTimeout - now.Sub(s.last); wait > 0 {
		return wait
	}
	for _, e := range b.byID { // their own timeouts may be far longer
		s.leave(e)
	}
	s.widen()
	return 0
}

// holdsForList returns for how long a slow start awaits the List.
func (b *Box) holdsForList(now time.Time) time.Duration {
	l := &b.link
	if l.slow.window == 0 || !l.listed || l.answered {
		return 0
	}
	//mutant:slow-list
	return b.listWait - now.Sub(l.slow.since)
}

// enter counts e, which is written for the first time on the link.
func (s *slow) enter(e *entry, now time.Time) {
	//mutant:slow-suspect
	if e.Class != List && !e.blame.suspect && !e.late {
		e.open = true
		s.open++
		s.last = now
	}
}

// leave counts e no more: it was answered, or what is not answered must not hold others back.
func (s *slow) leave(e *entry) {
	if e.open {
		e.open = false
		s.open--
	}
}

// widen lets more requests be unanswered.
func (s *slow) widen() {
	//mutant:slow-window
	if s.window *= 2; s.window >= wideOpen {
		s.window = 0
	}
}
