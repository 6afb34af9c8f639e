package inbox

import (
	"strings"
	"time"
)

// mostAway bounds the messages that are remembered after they gave way.
const mostAway = 4 * mostClosed

// memory is what is remembered of a message that failed and gave way, until the server pushes it again.
type memory struct {
	tried  int32         // attempts
	failed time.Duration // when the first one failed
	note   any           // Verdict.Note of the last one
}

// away remembers messages by id. Their ids are not held. A message that never comes again, because another process has
// acknowledged it, stays until there are too many.
type away map[string]memory

// add remembers a message. Beyond mostAway, any other one is forgotten: it is tried as if it were new. The id is
// copied: it may be a small part of a large message.
func (a away) add(id string, m memory) {
	for other := range a {
		//mutant:away-bound
		if len(a) < mostAway {
			break
		}
		delete(a, other)
	}
	a[strings.Clone(id)] = m
}
