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
	thinFirst = time.Second // from the first of equal records until a count
	thinEvery = time.Minute // between counts. A kind that is quiet for that long begins anew
	mostKinds = 256         // of records that are told apart: their errors come from the network
	mostEach  = 60          // records that matter each, until they are counted
)

// thinner bounds what is logged. It lets the first of equal records through, then one with their number after a second,
// and then one a minute. Its timer exists only while there are some to be told of. Its methods are safe for concurrent
// use and never block.
type thinner struct {
	emit func(slog.Record)

	mu     sync.Mutex
	kinds  map[string]*thinned
	timer  *time.Timer // nil: no record waits
	next   time.Time   // when timer fires
	tidied time.Time   // when kinds were forgotten last for want of room
	closed bool
}

// thinned are equal records.
type thinned struct {
	told time.Time     // when one was let through last
	wait time.Duration // from then until the next one
	left int           // that are let through at once
	more int           // since told
	last slog.Record
}

// add lets a record through, or keeps it. One with a stack goes through: it is the only one that has it.
func (t *thinner) add(r slog.Record, stack bool) {
	if t.passes(kindOf(r), r, 1, stack) {
		t.emit(r)
	}
}

// addEach is add for records that matter each: with one text, the first 60 go through.
func (t *thinner) addEach(r slog.Record, stack bool) {
	//mutant:thin-each
	if t.passes(r.Message, r, mostEach, stack) {
		t.emit(r)
	}
}

// passes reports whether a record goes through, because few enough of its kind did lately, or because it must. It keeps
// the record otherwise.
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
	t.wake(now, k.told.Add(k.wait))
	return false
}

// kind returns the records that are equal to one. Where there are too many kinds, all of one text count as equal.
func (t *thinner) kind(kind, text string, now time.Time) *thinned {
	if len(t.kinds) >= mostKinds && t.kinds[kind] == nil {
		if now.Sub(t.tidied) >= thinFirst {
			t.tidied = now
			t.forget(now)
		}
		if len(t.kinds) >= mostKinds {
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

// passes reports whether the next one goes through now.
func (k *thinned) passes(now time.Time, most int) bool {
	if k.more == 0 && now.Sub(k.told) >= thinEvery { // told is zero before the first
		k.wait, k.left = thinFirst, most
	}
	if k.left == 0 {
		return false
	}
	k.left--
	k.told = now
	return true
}

// forget drops the kinds that would begin anew.
func (t *thinner) forget(now time.Time) {
	for kind, k := range t.kinds {
		if k.more == 0 && now.Sub(k.told) >= thinEvery {
			delete(t.kinds, kind)
		}
	}
}

// wake makes the timer fire at a time, or earlier.
func (t *thinner) wake(now, at time.Time) {
	if t.timer != nil && !at.Before(t.next) {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	t.next, t.timer = at, time.AfterFunc(max(at.Sub(now), 0), t.tick)
}

// tick tells of the records that were kept for long enough.
func (t *thinner) tick() {
	for _, r := range t.due(false) {
		t.emit(r)
	}
}

// close tells of all that were kept, and keeps none any more.
func (t *thinner) close() {
	for _, r := range t.due(true) {
		t.emit(r)
	}
}

// due takes the records that were kept for long enough or, at the end, for any time.
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
		switch at := k.told.Add(k.wait); {
		case k.more == 0:
		case end || !at.After(now):
			k.last.AddAttrs(slog.Int("repeated", k.more))
			all = append(all, k.last)
			*k = thinned{told: now, wait: thinEvery}
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

// mostKindText is how much of an error tells its kind, in bytes.
const mostKindText = 500

// varying is what differs between errors of one kind: ids, the port of this side, and where JSON is broken.
var varying = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|:[0-9]+->|message "[^"]*"|byte [0-9]+`)

// kindOf returns what equal warnings have in common: all but the message they are about, and what grows with time.
func kindOf(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "message", "messages", "conversations", "oldest", "retry_in", "stack":
		default:
			text := a.Value.String()
			text = text[:min(len(text), mostKindText)]
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

// mayVary reports whether a text may have what varying finds, which takes longer to say.
func mayVary(text string) bool {
	return strings.Contains(text, "->") || strings.Contains(text, `message "`) || strings.Contains(text, "byte ") ||
		strings.Count(text, "-") >= 4
}
