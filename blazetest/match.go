package blazetest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// ids says which id of the client stands for which recorded one.
type ids struct {
	live     map[string]string // by the recorded one
	recorded map[string]string // by the client's
}

func newIDs() *ids { return &ids{live: map[string]string{}, recorded: map[string]string{}} }

// bind notes that live stands for recorded. False means that one of them already stands for something else.
func (b *ids) bind(recorded, live string) bool {
	l, known := b.live[recorded]
	r, taken := b.recorded[live]
	if known || taken {
		return l == live && r == recorded
	}
	b.live[recorded], b.recorded[live] = live, recorded
	return true
}

// toLive returns a recorded frame with the client's ids in it.
func (b *ids) toLive(frame json.RawMessage) json.RawMessage {
	return rewrite(frame, "", func(_ string, v json.RawMessage) json.RawMessage {
		var s string
		if v[0] != '"' || json.Unmarshal(v, &s) != nil {
			return nil
		}
		live, ok := b.live[s]
		if !ok {
			return nil
		}
		quoted, _ := wire.Marshal(live)
		return quoted
	})
}

// match reports where a frame of the client differs from the recorded one: "" means nowhere, and its ids are then bound.
func (b *ids) match(l *line, a *arrival) string {
	m := matching{ids: b, action: l.out.Action}
	diff := m.compare(l.value, a.value, "")
	if diff != "" {
		for _, recorded := range m.bound {
			delete(b.recorded, b.live[recorded])
			delete(b.live, recorded)
		}
	}
	return diff
}

// matching compares one frame with another one.
type matching struct {
	*ids
	action string
	bound  []string // recorded ids that this comparison has bound
}

// compare returns the path of the first difference.
func (m *matching) compare(want, got any, path string) string {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			return m.compareObjects(want, got, path)
		}
		return path
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return path
		}
		for i := range want {
			if diff := m.compare(want[i], got[i], path+"["+strconv.Itoa(i)+"]"); diff != "" {
				return diff
			}
		}
		return ""
	case string:
		if got, ok := got.(string); ok && m.sameString(want, got, path) {
			return ""
		}
		return path
	}
	if want == got { // a number, true, false or null
		return ""
	}
	return path
}

func (m *matching) compareObjects(want, got map[string]any, path string) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		inner := strings.TrimPrefix(path+"."+name, ".")
		g, ok := got[name]
		if !ok {
			return inner
		}
		if diff := m.compare(want[name], g, inner); diff != "" {
			return diff
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			return strings.TrimPrefix(path+"."+name, ".")
		}
	}
	return ""
}

func (m *matching) sameString(want, got, path string) bool {
	if m.madeUp(path) {
		_, known := m.live[want]
		ok := m.bind(want, got)
		if ok && !known {
			m.bound = append(m.bound, want)
		}
		return ok
	}
	if recorded, ok := m.recorded[got]; ok {
		got = recorded
	}
	return got == want
}

// madeUp reports whether clients make up the id at this path.
func (m *matching) madeUp(path string) bool {
	switch m.action {
	case wire.ActionCreateMessage:
		if path == "params.message_id" {
			return true
		}
	case wire.ActionCreatePlain:
		if strings.HasPrefix(path, "params.messages[") && strings.HasSuffix(path, "].message_id") {
			return true
		}
	}
	return path == "id"
}
