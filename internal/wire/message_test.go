package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestParseMessage(t *testing.T) {
	m, err := wire.ParseMessage(json.RawMessage(`{"type":"message","representative_id":"r","quote_message_id":"q",
		"conversation_id":"c","user_id":"u","session_id":"s","message_id":"m","category":"PLAIN_TEXT","data":"YWJj",
		"data_base64":"YWJj","status":"SENT","source":"CREATE_MESSAGE","silent":true,"expire_in":"60",
		"created_at":"2023-04-28T10:01:32.387507Z","updated_at":"2023-04-28T12:01:33.000000001+02:00"}`))
	require.NoError(t, err)
	assert.True(t, m.CreatedAt.Equal(time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC)))
	assert.True(t, m.UpdatedAt.Equal(time.Date(2023, 4, 28, 10, 1, 33, 1, time.UTC)))
	m.CreatedAt, m.UpdatedAt = wire.Timestamp{}, wire.Timestamp{}
	assert.Equal(t, wire.Message{
		ConversationID: "c", UserID: "u", SessionID: "s", MessageID: "m", Category: "PLAIN_TEXT", Data: "YWJj", DataBase64: "YWJj",
		Status: "SENT", Source: "CREATE_MESSAGE", QuoteMessageID: "q", RepresentativeID: "r", Silent: true, ExpireIn: 60,
	}, *m)

	m, err = wire.ParseMessage(json.RawMessage(`{"message_id":"m","session_id":null,"silent":null,"expire_in":null,"created_at":null,"new":[]}`))
	require.NoError(t, err)
	assert.Equal(t, wire.Message{MessageID: "m"}, *m)
}

func TestParseMessageRefuses(t *testing.T) {
	for _, in := range []string{
		``, `null`, `[]`, `[{"message_id":"` + secret + `"}]`, `"` + secret + `"`, `7`, `true`,
		`{"message_id":5}`, `{"message_id":["` + secret + `"]}`, `{"silent":"` + secret + `"}`, `{"expire_in":1e3}`,
		`{"expire_in":1.5}`, `{"expire_in":9223372036854775808}`, `{"expire_in":"` + secret + `"}`, `{"expire_in":""}`,
		`{"expire_in":[]}`, `{"data":{"` + secret + `":1}}`, `{`, `{"data":"` + secret,
	} {
		m, err := wire.ParseMessage(json.RawMessage(in))
		assert.Nil(t, m, in)
		require.Error(t, err, in)
		assert.Regexp(t, said, err.Error())
		assert.NotContains(t, err.Error(), secret)
	}
}

func TestEncodedPrefersTheURLAlphabet(t *testing.T) {
	assert.Equal(t, "-_8", (&wire.Message{Data: "+/8=", DataBase64: "-_8"}).Encoded())
	assert.Equal(t, "+/8=", (&wire.Message{Data: "+/8="}).Encoded())
	assert.Empty(t, (&wire.Message{}).Encoded())
}

func TestDecodeBase64(t *testing.T) {
	all := make([]byte, 256) // every byte, so every letter of both alphabets
	for i := range all {
		all[i] = byte(i)
	}
	for n := range len(all) {
		in := all[len(all)-n:]
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(in)
			got, err := wire.DecodeBase64(s)
			require.NoError(t, err, s)
			require.True(t, bytes.Equal(in, got), s)
		}
	}
	for in, want := range map[string]string{
		"": "", "\r\n": "", "aGVsbG8=\n": "hello", "aGVs\r\nbG8=": "hello", "aGVs\nbG8": "hello", "aGVsbG8\n=\r": "hello",
		"aGk\n=\n": "hi", "aA=\n=": "h", "aB": "h", // the bits that are left over are not looked at, as in the standard library
	} {
		got, err := wire.DecodeBase64(in)
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, string(got), "%q", in)
	}
}

func TestDecodeBase64Refuses(t *testing.T) {
	for _, in := range []string{
		"a", "aGVsb", "=", "==", "a===", "aA=", "aGk==", "aGVs=", "aGVsbG8====", "aG=k", "a Gk", "aGk\t", "aGk=aGk=", "+_aa", "-/aa",
		"*" + secret, "aGk\u00a0", "\x00", "YWJj\x00",
	} {
		got, err := wire.DecodeBase64(in)
		require.EqualError(t, err, "wire: invalid base64", "%q", in)
		assert.Nil(t, got)
	}
}

// FuzzDecodeBase64 compares with the four encodings of the standard library: what one of them reads, and nothing else.
func FuzzDecodeBase64(f *testing.F) {
	for _, s := range []string{"", "aGVs\r\nbG8=", "-_8", "+/8=", "a===", "aB", "=\n=", "aA=\n=", "+_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := wire.DecodeBase64(s)
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if want, no := enc.DecodeString(s); no == nil {
				require.NoError(t, err)
				require.Equal(t, string(want), string(got))
				return
			}
		}
		require.EqualError(t, err, "wire: invalid base64")
	})
}

func TestInt(t *testing.T) {
	for in, want := range map[string]wire.Int{
		`0`: 0, `7`: 7, `-7`: -7, `"7"`: 7, `"-7"`: -7, `null`: 5,
		`9223372036854775807`: math.MaxInt64, `"-9223372036854775808"`: math.MinInt64,
	} {
		n := wire.Int(5)
		require.NoError(t, json.Unmarshal([]byte(in), &n), in)
		assert.Equal(t, want, n, in)
	}
	for _, in := range []string{`1.0`, `1e3`, `"1e3"`, `""`, `" 7"`, `"0x7"`, `"7_0"`, `"\u0037"`, `true`, `{}`, `[7]`, `9223372036854775808`, `"null"`} {
		n := wire.Int(5)
		require.EqualError(t, json.Unmarshal([]byte(in), &n), "wire: not an integer", in)
		assert.Equal(t, wire.Int(5), n, in)
	}
	require.Error(t, new(wire.Int).UnmarshalJSON(nil))
	require.Error(t, new(wire.Int).UnmarshalJSON([]byte(`"`)))
}

func TestTimestamp(t *testing.T) {
	for in, want := range map[string]time.Time{
		`"2023-04-28T10:01:32Z"`:                 time.Date(2023, 4, 28, 10, 1, 32, 0, time.UTC),
		`"2023-04-28T10:01:32.387507Z"`:          time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC),
		`"2023-04-28T10:01:32.123456789Z"`:       time.Date(2023, 4, 28, 10, 1, 32, 123456789, time.UTC),
		`"2023-04-28T18:01:32.387507+08:00"`:     time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC),
		`"0001-01-01T00:00:00Z"`:                 {},
		`""`:                                     {},
		`null`:                                   {},
		`0`:                                      {},
		`1682676092`:                             {},
		`"2023-04-28"`:                           {},
		`"2023-02-30T10:01:32Z"`:                 {},
		`"2023-04-28 10:01:32"`:                  {},
		`{"t":1}`:                                {},
		`["2023-04-28T10:01:32Z"]`:               {},
		`"` + strings.Repeat("9", 1000) + `-01"`: {},
	} {
		var got wire.Timestamp
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		assert.True(t, want.Equal(got.Time), "%s: %v", in, got)
	}
}
