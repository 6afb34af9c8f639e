package inbox

import (
	"strings"
	"time"
)

// maxReleased bounds the remembered messages that were released.
const maxReleased = 4 * maxClosed

// memory is the state of a failed message that was released, kept until the server redelivers it.
type memory struct {
	tried  int32         // attempts
	failed time.Duration // time of the first failure
	note   any           // Verdict.Note of the last attempt
}

// released remembers released messages by id. Their ids are not in flight. A message that is never redelivered, because
// another process has acknowledged it, stays until it is evicted.
type released map[string]memory

// add remembers a message. Beyond maxReleased it evicts any other one, which then counts as new. The id is copied,
// because it may be a small part of a large message.
func (a released) add(id string, m memory) {
	for other := range a {
		//mutant:released-bound
		if len(a) < maxReleased {
			break
		}
		delete(a, other)
	}
	a[strings.Clone(id)] = m
}
