package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// params is an implementation of Params.
type params func(dst []byte) []byte

func (p params) AppendJSON(dst []byte) []byte { return p(dst) }
func (p params) SizeJSON() int                { return 10 }

func TestRequest(t *testing.T) {
	assert.Equal(t, `{"id":"i","action":"LIST_PENDING_MESSAGES"}`,
		string(wire.Request("i", wire.ActionListPending, nil)))
	all := params(func(b []byte) []byte {
		b = wire.AppendField(append(b, '{'), "text", "a<b>&c, \"d\"\n\x00\u2028\xff😀")
		b = wire.AppendField(b, "empty", "")
		b = wire.AppendOptional(b, "optional", "")
		b = wire.AppendOptional(b, "given", ",")
		b = wire.AppendData(b, "data", []byte("\xfb\xff"))
		b = wire.AppendInt(b, "zero", 0)
		b = wire.AppendInt(b, "number", -7)
		b = wire.AppendTrue(b, "false", false)
		b = wire.AppendList(b, "none", nil, wire.AppendText)
		b = wire.AppendList(b, "list", []string{"a", ",", ""}, wire.AppendText)
		return wire.AppendEnd(wire.AppendTrue(b, "true", true), '}')
	})
	assert.Equal(t, `{"id":"i","action":"A","params":{"text":"a<b>&c, \"d\"\n\u0000\u2028\ufffd😀","empty":"",`+
		`"given":",","data":"+/8=","number":-7,"list":["a",",",""],"true":true}}`, string(wire.Request("i", "A", all)))
}

// Any string is encoded as by the standard library.
func FuzzAppendText(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b", "\\", "\x7f", "\u2028", "\xff", "<&>", strings.Repeat("é", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want strings.Builder
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(s))
		require.Equal(t, strings.TrimSuffix(want.String(), "\n"), string(wire.AppendText(nil, s)))
	})
}
