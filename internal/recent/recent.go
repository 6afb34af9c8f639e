// Package recent remembers the last ids it was told.
package recent

import (
	"slices"
	"strings"
)

// chunkBytes is how many bytes of ids share a piece of memory.
const chunkBytes = 2 << 10

// Set holds at most Limit ids and forgets the oldest. The zero Set holds none. It is not safe for concurrent use, and not to be
// copied once it was used.
type Set struct {
	Limit int
	ids   map[string]struct{}
	order []string // from the oldest, which is at first
	first int
	chunk strings.Builder
}

// Has reports whether id is remembered.
func (s *Set) Has(id string) bool {
	_, ok := s.ids[id]
	return ok
}

// Add remembers id, not the memory it is part of. An id that is here already keeps its age.
func (s *Set) Add(id string) {
	if s.ids == nil {
		s.ids = make(map[string]struct{})
	}
	id = s.clone(id)
	n := len(s.ids)
	if s.ids[id] = struct{}{}; len(s.ids) == n {
		return
	}
	if len(s.order) == cap(s.order) && s.first > len(s.order)/2 {
		n := copy(s.order, s.order[s.first:])
		clear(s.order[n:])
		s.order, s.first = s.order[:n], 0
	}
	s.order = append(s.order, id)
	for len(s.ids) > s.Limit {
		delete(s.ids, s.order[s.first])
		s.pop()
	}
}

// clone copies id. Ids are forgotten in about the order in which they came, so that those of one piece of memory go together.
func (s *Set) clone(id string) string {
	if s.chunk.Cap()-s.chunk.Len() < len(id) {
		s.chunk = strings.Builder{}
		s.chunk.Grow(max(chunkBytes, len(id)))
	}
	start := s.chunk.Len()
	_, _ = s.chunk.WriteString(id)
	return s.chunk.String()[start:]
}

// pop takes the oldest off.
func (s *Set) pop() {
	s.order[s.first] = ""
	s.first++
}

// Remove forgets id.
func (s *Set) Remove(id string) {
	if !s.Has(id) {
		return
	}
	delete(s.ids, id)
	// Ids leave in about the order in which they came, so the search is short.
	if i := slices.Index(s.order[s.first:], id); i > 0 {
		s.order = slices.Delete(s.order, s.first+i, s.first+i+1)
	} else {
		s.pop()
	}
}

// Len returns how many ids are remembered.
func (s *Set) Len() int { return len(s.ids) }
