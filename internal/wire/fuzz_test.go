package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// A rejection has the values that encoding/json decodes, also after it was encoded and decoded again.
func FuzzError(f *testing.F) {
	for _, s := range []string{
		`{"status":202,"code":403,"description":"Forbidden"}`,
		`{"status":"202","code":4.03e2,"description":{"en":"no"}}`,
		`{"code":1e999,"code":7}`, `{"extra":{"field":"x","reason":[1]}}`,
		`{"Code":-0,"STATUS":" 5 "}`, `{"description":5e1}`,
		`[]`, `null`, `"no"`, `{"code":99999999999}`, `{"description":"\ud800"}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var want oddError
		var got wire.Error
		if json.Unmarshal(in, &want) != nil {
			require.Error(t, json.Unmarshal(in, &got))
			return
		}
		require.NoError(t, json.Unmarshal(in, &got))
		require.Equal(t, want.wire(), got)
		text, err := wire.Marshal(&got)
		require.NoError(t, err)
		var again wire.Error
		require.NoError(t, json.Unmarshal(text, &again))
		if got.Extra != nil { // encoded without white space
			require.JSONEq(t, string(got.Extra), string(again.Extra))
			again.Extra = got.Extra
		}
		require.Equal(t, got, again)
	})
}
