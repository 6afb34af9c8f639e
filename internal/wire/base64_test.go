package wire_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestAppendBase64(t *testing.T) {
	all := make([]byte, 256) // every byte, so every letter of both alphabets
	for i := range all {
		all[i] = byte(i)
	}
	for n := range len(all) {
		in := all[len(all)-n:]
		for _, enc := range []*base64.Encoding{
			base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
		} {
			s := enc.EncodeToString(in)
			got, err := wire.AppendBase64([]byte("before"), []byte(s))
			require.NoError(t, err, s)
			require.True(t, bytes.Equal(append([]byte("before"), in...), got), s)
		}
	}
	for in, want := range map[string]string{
		"": "", "\r\n": "", "aGVsbG8=\n": "hello", "aGVs\r\nbG8=": "hello",
		"aGVs\nbG8": "hello", "aGVsbG8\n=\r": "hello",
		"aGk\n=\n": "hi", "aA=\n=": "h",
		"aB": "h", // the remaining bits are ignored, as in the standard library
	} {
		text := []byte(in)
		got, err := wire.AppendBase64(nil, text)
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, string(got), "%q", in)
		assert.Equal(t, in, string(text), "it is the caller's")
	}
}

func TestAppendBase64Refuses(t *testing.T) {
	for _, in := range []string{
		"a", "aGVsb", "=", "==", "a===", "aA=", "aGk==", "aGVs=",
		"aGVsbG8====", "aG=k", "a Gk", "aGk\t", "aGk=aGk=", "+_aa", "-/aa",
		"*" + secret, "aGk\u00a0", "\x00", "YWJj\x00",
	} {
		got, err := wire.AppendBase64(nil, []byte(in))
		require.EqualError(t, err, "wire: invalid base64", "%q", in)
		assert.Nil(t, got)
	}
}

// FuzzAppendBase64 compares AppendBase64 with the four encodings of the standard library: it must accept the same texts
// as these together.
func FuzzAppendBase64(f *testing.F) {
	for _, s := range []string{"", "aGVs\r\nbG8=", "-_8", "+/8=", "a===", "aB", "=\n=", "aA=\n=", "+_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := wire.AppendBase64(nil, []byte(s))
		for _, enc := range []*base64.Encoding{
			base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
		} {
			if want, no := enc.DecodeString(s); no == nil {
				require.NoError(t, err)
				require.Equal(t, string(want), string(got))
				return
			}
		}
		require.EqualError(t, err, "wire: invalid base64")
	})
}
