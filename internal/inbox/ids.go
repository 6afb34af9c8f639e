package inbox

import (
	"strings"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// manualIDs bounds the ids whose acknowledgement is left to the user; the oldest are forgotten.
const manualIDs = 100_000

// ids has the state of every id that is held: from the moment its message is taken until nobody holds it any more.
type ids struct {
	states map[string]state

	manual int               // how many are manual
	order  fifo.Queue[entry] // of the manual ones from the oldest, among some that are manual no more
	turns  uint32
}

// state says who holds an id.
type state struct {
	acks  int32  // acknowledgements under way
	turn  uint32 // of a manual id: that of its entry
	place place
	acked bool // the user's own acknowledgement was confirmed while its message was in a lane
}

// place is where the message of an id is.
type place uint8

const (
	acking place = iota // handled: an acknowledgement alone holds the id
	inLane              // queued, being handled, or backing off
	manual              // handled: the id is held until Forget
)

// entry is the turn of a manual id. An id that became manual twice may have two, of which one is over.
type entry struct {
	id   string
	turn uint32
}

// counted reports whether the id counts Overhead. A manual one does not: there is another bound to those.
func (s state) counted() bool { return s.place == inLane || s.acks > 0 }

func (s *ids) has(id string) bool {
	_, ok := s.states[id]
	return ok
}

// acked reports whether an id is acknowledged, or is about to be, whatever becomes of its message.
func (s *ids) acked(id string) bool {
	st := s.states[id]
	return st.acks > 0 || st.acked
}

// enter takes an id that is not held.
func (s *ids) enter(id string) { s.states[id] = state{place: inLane} }

// hold adds an acknowledgement, and reports whether the id counts from now on.
func (s *ids) hold(id string) bool {
	st := s.states[id]
	counted := st.counted()
	st.acks++
	s.states[id] = st
	return !counted
}

// release takes an acknowledgement off, and reports whether the id has ceased to count.
func (s *ids) release(id string) bool {
	st := s.states[id]
	if st.acks == 0 {
		return false
	}
	st.acks--
	s.put(id, st)
	return !st.counted()
}

// leave takes the message of an id out of its lane, and reports whether the id still counts.
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

// put stores a state, or forgets the id if nobody holds it.
func (s *ids) put(id string, st state) {
	if st.place == acking && st.acks == 0 {
		delete(s.states, id)
		return
	}
	s.states[id] = st
}

// keep makes an id manual. Its text is copied: it may be a small part of a large message.
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

// forget makes a manual id one that only its acknowledgements hold. An id with its message in a lane will not become
// manual.
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

// tidy drops the entries that are over once they are the most, which costs each of them the same on average.
func (s *ids) tidy() {
	const few = 64
	//mutant:manual-tidy
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
