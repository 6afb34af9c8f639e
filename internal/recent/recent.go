// Package recent remembers the last ids it was told.
package recent

import (
	"crypto/sha256"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// Set holds at most Limit ids and forgets the oldest. The zero Set holds none. It is not safe for concurrent use, and
// not to be copied once it was used.
type Set struct {
	Limit int
	ids   map[key]struct{}
	order fifo.Queue[key] // from the oldest
}

// key is what is kept of an id: the bytes of a UUID, as all ids of the service are, or the beginning of a hash. It
// takes half the memory, and nothing has to be copied that the id is a part of.
type key [16]byte

// canonical is the length of a UUID as text.
const canonical = 36

// keyOf returns different keys for different ids, also where only the case differs.
func keyOf(id string) key {
	if len(id) == canonical && strings.ToLower(id) == id {
		if u, err := uuid.FromString(id); err == nil {
			return key(u)
		}
	}
	sum := sha256.Sum256([]byte(id))
	return key(sum[:len(key{})])
}

// Has reports whether id is remembered.
func (s *Set) Has(id string) bool {
	if len(s.ids) == 0 {
		return false
	}
	_, ok := s.ids[keyOf(id)]
	return ok
}

// Add remembers id. One that is here already keeps its age.
func (s *Set) Add(id string) {
	if s.ids == nil {
		s.ids = make(map[key]struct{})
	}
	k, n := keyOf(id), len(s.ids)
	if s.ids[k] = struct{}{}; len(s.ids) == n {
		return
	}
	s.order.Push(k)
	for len(s.ids) > s.Limit {
		delete(s.ids, s.order.Pop())
	}
}

// Len returns how many ids are remembered.
func (s *Set) Len() int { return len(s.ids) }
