package blaze

import (
	"bytes"
	"hash/maphash"
	"sync"
)

// maxStacks bounds the number of different stacks that are logged.
const maxStacks = 100

// stacks records the logged stacks. Its methods are safe for concurrent use.
type stacks struct {
	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]bool
}

// first reports whether a stack should be logged: it is new, and fewer than maxStacks others were logged.
func (s *stacks) first(stack []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seed, s.seen = maphash.MakeSeed(), make(map[uint64]bool)
	}
	sum := s.sum(stack)
	//mutant:stack-once
	if s.seen[sum] || len(s.seen) >= maxStacks {
		return false
	}
	s.seen[sum] = true
	return true
}

// guardedCall begins the line of a stack that follows the frames of user code.
const guardedCall = "github.com/mixin-blaze/blaze/internal/guard.Call("

// comparedPlaces is the number of stack frames compared. The end of a long stack is cut off at varying places.
const comparedPlaces = 16

// sum hashes the source positions of user code in a stack, innermost first. Goroutine, arguments and the calling
// functions of this package differ each time and are ignored.
func (s *stacks) sum(stack []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	places := 0
	for line := range bytes.Lines(stack) {
		//mutant:stack-user
		if bytes.HasPrefix(line, []byte(guardedCall)) {
			break
		}
		if bytes.HasPrefix(line, []byte("\t")) { // file:line +offset
			place, _, _ := bytes.Cut(line, []byte(" "))
			_, _ = h.Write(place) // never fails
			if places++; places == comparedPlaces {
				break
			}
		}
	}
	return h.Sum64()
}
