package wire_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// secret stands for the text of a message. No error may contain it.
const secret = "attack at dawn"

// errorText matches every text of an error about JSON. Of the input, it contains at most the id of the message.
var errorText = regexp.MustCompile(`^(message "(\\.|[^"\\])+": )?wire: (broken JSON at byte \d+|` +
	`JSON field "[a-z_0-9.]*" is not a [A-Za-z0-9.]+|unexpected JSON|` +
	`a frame without id and action|a push without data)$`)

func TestParseFrames(t *testing.T) {
	const id = "89e0bdee-c355-47f2-945a-be48be875606"
	for _, c := range []struct {
		name, in string
		want     wire.Frame
	}{
		{
			"the sample reply to a batch, whose params are a string",
			`{"id": "` + id + `", "action": "CREATE_PLAIN_MESSAGES", "params": "mRm5rm9bkQztvpsaTyz1Rib0BEM0S1FKl"}`,
			wire.Frame{
				ID: id, Action: "CREATE_PLAIN_MESSAGES", Params: json.RawMessage(`"mRm5rm9bkQztvpsaTyz1Rib0BEM0S1FKl"`),
			},
		},
		{
			"a bare reply",
			`{"id":"` + id + `","action":"LIST_PENDING_MESSAGES"}`,
			wire.Frame{ID: id, Action: "LIST_PENDING_MESSAGES"},
		},
		{
			"null data",
			`{"id":"` + id + `","action":"ACKNOWLEDGE_MESSAGE_RECEIPT","data":null}`,
			wire.Frame{ID: id, Action: "ACKNOWLEDGE_MESSAGE_RECEIPT", Data: json.RawMessage("null")},
		},
		{
			"data that is an object, kept as it is written",
			`{"id":"` + id + `","action":"CREATE_MESSAGE","data": {"data" : "aGk=", "n":1e3} }`,
			wire.Frame{ID: id, Action: "CREATE_MESSAGE", Data: json.RawMessage(`{"data" : "aGk=", "n":1e3}`)},
		},
		{
			"data that is an array",
			`{"id":"` + id + `","action":"CONSUME_SESSION_SIGNAL_KEYS","data":[{"a":1},2]}`,
			wire.Frame{ID: id, Action: "CONSUME_SESSION_SIGNAL_KEYS", Data: json.RawMessage(`[{"a":1},2]`)},
		},
		{
			"an error reply",
			`{"id":"` + id + `","action":"CREATE_MESSAGE","error":{"status":202,"code":10002,"description":"invalid",` +
				`"extra":{"field":"data"}}}`,
			wire.Frame{ID: id, Action: "CREATE_MESSAGE", Error: &wire.Error{
				Status: 202, Code: 10002, Description: "invalid", Extra: json.RawMessage(`{"field":"data"}`),
			}},
		},
		{
			"an error without id",
			`{"action":"ERROR","error":{"code":401}}`,
			wire.Frame{Action: "ERROR", Error: &wire.Error{Code: 401}},
		},
		{"an id alone", `{"id":"x"}`, wire.Frame{ID: "x"}},
		{"unknown fields", `{"id":"x","new":{"deep":[[]]},"newer":null}`, wire.Frame{ID: "x"}},
		{
			"nulls everywhere", `{"id":null,"action":"A","params":null,"error":null}`,
			wire.Frame{Action: "A", Params: json.RawMessage("null")},
		},
		{"white space", " \t\r\n{ \"id\" : \"x\" } \n", wire.Frame{ID: "x"}},
		{"escapes", `{"id":"\u0078\/","action":"\ud83d\ude00"}`, wire.Frame{ID: "x/", Action: "😀"}},
		// As the standard library reads ambiguous objects: the last field counts, whatever its case, and an error is
		// merged.
		{"a key twice", `{"id":"x","id":"y"}`, wire.Frame{ID: "y"}},
		{"a key in other letters", `{"id":"y","ID":"x","ACTION":"A"}`, wire.Frame{ID: "x", Action: "A"}},
		{
			"an error twice", `{"id":"x","error":{"code":1,"status":2},"error":{"code":3}}`,
			wire.Frame{ID: "x", Error: &wire.Error{Code: 3, Status: 2}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := wire.Parse([]byte(c.in))
			require.NoError(t, err)
			assert.Equal(t, c.want, *f)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	deep := func(n int) string { return `{"id":"x","data":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	_, err := wire.Parse([]byte(deep(9_999))) // with the object around it, the maximum depth
	require.NoError(t, err)

	for _, c := range []struct{ name, in, says string }{
		{"nothing", ``, "byte 0"},
		{"null", `null`, "without id and action"},
		{"an empty object", `{}`, "without id and action"},
		{"empty names", `{"id":"","action":"","data":{"id":"` + secret + `"}}`, "without id and action"},
		{"an array", `[]`, "is not a wire.Frame"},
		{"an array of frames", `[{"id":"` + secret + `"}]`, "is not a wire.Frame"},
		{"a string", `"` + secret + `"`, "is not a wire.Frame"},
		{"a number", `42`, "is not a wire.Frame"},
		{"true", `true`, "is not a wire.Frame"},
		{"a numeric id", `{"id":5,"action":"` + secret + `"}`, `field "id" is not a string`},
		{"an action that is an object", `{"id":"x","action":{"` + secret + `":1}}`, `field "action" is not a string`},
		{
			"a numeric id with a message", `{"id":5,"data":{"message_id":"m"}}`,
			`message "m": wire: JSON field "id" is not a string`,
		},
		{"half an object", `{"id":"` + secret + `"`, "broken JSON at byte 22"},
		{"half a string", `{"id":"` + secret, "broken JSON"},
		{"single quotes", `{'` + secret + `':1}`, "broken JSON at byte 2"},
		{"a trailing comma", `{"id":"x",}`, "broken JSON at byte 11"},
		{"trailing garbage", `{"id":"x"} ` + secret, "broken JSON at byte 12"},
		{"two frames", `{"id":"x"}{"id":"` + secret + `"}`, "broken JSON at byte 11"},
		{"a byte order mark", "\ufeff" + `{"id":"x"}`, "broken JSON at byte 1"},
		{"a raw control character", "{\"id\":\"\x00\"}", "broken JSON"},
		{"deep nesting", deep(10_000), "broken JSON"},
		{"gzip", "\x1f\x8b\x08\x00", "broken JSON at byte 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := wire.Parse([]byte(c.in))
			assert.Nil(t, f)
			require.ErrorContains(t, err, c.says)
			assert.Regexp(t, errorText, err.Error())
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestParseKeepsNothingOfItsInput(t *testing.T) {
	in := []byte(`{"id":"x","action":"A","params":"p","data":{"k":1},"error":{"description":"d","extra":[1]}}`)
	f, err := wire.Parse(in)
	require.NoError(t, err)
	clear(in)
	assert.Equal(t, wire.Frame{
		ID: "x", Action: "A", Params: json.RawMessage(`"p"`), Data: json.RawMessage(`{"k":1}`),
		Error: &wire.Error{Description: "d", Extra: json.RawMessage("[1]")},
	}, *f)
}

func TestMarshal(t *testing.T) {
	got, err := wire.Marshal(wire.Frame{
		ID: "i", Action: "A", Params: json.RawMessage(`"<p>"`), Data: json.RawMessage(`[ 1, "&" ]`),
		Error: &wire.Error{Status: 202, Code: 403, Description: "a\nb", Extra: json.RawMessage(`{}`)},
	})
	require.NoError(t, err)
	assert.Equal(t, `{"id":"i","action":"A","params":"<p>","data":[1,"&"],`+
		`"error":{"status":202,"code":403,"description":"a\nb","extra":{}}}`, string(got))

	got, err = wire.Marshal("ends in a line break\n")
	require.NoError(t, err)
	assert.Equal(t, `"ends in a line break\n"`, string(got))
}

// FuzzParse compares Parse with the standard library and a plain struct.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"id":"x","action":"A","params":"p","data":[1],"error":{"status":202,"code":401,"description":"d",` +
			`"extra":{}}}`,
		`{"id":"y","ID":"x"}`, `{"id":5}`, `null`, `{}`, `[]`,
		`"x"`, `{"id":"x"} {}`, `{"error":{"code":"401"},"id":"x"}`,
		`{"id":"x","error":null,"data":null}`, `{"id":"\ud800","data":1e999}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var want struct {
			ID, Action   string
			Params, Data json.RawMessage
			Error        *oddError
		}
		broken := json.Unmarshal(in, &want)
		got, err := wire.Parse(in)
		if broken != nil || want.ID == "" && want.Action == "" {
			require.Error(t, err)
			assert.Nil(t, got)
			assert.Regexp(t, errorText, err.Error())
			return
		}
		require.NoError(t, err)
		assert.Equal(t, want.ID, got.ID)
		assert.Equal(t, want.Action, got.Action)
		assert.Equal(t, want.Params, got.Params)
		assert.Equal(t, want.Data, got.Data)
		require.Equal(t, want.Error == nil, got.Error == nil)
		if want.Error != nil {
			assert.Equal(t, want.Error.wire(), *got.Error)
		}
		again, err := wire.Marshal(got)
		require.NoError(t, err)
		_, err = wire.Parse(again)
		require.NoError(t, err, "what was read can be written")
	})
}
