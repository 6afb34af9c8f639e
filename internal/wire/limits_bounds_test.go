package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// The details of a rejection are stored up to 4 KiB, including the quotes of a JSON string.
func TestExtraIsBounded(t *testing.T) {
	extra := `"` + strings.Repeat("a ", 2047) + `"`
	require.Len(t, extra, 4<<10)
	var e wire.Error
	require.NoError(t, json.Unmarshal([]byte(`{"code":10002,"extra":`+extra+`}`), &e))
	assert.Equal(t, extra, string(e.Extra))
	e = wire.Error{}
	require.NoError(t, json.Unmarshal([]byte(`{"code":10002,"extra":"a`+extra[1:]+`}`), &e))
	assert.Nil(t, e.Extra)
	assert.Equal(t, 10002, e.Code)
}
