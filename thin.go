package blaze

import (
	"cmp"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of a thinner.
const (
	thinFirst = time.Second // from the first of equal records to a count
	thinEvery = time.Minute // between counts, and time without records after which a kind starts again
	maxKinds  = 256         // kinds of records that are told apart: their errors come from the network
	maxEach   = 60          // records of addEach with the same message that are logged before they are counted
)

// thinner limits repeated log records. The first of equal records is logged, then one with their number after a second,
// and then one a minute. Its timer exists only while records are held back. Its methods are safe for concurrent use and
// never block.
type thinner struct {
	emit func(slog.Record)

	mu     sync.Mutex
	kinds  map[string]*thinned
	timer  *time.Timer // nil: no record is held back
	next   time.Time   // when the timer fires
	tidied time.Time   // last time that kinds were removed to make space
	closed bool
}

// thinned is the state of equal records.
type thinned struct {
	logged time.Time     // when one was last logged
	wait   time.Duration // time from then to the next one
	left   int           // number that may be logged at once
	more   int           // number held back since then
	last   slog.Record
}

// add logs a record or holds it back. A record with a stack is always logged, because no other has that stack.
func (t *thinner) add(r slog.Record, stack bool) {
	if t.passes(kindOf(r), r, 1, stack) {
		t.emit(r)
	}
}

// addEach is like add, but logs the first maxEach records with the same message.
func (t *thinner) addEach(r slog.Record, stack bool) {
	//mutant:thin-each
	if t.passes(r.Message, r, maxEach, stack) {
		t.emit(r)
	}
}

// passes reports whether a record is logged now: must is set, or its kind is below its limit. Otherwise the record is
// held back.
func (t *thinner) passes(kind string, r slog.Record, most int, must bool) bool {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return true
	}
	k := t.kind(kind, r.Message, now)
	//mutant:thin-warnings
	if k.passes(now, most) || must {
		return true
	}
	k.more++
	k.last = r
	t.wake(now, k.logged.Add(k.wait))
	return false
}

// kind returns the state of a record's kind. If there are too many kinds, records with the same message share one.
func (t *thinner) kind(kind, text string, now time.Time) *thinned {
	if len(t.kinds) >= maxKinds && t.kinds[kind] == nil {
		if now.Sub(t.tidied) >= thinFirst {
			t.tidied = now
			t.forget(now)
		}
		if len(t.kinds) >= maxKinds {
			kind = text
		}
	}
	k := t.kinds[kind]
	if k == nil {
		if t.kinds == nil {
			t.kinds = make(map[string]*thinned)
		}
		k = new(thinned)
		t.kinds[kind] = k
	}
	return k
}

// passes reports whether the next record is logged now.
func (k *thinned) passes(now time.Time, most int) bool {
	if k.more == 0 && now.Sub(k.logged) >= thinEvery { // logged is zero before the first
		k.wait, k.left = thinFirst, most
	}
	if k.left == 0 {
		return false
	}
	k.left--
	k.logged = now
	return true
}

// forget removes the kinds that would start again.
func (t *thinner) forget(now time.Time) {
	for kind, k := range t.kinds {
		if k.more == 0 && now.Sub(k.logged) >= thinEvery {
			delete(t.kinds, kind)
		}
	}
}

// wake sets the timer to a time, or leaves it if it fires earlier.
func (t *thinner) wake(now, at time.Time) {
	if t.timer != nil && !at.Before(t.next) {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	t.next, t.timer = at, time.AfterFunc(max(at.Sub(now), 0), t.tick)
}

// tick logs the records that are due.
func (t *thinner) tick() {
	for _, r := range t.due(false) {
		t.emit(r)
	}
}

// close logs all records held back and stops the thinner.
func (t *thinner) close() {
	for _, r := range t.due(true) {
		t.emit(r)
	}
}

// due removes and returns the records that are due, or all of them at the end.
func (t *thinner) due(end bool) []slog.Record {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = t.closed || end
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	var all []slog.Record
	for _, k := range t.kinds {
		switch at := k.logged.Add(k.wait); {
		case k.more == 0:
		case end || !at.After(now):
			k.last.AddAttrs(slog.Int("repeated", k.more))
			all = append(all, k.last)
			*k = thinned{logged: now, wait: thinEvery}
		default:
			t.wake(now, at)
		}
	}
	t.forget(now)
	slices.SortFunc(all, func(a, b slog.Record) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Message, b.Message))
	})
	return all
}

// maxKindText is the number of bytes of an error that belong to its kind.
const maxKindText = 500

// varying matches the parts in which errors of one kind differ: ids, the local port, and positions in JSON.
var varying = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|:[0-9]+->|message "[^"]*"|byte [0-9]+`)

// kindOf returns the part that equal warnings share: all except the message concerned and growing numbers.
func kindOf(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "message", "messages", "conversations", "oldest", "retry_in", "stack":
		default:
			text := a.Value.String()
			text = text[:min(len(text), maxKindText)]
			//mutant:thin-varying
			if mayVary(text) {
				text = varying.ReplaceAllString(text, "#")
			}
			b.WriteString("\x00" + a.Key + "\x00" + text)
		}
		return true
	})
	return b.String()
}

// mayVary is a fast check for text without a match of varying.
func mayVary(text string) bool {
	return strings.Contains(text, "->") || strings.Contains(text, `message "`) || strings.Contains(text, "byte ") ||
		strings.Count(text, "-") >= 4
}
