// Package recent remembers the last ids it was told.
package recent

import "slices"

// Set holds at most Limit ids and forgets the oldest. The zero Set holds none. It is not safe for concurrent use.
type Set struct {
	Limit int
	ids   map[string]struct{}
	order []string // from the oldest
}

// Has reports whether id is remembered.
func (s *Set) Has(id string) bool {
	_, ok := s.ids[id]
	return ok
}

// Add remembers id. An id that is here already keeps its age.
func (s *Set) Add(id string) {
	if s.Has(id) {
		return
	}
	if s.ids == nil {
		s.ids = make(map[string]struct{})
	}
	s.ids[id] = struct{}{}
	s.order = append(s.order, id)
	for len(s.ids) > s.Limit {
		delete(s.ids, s.order[0])
		s.order = s.order[1:]
	}
}

// Remove forgets id.
func (s *Set) Remove(id string) {
	if !s.Has(id) {
		return
	}
	delete(s.ids, id)
	// Ids leave in about the order in which they came, so the search is short.
	if i := slices.Index(s.order, id); i > 0 {
		s.order = slices.Delete(s.order, i, i+1)
	} else {
		s.order = s.order[1:]
	}
}

// Len returns how many ids are remembered.
func (s *Set) Len() int { return len(s.ids) }
