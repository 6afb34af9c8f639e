package blazetest_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gofrs/uuid/v5"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// recordOf returns the line that Recorder writes for a frame.
func recordOf(frame string) string {
	var w strings.Builder
	blazetest.Recorder(&w, nil).FrameRead([]byte(frame))
	return w.String()
}

// nested returns a frame with n nested objects and arrays.
func nested(n int) string {
	return strings.Repeat(`{"a":[`, n/2) + strings.Repeat(`]}`, n/2)
}

// Cleaning allocates at most 64 bytes per byte of a frame: the copy, the line, buffers while they grow, and an id for
// each session. With the race detector encoding/json reuses fewer of its buffers.
func TestRecorderOfHostileFrames(t *testing.T) {
	const size = 1 << 18
	many := func(element string) string {
		return `{"a":[` + strings.Repeat(element+",", size/len(element)) + `0]}`
	}
	for name, frame := range map[string]string{
		"deep":           nested(2 * (size / 8)),
		"1,100 bytes":    nested(274),
		"wide":           many("0"),
		"objects":        many("{}"),
		"fields":         many(`{"b":1}`),
		"secrets":        many(`{"key":1}`),
		"escaped names":  many(`{"\u006bey":1}`),
		"sessions":       many(`{"session_id":"a"}`),
		"array of ids":   `{"session_id":[` + strings.Repeat(`"a",`, size/4) + `""]}`,
		"a secret list":  `{"pin":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`,
		"one long text":  `{"a":"` + strings.Repeat(`\u0061`, size/6) + `"}`,
		"a long name":    `{"` + strings.Repeat(`\u0061`, size/6) + `":[{},{},{}]}`,
		"as deep as can": nested(100),
	} {
		t.Run(name, func(t *testing.T) {
			var line string
			// Compressing the replacement of a broken frame takes a megabyte.
			require.Less(t, gauge.Allocated(func() { line = recordOf(frame) }), 2<<20+64*int64(len(frame)))
			require.LessOrEqual(t, len(line), 6*len(frame)+200)
			require.True(t, json.Valid([]byte(line)))
			require.Equal(t, name == "deep" || name == "1,100 bytes", strings.Contains(line, `"raw":"`))
		})
	}
	require.Contains(t, recordOf(nested(100)), nested(100))
	require.Contains(t, recordOf(nested(102)), `"raw":"`)
}

func TestRecorderOfOddNames(t *testing.T) {
	for frame, want := range map[string]string{
		`{"pi\u006e":"s"}`:                  `{"pi\u006e":""}`,
		`{"PIN" : [ "s" , {"x":"s"} ] }`:    `{"PIN":""}`,
		`{"pin":"s\"}\\","a":" [ "}`:        `{"pin":"","a":" [ "}`,
		`{"pin":{"x":"]}\"s"},"b":1.0E+2}`:  `{"pin":"","b":1.0E+2}`,
		`{"session_id":["s"]}`:              `{"session_id":""}`,
		`{"session_id":null,"": -1 }`:       `{"session_id":null,"":-1}`,
		`{"a":[true , false,null,[ ],{ }]}`: `{"a":[true,false,null,[],{}]}`,
	} {
		require.Contains(t, recordOf(frame), `"frame":`+want+"}\n", frame)
	}
}

// A replay compares deep and wide frames with memory in proportion to their size.
func TestReplayOfHostileFrames(t *testing.T) {
	name := strings.Repeat("n", 1<<16)
	for _, params := range []string{
		nested(9000),
		`{"` + name + `":[` + strings.Repeat(`"a",`, 1<<12) + `"a"]}`,
		`{"a":[` + strings.Repeat(`{},`, 1<<14) + `{}]}`,
	} {
		frame := func(id string) string { return `{"id":"` + id + `","action":"X","params":` + params + `}` }
		recording := out(frame(list)) + in(frame(list))
		synctest.Test(t, func(t *testing.T) {
			s, _ := newServer(t)
			ended := make(chan error, 1)
			limit := int64(300*len(frame(list)) + 8<<20)
			require.Less(t, gauge.Allocated(func() {
				go func() { ended <- s.Replay(strings.NewReader(recording)) }()
				synctest.Wait()
				c := connect(t, s)
				id := c.write("X", json.RawMessage(params))
				f := c.read()
				require.Equal(t, id, f.ID)
				require.NoError(t, <-ended)
			}), limit)
		})
	}
}

func TestReplayNamesTheDifference(t *testing.T) {
	for i, c := range []struct{ recorded, written, at string }{
		{`{"a":{"b":[0,{"c":1}]}}`, `{"a":{"b":[0,{"c":2}]}}`, "params.a.b[1].c"},
		{`{"a":[1]}`, `{"a":[1,2]}`, "params.a"},
		{`{"a":1}`, `{"a":1,"z":0}`, "params.z"},
		{`{"a":1,"b":2}`, `{"a":1}`, "params.b"},
		{`{"a":{}}`, `{"a":[]}`, "params.a"},
	} {
		recording := out(`{"id":"` + list + `","action":"X","params":` + c.recorded + `}`)
		err := play(t, recording, func(t *testing.T, s *blazetest.Server) {
			connect(t, s).write("X", json.RawMessage(c.written))
		})
		require.ErrorContains(t, err, "differs in "+c.at+":", strconv.Itoa(i))
	}
}

// cleaned returns the expected recording of a value that encoding/json has decoded. Sessions are replaced with true.
func cleaned(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = cleaned(v[i])
		}
	case map[string]any:
		for name, value := range v {
			v[name] = cleaned(value)
			switch s, text := value.(string); strings.ToLower(name) {
			case "key", "digest", "pin", "pin_base64", "pin_token", "token", "access_token", "authorization", "secret",
				"client_secret", "seed", "password", "private_key", "session_private_key", "session_key", "spend_key",
				"spend_private_key":
				v[name] = ""
			case "session_id":
				switch value.(type) {
				case []any, map[string]any:
					v[name] = ""
				}
				if text && s != "" {
					v[name] = true
				}
			}
		}
	}
	return v
}

func depth(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			n = max(n, depth(inner))
		}
		return n + 1
	case map[string]any:
		for _, inner := range v {
			n = max(n, depth(inner))
		}
		return n + 1
	}
	return 0
}

func decoded(t *testing.T, p []byte) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(p))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v))
	return v
}

// A recorded frame equals the frame except for its secrets.
func FuzzRecorder(f *testing.F) {
	for _, frame := range []string{
		`{"b":1.50,"a":{"Key":"s","list":[{"pin":123456},{"token":["s"]}]},"session_id":"` + id1 + `"}`,
		`{`, `[]`, `"x"`, ` {}`,
		`{"pi\u006e":"s","a":[true , false,null,[ ],{ }]}`, `{"session_id":["s"],"":-1e+5}`, nested(100), nested(102),
		`{"a":"\\\""}`,
		`{"sessions":[{"session_id":"` + id1 + `"},{"session_id":""},{"session_id":{}}],"t":"<&>\u2028"}`,
	} {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var got struct {
			Frame json.RawMessage
			Raw   []byte
		}
		line := recordOf(string(frame))
		require.LessOrEqual(t, len(line), 6*len(frame)+200)
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		if !json.Valid(frame) || frame[0] != '{' || depth(decoded(t, frame)) > 100 {
			if got.Frame != nil { // a secret is replaced at any depth
				require.LessOrEqual(t, depth(decoded(t, got.Frame)), 100)
				require.True(t, json.Valid(frame) && frame[0] == '{')
				return
			}
			require.NotEmpty(t, got.Raw)
			return
		}
		require.Equal(t, cleaned(decoded(t, frame)), sessionsOf(decoded(t, got.Frame)))
	})
}

// sessionsOf replaces each UUID of a session with true.
func sessionsOf(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = sessionsOf(v[i])
		}
	case map[string]any:
		for name, value := range v {
			v[name] = sessionsOf(value)
			if s, _ := value.(string); strings.ToLower(name) == "session_id" && s != "" {
				v[name] = uuid.FromStringOrNil(s).Version() == 5
			}
		}
	}
	return v
}
