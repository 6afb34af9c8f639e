// Package recent stores the most recent ids.
package recent

import (
	"crypto/sha256"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/fifo"
)

// Set contains at most Limit ids and removes the oldest. The zero Set is empty, with a Limit of 0. It is not safe for
// concurrent use, and must not be copied after its first use.
type Set struct {
	Limit int
	ids   map[key]struct{}
	order fifo.Queue[key] // oldest first
}

// key stands for an id: the bytes of a UUID, as all ids of the service are, or the beginning of a hash. It needs half
// the memory of the text, and does not refer to the text that the id is a part of.
type key [16]byte

// canonical is the length of a UUID as text.
const canonical = 36

// keyOf returns different keys for different ids, even if only their case differs.
func keyOf(id string) key {
	if len(id) == canonical && strings.ToLower(id) == id {
		if u, err := uuid.FromString(id); err == nil {
			return key(u)
		}
	}
	sum := sha256.Sum256([]byte(id))
	return key(sum[:len(key{})])
}

// Has reports whether id is in the set.
func (s *Set) Has(id string) bool {
	if len(s.ids) == 0 {
		return false
	}
	_, ok := s.ids[keyOf(id)]
	return ok
}

// Add adds id. An id that is in the set already keeps its age.
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

// Len returns the number of ids.
func (s *Set) Len() int { return len(s.ids) }
