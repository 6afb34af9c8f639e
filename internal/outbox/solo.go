package outbox

import "time"

// A peer may hang up at a certain frame each time. If that frame were written first on every link, no other request
// would get a reply. So the oldest request in flight is blamed for the loss of a link. After suspectAfter losses it is
// a suspect. A suspect is split, or otherwise written while nothing else is in flight, after all requests that were
// waiting when it became a suspect, when its last turn ended, or when the link began.

// suspectAfter is the number of lost links that makes a request a suspect.
const suspectAfter = 2

// blame is the record of lost links of a request. A reply of any kind clears it.
type blame struct {
	links   int  // links lost while it was the oldest in flight
	suspect bool // it is written alone
	alone   int  // links lost while it was written alone, after another reply
}

// solo is the turn of a suspect. Nothing else is written during it. It ends with a reply, or after a reply timeout, or
// when a slow start stops waiting for the List, if that is later.
type solo struct {
	e     *entry // nil: no turn
	until time.Time
	wrote bool // e was written while nothing else was in flight
}

// choose returns the entry to write now. If there is none, it returns how long a suspect's turn or a slow start delays
// the next one, or a negative duration for no limit.
func (b *Box) choose(now time.Time) (*entry, time.Duration) {
	s, paused := &b.link.solo, b.link.quiet.paused
	if s.e != nil && s.over(now, paused) {
		b.endTurn()
	}
	if s.e == nil {
		e := b.ready.suspect(paused)
		if e == nil {
			return b.pop(now, paused)
		}
		//mutant:suspect-list
		*s = solo{e: e, until: now.Add(max(b.cfg.ReplyTimeout, b.listDelay(now)))}
	}
	e := s.e
	//mutant:suspect-alone
	alone := b.link.owed == 0 || b.link.owed == 1 && e.onLink
	switch {
	case !s.wrote && alone:
		s.wrote = true
	case now.Before(s.until):
		return nil, s.until.Sub(now)
	default: // the others get no reply either
		b.endTurn()
	}
	e.unqueue()
	return e, 0
}

// pop removes and returns the next entry that is not a suspect. If there is none, it returns how long a slow start
// delays them, or a negative duration.
func (b *Box) pop(now time.Time, paused bool) (*entry, time.Duration) {
	if b.ready.queues[List].Len() == 0 && b.ready.any(paused) {
		if wait := b.delay(now); wait > 0 {
			return nil, wait
		}
	}
	return b.ready.pop(paused), -1
}

// endTurn ends the turn of a suspect. All waiting requests are written before the next turn.
func (b *Box) endTurn() {
	b.link.solo = solo{}
	b.ready.before = b.seq
}

// over reports whether the turn has ended: its entry was answered or has ended, took too long, or is no longer written
// on this link.
func (s *solo) over(now time.Time, paused bool) bool {
	if s.wrote {
		return !s.e.onLink || !now.Before(s.until)
	}
	return !s.e.blame.suspect || s.e.queue == nil || paused && s.e.Class == Send
}

// blamed returns the request to blame for the loss of the link, or nil. alone means that only this request was in
// flight, on a link that had answered another. No request is blamed if the link did not answer its List, or was about
// to be replaced.
func (b *Box) blamed() (e *entry, alone bool) {
	l := &b.link
	//mutant:blame-answered
	if l.quiet.paused || l.listed && !l.answered {
		return nil, false
	}
	if l.solo.wrote && l.solo.e.onLink {
		return l.solo.e, l.answered
	}
	for _, x := range b.byID {
		if x.onLink && x.Class != List && (e == nil || x.write < e.write) {
			e = x
		}
	}
	return e, false
}

// blame blames e, which is waiting again, for the loss of a link.
func (b *Box) blame(e *entry, alone bool, ends *endings) {
	//mutant:blame-alone
	if alone {
		if e.blame.alone++; b.cfg.Attempts >= 0 && e.blame.alone >= b.cfg.Attempts {
			b.finish(e, e.unanswered(ErrLinkLost), ends)
			return
		}
	}
	//mutant:blame-links
	if e.blame.links++; e.blame.links < suspectAfter || b.splitFamily(e, ends) {
		return
	}
	e.blame.suspect = true
	b.putLast(e)
}

// putLast queues a suspect behind all other requests.
func (b *Box) putLast(e *entry) {
	e.unqueue()
	b.seq++
	e.seq, b.ready.before = b.seq, b.seq
	b.requeue(e)
}
