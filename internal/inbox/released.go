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
	wakes  time.Duration // time of the next attempt
	note   any           // Verdict.Note of the last attempt
	alone  bool          // it was detached, so it does not hold up its lane
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

// begin makes l ready for its first message. If that was released during a backoff, the rest of the wait comes first:
// otherwise each redelivery would use up an attempt, although no time has passed.
func (b *Box[M]) begin(l *lane[M]) {
	l.stage = queued
	if it := l.head(); it.attempt > 0 && b.recall(l, it.id) {
		//mutant:released-waits
		if now := b.now(); l.wakes > now {
			b.backOff(l, l.wakes, now)
			return
		}
	}
	b.ready.push(l)
}

// recall restores the state of the first message of l if that is remembered.
func (b *Box[M]) recall(l *lane[M], id string) bool {
	m, ok := b.released[id]
	if ok {
		//mutant:released-recall
		l.stage, l.failed, l.wakes, l.verdict.Note = backingOff, m.failed, m.wakes, m.note
		delete(b.released, id)
	}
	return ok
}
