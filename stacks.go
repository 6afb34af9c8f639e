package blaze

import (
	"bytes"
	"hash/maphash"
	"sync"
)

// mostStacks is how many different stacks are logged.
const mostStacks = 100

// stacks are the stacks of panics that were logged. Its methods are safe for concurrent use.
type stacks struct {
	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]bool
}

// first reports whether a stack is to be logged: none of the same lines of code was, nor mostStacks others.
func (s *stacks) first(stack []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seed, s.seen = maphash.MakeSeed(), make(map[uint64]bool)
	}
	sum := s.sum(stack)
	//mutant:stack-once
	if s.seen[sum] || len(s.seen) >= mostStacks {
		return false
	}
	s.seen[sum] = true
	return true
}

// guardedCall is the function below those of the user in a stack.
const guardedCall = "github.com/mixin-blaze/blaze/internal/guard.Call("

// comparedPlaces is how many lines of code of a stack are compared. The end of a long stack is cut off, and where
// differs each time.
const comparedPlaces = 16

// sum is that of the user's lines of code in a stack, the innermost first. The rest differs each time: the goroutine,
// the arguments, and which of this package's functions called.
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
			_, _ = h.Write(place) // which never fails
			if places++; places == comparedPlaces {
				break
			}
		}
	}
	return h.Sum64()
}
