// Package recent stores the most recent ids.
package recent

import (
	"crypto/sha256"
	"hash/maphash"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// Set contains at most Limit ids and removes the oldest. The zero Set is empty, with a Limit of 0. An id needs 24 to 32
// bytes of memory, and less than twice that while the Set grows. A Set is not safe for concurrent use, and must not be
// copied or get another Limit after its first use.
type Set struct {
	Limit int
	keys  []key // in order of age; from Limit keys on a ring
	first int   // the index of the oldest key
	// index is a hash table with linear probing: indices of keys plus one, or 0. Its length is a power of two, and at
	// most half of it is used. A map of keys would need twice the memory.
	index []uint32
	seed  maphash.Seed // random, so that nobody can choose ids with equal hashes
}

// key stands for an id: the bytes of a UUID, as all ids of the service are, or the beginning of a hash. It needs half
// the memory of the text, and does not refer to the text that the id is a part of.
type key [16]byte

// canonical is the length of a UUID as text.
const canonical = 36

// keyOf returns different keys for different ids, even if only their case differs. Two ids with equal keys can be
// chosen, if one of them is not a UUID, but only by somebody who chooses both.
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
	if len(s.keys) == 0 {
		return false
	}
	return s.index[s.find(keyOf(id))] > 0
}

// Add adds id. An id that is in the set already keeps its age.
func (s *Set) Add(id string) {
	k, at := keyOf(id), len(s.keys)
	if s.Limit <= 0 || at > 0 && s.index[s.find(k)] > 0 {
		return
	}
	if at < s.Limit {
		s.grow()
		s.keys = append(s.keys, k)
	} else {
		at = s.first
		s.remove(s.keys[at])
		s.keys[at] = k
		s.first = (at + 1) % s.Limit
	}
	s.index[s.find(k)] = uint32(at + 1) //nolint:gosec // G115: 2^32 keys do not fit into memory
}

// Len returns the number of ids.
func (s *Set) Len() int { return len(s.keys) }

// home returns the slot of the index at which the search for k begins.
func (s *Set) home(k key) int {
	return int(maphash.Bytes(s.seed, k[:]) & uint64(len(s.index)-1)) //nolint:gosec // G115: less than len(s.index)
}

// find returns the slot of k, or the free slot where it belongs.
func (s *Set) find(k key) int {
	slot := s.home(k)
	for s.index[slot] > 0 && s.keys[s.index[slot]-1] != k {
		slot = (slot + 1) & (len(s.index) - 1)
	}
	return slot
}

// grow makes capacity for one more key.
func (s *Set) grow() {
	const least = 8
	n := len(s.keys)
	if n == cap(s.keys) {
		s.keys = append(make([]key, 0, min(max(2*n, least), s.Limit)), s.keys...)
	}
	if 2*n < len(s.index) {
		return
	}
	if s.index == nil {
		s.seed = maphash.MakeSeed()
	}
	s.index = make([]uint32, max(2*len(s.index), 2*least))
	for i, k := range s.keys {
		s.index[s.find(k)] = uint32(i + 1)
	}
}

// remove removes k, which is in the index, and moves the entries behind it that a search would not find any more.
func (s *Set) remove(k key) {
	mask := len(s.index) - 1
	free := s.find(k)
	for slot := (free + 1) & mask; s.index[slot] > 0; slot = (slot + 1) & mask {
		home := s.home(s.keys[s.index[slot]-1])
		if (slot-home)&mask >= (slot-free)&mask {
			s.index[free], free = s.index[slot], slot
		}
	}
	s.index[free] = 0
}
