package outbox

import "time"

// A peer may hang up at a frame, each time. Written first on every link, such a frame would keep all others from being
// answered. So the oldest unanswered request is blamed for the loss of a link. After suspectAfter such losses it is a
// suspect: it is split, or else it is written while nothing else is unanswered, after all that waited when it became
// one, when its last turn ended, or when the link began.

// suspectAfter is the number of links for which a request is blamed until it is a suspect.
const suspectAfter = 2

// blame is what is held against a request. An answer to it, of any kind, clears it.
type blame struct {
	links   int  // lost while it was the oldest that was unanswered
	suspect bool // it is written alone
	alone   int  // links lost while it was written alone, and something else had been answered
}

// solo is the turn of a suspect. Nothing else is written meanwhile. It ends with an answer, or after a reply
// timeout, or when a slow start does not wait for the List any more, if that is later.
type solo struct {
	e     *entry // nil: no suspect has its turn
	until time.Time
	wrote bool // e was written while nothing else was unanswered
}

// choose returns the entry to be written now. Without one, it returns how long the turn of a suspect lasts, or a
// negative duration.
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
		*s = solo{e: e, until: now.Add(max(b.cfg.ReplyTimeout, b.holdsForList(now)))}
	}
	e := s.e
	//mutant:suspect-alone
	alone := b.link.owed == 0 || b.link.owed == 1 && e.onLink
	switch {
	case !s.wrote && alone:
		s.wrote = true
	case now.Before(s.until):
		return nil, s.until.Sub(now)
	default: // the others get no answer either
		b.endTurn()
	}
	e.unqueue()
	return e, 0
}

// pop takes the next entry that is no suspect. Without one, it returns how long a slow start holds them back, or a
// negative duration.
func (b *Box) pop(now time.Time, paused bool) (*entry, time.Duration) {
	if b.ready.queues[List].Len() == 0 && b.ready.any(paused) {
		if wait := b.holds(now); wait > 0 {
			return nil, wait
		}
	}
	return b.ready.pop(paused), -1
}

// endTurn ends the turn of a suspect. All that wait are written before the next one.
func (b *Box) endTurn() {
	b.link.solo = solo{}
	b.ready.before = b.seq
}

// over reports whether the turn has ended: its entry was answered or given up, took too long, or is not written any
// more on this link.
func (s *solo) over(now time.Time, paused bool) bool {
	if s.wrote {
		return !s.e.onLink || !now.Before(s.until)
	}
	return !s.e.blame.suspect || s.e.queue == nil || paused && s.e.Class == Send
}

// blamed returns the request that is blamed for the loss of the link, and whether it was alone on a link that had
// answered something else; nil: none. A link that did not even answer its List is no request's fault, nor is one that
// was to be replaced.
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

// blame blames e, which waits again, for the loss of a link.
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

// putLast moves a suspect to the requests to be written, behind all others.
func (b *Box) putLast(e *entry) {
	e.unqueue()
	b.seq++
	e.seq, b.ready.before = b.seq, b.seq
	b.requeue(e)
}
