package outbox

import (
	"slices"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Part is a request that replaces a part of another one. Its Split and Pace are ignored.
type Part struct {
	Request
	// Order is the conversation of the part. Parts of one conversation are in flight one at a time, in order. Parts
	// with an empty Order do not wait for each other.
	Order string
}

// group holds the parts of a split request.
type group struct {
	parts    []*entry
	orders   []string
	outcomes []Outcome
	left     int

	kind      Kind        // of the whole: Split, or Confirmed if it was confirmed later
	rejection *wire.Error // that used up the attempts of the whole; nil: another reason
}

// split replaces e by its parts, in its position. It reports whether it did so or ended e. The parts keep the capacity
// of e until the last one has ended.
func (b *Box) split(e *entry, ends *endings) bool {
	if e.Split == nil {
		return false
	}
	parts, err := e.Split()
	e.Split = nil
	switch {
	case err != nil:
		o := e.unanswered(err)
		o.Unconfirmed = e.unconfirmed // it may have been answered just now
		b.finish(e, o, ends)
		return true
	case len(parts) == 0:
		return false
	}
	e.unqueue()
	b.offLink(e)
	e.state = split
	e.group = &group{kind: Split, outcomes: make([]Outcome, len(parts)), left: len(parts)}
	for i, p := range parts {
		part := &entry{
			Request: p.Request, whole: e, part: i, seq: e.seq, state: behind,
			timeout: b.cfg.ReplyTimeout, unconfirmed: e.unconfirmed,
		}
		part.Split = nil
		e.group.parts = append(e.group.parts, part)
		e.group.orders = append(e.group.orders, p.Order)
		b.byID[part.ID] = part
		//mutant:split-order
		if p.Order == "" || !slices.Contains(e.group.orders[:i], p.Order) {
			b.requeue(part)
		}
	}
	return true
}

// splitFamily splits e and reports whether it did. If no request of its family was confirmed, it splits all of them,
// because the peer may hang up at the action.
func (b *Box) splitFamily(e *entry, ends *endings) bool {
	if e.Family != "" && !b.proven[e.Family] {
		for _, x := range b.byID {
			//mutant:split-family
			if x != e && x.Family == e.Family && x.state != split {
				b.split(x, ends)
			}
		}
	}
	return b.split(e, ends)
}

// partEnded stores the outcome of a part, and starts the next one of its conversation.
func (b *Box) partEnded(e *entry, o Outcome, ends *endings) {
	whole, g := e.whole, e.whole.group
	g.outcomes[e.part] = o
	if g.left--; g.left == 0 {
		b.finish(whole, Outcome{
			Kind: g.kind, Rejection: g.rejection, Unconfirmed: whole.unconfirmed, Attempts: whole.attempts,
			Parts: g.outcomes,
		}, ends)
		return
	}
	if order := g.orders[e.part]; order != "" {
		b.startNext(g, order)
	}
}

// startNext makes the first part of a conversation ready, unless it is in flight.
func (b *Box) startNext(g *group, order string) {
	for i, p := range g.parts {
		if g.orders[i] == order && b.byID[p.ID] == p {
			if p.state == behind {
				b.requeue(p)
			}
			return
		}
	}
}

// abort ends e and its parts with err.
func (b *Box) abort(e *entry, err error, ends *endings) {
	if e.group == nil {
		b.finish(e, e.unanswered(err), ends)
		return
	}
	for _, p := range e.group.parts {
		if b.byID[p.ID] == p {
			b.finish(p, p.unanswered(err), ends)
		}
	}
}

// confirmRest confirms all unfinished parts of e, because the service confirmed e after the split.
func (b *Box) confirmRest(e *entry, ends *endings) {
	e.group.kind, e.group.rejection = Confirmed, nil
	//mutant:split-late
	for _, p := range e.group.parts {
		if b.byID[p.ID] == p {
			b.finish(p, p.answered(nil, Final), ends)
		}
	}
}
