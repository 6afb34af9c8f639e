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
	thinEvery = time.Minute
	mostKinds = 256 // of warnings that are told apart: their errors come from the network
)

// thinner lets the first of equal warnings through, and then one a minute that tells how many there were. Its timer
// exists only while there are some to be told of. Its methods are safe for concurrent use and never block.
type thinner struct {
	emit func(slog.Record)

	mu     sync.Mutex
	kinds  map[string]*thinned
	timer  *time.Timer // nil: no warning waits
	closed bool
}

// thinned are equal warnings.
type thinned struct {
	told time.Time // when one was let through last
	more int       // since then
	last slog.Record
}

// add lets a record through, or keeps it. One with a stack goes through: it is the only one that has it.
func (t *thinner) add(r slog.Record, stack bool) {
	if t.passes(kindOf(r), r, stack) {
		t.emit(r)
	}
}

// passes reports whether a record goes through, because no equal one did within a minute, or because it must. It keeps
// the record otherwise.
func (t *thinner) passes(kind string, r slog.Record, must bool) bool {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return true
	}
	if len(t.kinds) >= mostKinds && t.kinds[kind] == nil {
		t.forget(now)
		if len(t.kinds) >= mostKinds {
			kind = r.Message // all of one text count as equal
		}
	}
	k := t.kinds[kind]
	//mutant:thin-warnings
	if k == nil || k.more == 0 && now.Sub(k.told) >= thinEvery {
		if t.kinds == nil {
			t.kinds = make(map[string]*thinned)
		}
		t.kinds[kind] = &thinned{told: now}
		return true
	}
	if must {
		return true
	}
	k.more++
	k.last = r
	if t.timer == nil {
		t.timer = time.AfterFunc(max(thinEvery-now.Sub(k.told), 0), t.tick)
	}
	return false
}

// forget drops the kinds that would be let through.
func (t *thinner) forget(now time.Time) {
	for kind, k := range t.kinds {
		if k.more == 0 && now.Sub(k.told) >= thinEvery {
			delete(t.kinds, kind)
		}
	}
}

// tick tells of the warnings that were kept for a minute.
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

// due takes the records of the warnings that were kept, for a minute or, at the end, for any time.
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
	wait := time.Duration(0) // of the next tick
	for _, k := range t.kinds {
		switch age := now.Sub(k.told); {
		case k.more == 0:
		case end || age >= thinEvery:
			k.last.AddAttrs(slog.Int("repeated", k.more))
			all = append(all, k.last)
			*k = thinned{told: now}
		default:
			if left := thinEvery - age; wait == 0 || left < wait {
				wait = left
			}
		}
	}
	if wait > 0 {
		t.timer = time.AfterFunc(wait, t.tick)
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
			//mutant:thin-varying
			text = varying.ReplaceAllString(text[:min(len(text), mostKindText)], "#")
			b.WriteString("\x00" + a.Key + "\x00" + text)
		}
		return true
	})
	return b.String()
}
