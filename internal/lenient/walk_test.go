package lenient_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/lenient"
)

func TestCheck(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat(`[`, n) + strings.Repeat(`]`, n)) }
	require.NoError(t, lenient.Check(nested(lenient.MostDepth)))
	require.ErrorIs(t, lenient.Check(nested(lenient.MostDepth+1)), lenient.ErrDepth)
	require.NoError(t, lenient.Check([]byte(`["`+strings.Repeat(`[\"`, 1000)+`"]`)), "a bracket in a text")
	require.NoError(t,
		lenient.Check([]byte(strings.Repeat(`[`, 9)+strings.Repeat(`{},`, 1000)+`1`+strings.Repeat(`]`, 9))))
	var syntax *json.SyntaxError
	require.ErrorAs(t, lenient.Check([]byte(`[1,`)), &syntax)
	assert.EqualValues(t, 3, syntax.Offset)
}

// Duplicate names are yielded each, not decoded.
func TestMembers(t *testing.T) {
	var got []string
	for name, value := range lenient.Members([]byte(" {\"a\" :\t[1,{\"b\":2}] , \"a\\\"\":\"}\" ,\"a\":-1}")) {
		got = append(got, string(name)+"="+string(value))
	}
	assert.Equal(t, []string{`a=[1,{"b":2}]`, `a\"="}"`, `a=-1`}, got)
	for range lenient.Members([]byte(`["a"]`)) {
		assert.Fail(t, "an array has no members")
	}
	for range lenient.Elements([]byte(`{"a":1}`)) {
		assert.Fail(t, "an object has no elements")
	}
}

var someJSON = []string{
	`[]`, `[1]`, `[ "a" , {"b":[1,2,"]"]} ,null,true,-1.5e3,[[],[{}]] ]`,
	`{}`, `{"a":{"b":"\"}"},"\u0061":[1],"c\\":null}`, `"\ud83d\ude00"`,
	`"\ud83d"`, `"\ud83dx\ude00\u00e9"`, "\"\xff\xc3\"", `"\b\f\n\r\t\/\\\""`,
	`[1,2 , 3]`, `"é"`, `{"":""}`, "\t[\"x\"\n]", `"\uDBFF\uDFFF"`,
}

// FuzzWalk compares Check, Members and Elements with the standard library.
func FuzzWalk(f *testing.F) {
	for _, s := range someJSON {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var elements []json.RawMessage
		var members map[string]json.RawMessage
		var text string
		_ = json.Unmarshal(raw, &elements)
		_ = json.Unmarshal(raw, &members)
		isText := json.Unmarshal(raw, &text) == nil && lenient.Kind(raw) == '"'
		if err := lenient.Check(raw); (err == nil) != json.Valid(raw) {
			if err == nil ||
				bytes.Count(raw, []byte("[")) < lenient.MostDepth && bytes.Count(raw, []byte("{")) < lenient.MostDepth {
				t.Fatal(err)
			}
		}
		var got []json.RawMessage
		for element := range lenient.Elements(raw) {
			got = append(got, element)
		}
		found := make(map[string]json.RawMessage)
		for name, value := range lenient.Members(raw) {
			key, _ := lenient.Text([]byte(`"` + string(name) + `"`))
			found[key] = value
		}
		s, ok := lenient.Text(raw)
		if !json.Valid(raw) {
			return // only a panic would be an error
		}
		if len(elements)+len(got) > 0 {
			assert.Equal(t, elements, got)
		}
		if len(members)+len(found) > 0 && bytes.Count(raw, []byte(`\`)) < 20 &&
			!strings.ContainsRune(string(raw), '\uFFFD') {
			assert.Equal(t, members, found)
		}
		if isText && (ok || strings.Count(text, "\uFFFD") <= 32) {
			assert.True(t, ok)
			assert.Equal(t, text, s)
		}
	})
}

// A text of bytes that are not valid UTF-8 would become three times as long.
func TestTextsThatAreNotUTF8(t *testing.T) {
	s, ok := lenient.Text([]byte(`"` + strings.Repeat("\xff", 32) + `x"`))
	assert.True(t, ok)
	assert.Equal(t, strings.Repeat("\uFFFD", 32)+"x", s)
	s, ok = lenient.Text([]byte(`"` + strings.Repeat("\xff", 33) + `"`))
	assert.False(t, ok)
	assert.Empty(t, s)
}

// A number or a time may be as long as a message. Each of its bytes allocates less than one.
func TestReadingAllocatesLittle(t *testing.T) {
	const long = 1 << 20
	for name, raw := range map[string]string{
		"digits": strings.Repeat("9", long), "text of digits": `"` + strings.Repeat("9", long) + `"`,
		"escapes": `"` + strings.Repeat(`\u0039`, long/6) + `"`,
	} {
		got := gauge.Allocated(func() {
			_, ok := lenient.Int([]byte(raw), 0, 9)
			assert.False(t, ok)
			_, _ = lenient.Float([]byte(raw))
			_, _ = lenient.Time(raw)
		})
		assert.Less(t, got, int64(3*long), name) // two are conversions
	}
}

// oldLayouts are the layouts of valid times.
var oldLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05-0700",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04:05-0700",
}

// FuzzTime compares Time with the layouts, tried in order.
func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2024-02-29T10:01:32.387507Z", "2024-02-29T18:01:32.387507+08:00", "2024-02-29T10:01:32",
		"2024-02-29 10:01:32-0700", "2024-02-29T10:01:32-24:60", "2024-02-29 10:01:32Z", "2024-02-29T10:01:32-25:00",
		"2024-02-29T10:01:32-00:61", "2024-02-29T10:01:32,5+0545", "2024-02-29T9:01:32Z", "2024-02-29T10:01:32-",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := lenient.Time(s)
		if len(s) > 64 {
			return
		}
		for _, layout := range oldLayouts {
			if want, err := time.Parse(layout, s); err == nil {
				if !ok || !got.Equal(want) {
					t.Fatal(s, got, want)
				}
				return
			}
		}
		if ok {
			t.Fatal(s, got)
		}
	})
}
