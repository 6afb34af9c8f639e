package lenient_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/lenient"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a"`: "a", `""`: "", `"A\n"`: "A\n", `5`: "5", `-0.10`: "-0.10", "\t1E+2\n": "1E+2", "\n\"x\"": "x",
	} {
		got, ok := lenient.Text([]byte(in))
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{``, ` `, `null`, `true`, `{}`, `["a"]`} {
		got, ok := lenient.Text([]byte(in))
		assert.False(t, ok, in)
		assert.Empty(t, got, in)
	}
}

func TestInt(t *testing.T) {
	const least, most = -10, 1000
	for in, want := range map[string]int64{
		`7`: 7, `-7`: -7, `"7"`: 7, `" 7 "`: 7, `"+7"`: 7, `"007"`: 7,
		`7.0`: 7, `7.4`: 7, `7.5`: 8, `-7.5`: -8, `7e2`: 700, `"7E2"`: 700,
		`1e-400`: 0, `1001`: 1000, `-11`: -10, `1e400`: 1000, `-1e400`: -10,
		`9223372036854775808`: 1000, `99999999999999999999999`: 1000,
		`"-99999999999999999999999"`: -10, `9.3e18`: 1000,
	} {
		got, ok := lenient.Int([]byte(in), least, most)
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		``, `null`, `true`, `{}`, `[7]`, `""`, `"x"`, `"0x7"`, `"7_0"`, `"Inf"`, `"-Inf"`, `"NaN"`, `"1p3"`, `"0x1p3"`,
		`"7 7"`, `"-"`, `"٣"`,
	} {
		got, ok := lenient.Int([]byte(in), least, most)
		assert.False(t, ok, in)
		assert.Zero(t, got, in)
		got, _ = lenient.Int([]byte(in), 5, most)
		assert.EqualValues(t, 5, got, in)
	}
	for in, want := range map[string]int64{
		`9223372036854775807`: math.MaxInt64, `9223372036854775807.5`: math.MaxInt64,
		`-9.3e18`: math.MinInt64, `1e17`: 1e17,
		`9007199254740993`: 9007199254740993, // not exact in a float64
	} {
		got, _ := lenient.Int([]byte(in), math.MinInt64, math.MaxInt64)
		assert.Equal(t, want, got, in)
	}
}

func TestFloat(t *testing.T) {
	for in, want := range map[string]float64{
		`0`: 0, `-12.5`: -12.5, `"12.5"`: 12.5, `1e2`: 100, `1e999`: math.MaxFloat64, `-1e999`: -math.MaxFloat64,
	} {
		got, ok := lenient.Float([]byte(in))
		assert.True(t, ok, in)
		assert.InDelta(t, want, got, 0, in)
	}
	for _, in := range []string{``, `null`, `"east"`, `{}`, `"Infinity"`, `"0x1p3"`} {
		got, ok := lenient.Float([]byte(in))
		assert.False(t, ok, in)
		assert.Zero(t, got, in)
	}
}

func TestBool(t *testing.T) {
	for in, want := range map[string][2]bool{ // the value and ok
		`true`: {true, true}, "\tfalse\n": {false, true}, `"true"`: {true, true}, `"False"`: {false, true},
		`null`: {}, `1`: {}, `"yes"`: {}, `{}`: {}, ``: {},
	} {
		got, ok := lenient.Bool([]byte(in))
		assert.Equal(t, want, [2]bool{got, ok}, in)
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2024, 2, 29, 10, 1, 32, 387507000, time.UTC)
	for _, in := range []string{
		"2024-02-29T10:01:32.387507Z", "2024-02-29T18:01:32.387507+08:00", "2024-02-29T10:01:32.387507",
		"2024-02-29 10:01:32.387507", "2024-02-29 05:01:32.387507-05:00", "2024-02-29T03:01:32.387507-0700",
		"2024-02-29 15:46:32.387507+0545",
	} {
		got, ok := lenient.Time(in)
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "now", "2024-02-29", "2023-02-29T10:01:32Z", "1709200892", "10:01", "2024-02-29T10:01:32-07000",
	} {
		got, ok := lenient.Time(in)
		assert.False(t, ok, in)
		assert.True(t, got.IsZero(), in)
	}
}

// An invalid value changes nothing.
func TestFields(t *testing.T) {
	type object struct {
		S lenient.String
		N lenient.Number
		F lenient.Flag
	}
	for in, want := range map[string]object{
		`{"s":"a","n":"7.5","f":"true"}`:                 {"a", 8, true},
		`{"s":"a","s":null,"n":7,"n":{},"f":true,"f":5}`: {"a", 7, true},
		`{"s":{},"n":"x","f":[]}`:                        {},
	} {
		var got object
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	var list lenient.List[int]
	require.NoError(t, json.Unmarshal([]byte(`[1,"2",null,3.5,4]`), &list))
	assert.Equal(t, lenient.List[int]{All: []int{1, 4}, Odd: true}, list)
	require.NoError(t, json.Unmarshal([]byte(`[1]`), &list))
	assert.Equal(t, lenient.List[int]{All: []int{1}}, list)
	require.NoError(t, json.Unmarshal([]byte(`null`), &list))
	assert.Equal(t, lenient.List[int]{}, list)
	require.Error(t, json.Unmarshal([]byte(`{"0":1}`), &list))
}

func FuzzInt(f *testing.F) {
	for _, s := range []string{`1`, `"1.5"`, `1e999`, `-`, `"`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, _ := lenient.Int(raw, -3, 3)
		if n < -3 || n > 3 {
			t.Fatal(n)
		}
		if x, _ := lenient.Float(raw); math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatal(x)
		}
	})
}
