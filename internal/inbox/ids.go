package inbox

import (
	"strings"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// manualIDs bounds the ids that the user acknowledges. The oldest are evicted.
const manualIDs = 100_000

// ids has the state of every id in flight: from the acceptance of its message until its acknowledgement is confirmed.
type ids struct {
	states map[string]state

	manual int               // number of manual ids
	order  fifo.Queue[entry] // manual ids, oldest first, mixed with outdated entries
	turns  uint32
}

// state is the state of an id.
type state struct {
	acks  int32  // acknowledgements in flight
	turn  uint32 // of a manual id: the turn of its current entry
	place place
	acked bool // the user's own acknowledgement was confirmed while the message was in a lane
}

// place is the location of an id's message.
type place uint8

const (
	acking place = iota // handled: only an acknowledgement is in flight
	inLane              // queued, running, detached or backing off
	manual              // handled: the id stays in flight until Forget
)

// entry is one turn of a manual id. An id that became manual twice may have two, of which one is outdated.
type entry struct {
	id   string
	turn uint32
}

// counted reports whether the id counts as Overhead. A manual id does not, because manualIDs bounds those.
func (s state) counted() bool { return s.place == inLane || s.acks > 0 }

func (s *ids) has(id string) bool {
	_, ok := s.states[id]
	return ok
}

// acked reports whether an id is acknowledged or about to be, whatever happens to its message.
func (s *ids) acked(id string) bool {
	st := s.states[id]
	return st.acks > 0 || st.acked
}

// enter adds an id that is not in flight.
func (s *ids) enter(id string) { s.states[id] = state{place: inLane} }

// hold adds an acknowledgement. It reports whether the id starts to count.
func (s *ids) hold(id string) bool {
	st := s.states[id]
	counted := st.counted()
	st.acks++
	s.states[id] = st
	return !counted
}

// release removes an acknowledgement. It reports whether the id stops counting.
func (s *ids) release(id string) bool {
	st := s.states[id]
	if st.acks == 0 {
		return false
	}
	st.acks--
	s.put(id, st)
	return !st.counted()
}

// leave removes the message of an id from its lane. It reports whether the id still counts.
func (s *ids) leave(id string, keep bool) bool {
	st := s.states[id]
	keep = keep && !st.acked
	st.place, st.acked = acking, false
	s.put(id, st)
	if keep {
		s.keep(id, st)
	}
	return st.acks > 0
}

// put stores a state, or removes the id if it is no longer in flight.
func (s *ids) put(id string, st state) {
	if st.place == acking && st.acks == 0 {
		delete(s.states, id)
		return
	}
	s.states[id] = st
}

// keep makes an id manual. Its text is copied, because it may be a small part of a large message.
func (s *ids) keep(id string, st state) {
	delete(s.states, id)
	id = strings.Clone(id)
	s.turns++
	st.place, st.turn = manual, s.turns
	s.states[id] = st
	s.order.Push(entry{id, st.turn})
	s.manual++
	for s.manual > manualIDs {
		if oldest := s.order.Pop(); s.current(oldest) {
			s.forget(oldest.id)
		}
	}
}

func (s *ids) current(e entry) bool {
	st := s.states[e.id]
	return st.place == manual && st.turn == e.turn
}

// forget ends the manual state of an id. If its message is in a lane, the id will not become manual.
func (s *ids) forget(id string) {
	st := s.states[id]
	switch st.place {
	case acking:
	case inLane:
		//mutant:manual-early
		st.acked = true
		s.states[id] = st
	case manual:
		st.place = acking
		s.put(id, st)
		s.manual--
		s.tidy()
	}
}

// tidy removes outdated entries when they are the majority, which has constant amortized cost.
func (s *ids) tidy() {
	const few = 64
	//mutant:manual-compact
	if s.order.Len() <= 2*s.manual+few {
		return
	}
	n, entries := 0, s.order.All()
	for _, e := range entries {
		if s.current(e) {
			entries[n] = e
			n++
		}
	}
	s.order.Keep(n)
}
