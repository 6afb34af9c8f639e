package blazetest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// ids maps recorded ids to ids of the client, in both directions.
type ids struct {
	live     map[string]string // by recorded id
	recorded map[string]string // by the client's id
}

func newIDs() *ids { return &ids{live: map[string]string{}, recorded: map[string]string{}} }

// bind maps recorded to live. It returns false if either is mapped to a different id.
func (b *ids) bind(recorded, live string) bool {
	l, known := b.live[recorded]
	r, taken := b.recorded[live]
	if known || taken {
		return l == live && r == recorded
	}
	b.live[recorded], b.recorded[live] = live, recorded
	return true
}

// toLive returns a recorded frame with the ids of the client.
func (b *ids) toLive(frame json.RawMessage) json.RawMessage {
	live, _ := rewrite(frame, maxJSONDepth, func(_, v []byte) []byte {
		var s string
		if v == nil || v[0] != '"' || json.Unmarshal(v, &s) != nil {
			return nil
		}
		live, ok := b.live[s]
		if !ok {
			return nil
		}
		quoted, _ := wire.Marshal(live)
		return quoted
	})
	return live
}

// match returns the path of the first difference between a frame of the client and a recorded frame, or "" if there is
// none. In the latter case it maps their ids.
func (b *ids) match(l *line, a *arrival) string {
	m := matching{ids: b, action: l.out.Action, anyBody: l.Changed}
	if m.same(l.value, a.value) {
		return ""
	}
	for _, recorded := range m.bound {
		delete(b.recorded, b.live[recorded])
		delete(b.live, recorded)
	}
	return strings.TrimPrefix(strings.Join(m.path, ""), ".")
}

// matching is the comparison of two frames.
type matching struct {
	*ids
	action  string
	anyBody bool     // do not compare message bodies
	path    []string // current position or first difference, such as ".params", ".messages", "[0]"
	bound   []string // recorded ids that this comparison has mapped
}

// same compares values, up to the first difference.
func (m *matching) same(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		return ok && m.sameObjects(want, got)
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for i := range want {
			if !m.sameWithin("["+strconv.Itoa(i)+"]", want[i], got[i]) {
				return false
			}
		}
		return true
	case string:
		got, ok := got.(string)
		return ok && m.sameString(want, got)
	}
	return want == got // a number, true, false or null
}

// sameWithin compares two elements or members at path element step.
func (m *matching) sameWithin(step string, want, got any) bool {
	m.path = append(m.path, step)
	if !m.same(want, got) {
		return false
	}
	m.path = m.path[:len(m.path)-1]
	return true
}

func (m *matching) sameObjects(want, got map[string]any) bool {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[name]
		if !ok {
			m.path = append(m.path, "."+name)
			return false
		}
		if !m.sameWithin("."+name, want[name], g) {
			return false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			m.path = append(m.path, "."+name)
			return false
		}
	}
	return true
}

func (m *matching) sameString(want, got string) bool {
	if m.anyBody && m.atBody() {
		return true
	}
	if m.madeUp() {
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

// atBody reports whether the path is that of a message's body.
func (m *matching) atBody() bool {
	last := m.path[len(m.path)-1]
	return last == ".data" || last == ".data_base64"
}

// madeUp reports whether the path is that of an id that clients generate.
func (m *matching) madeUp() bool {
	p := m.path
	switch m.action {
	case wire.ActionCreateMessage:
		if slices.Equal(p, []string{".params", ".message_id"}) {
			return true
		}
	case wire.ActionCreatePlain:
		if len(p) == 4 && p[0] == ".params" && p[1] == ".messages" && p[2][0] == '[' && p[3] == ".message_id" {
			return true
		}
	}
	return slices.Equal(p, []string{".id"})
}
