package guard_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// deepPanicOfAFunctionWithALongName panics after the given number of nested calls of itself. The runtime prints 100
// functions of a stack, which have more than 8 KiB.
func deepPanicOfAFunctionWithALongName(calls int) error {
	if calls == 0 {
		panic("boom")
	}
	return errors.Join(deepPanicOfAFunctionWithALongName(calls - 1))
}

// The stack of a panic is cut after 8 KiB, at its outer end.
func TestTheStackOfAPanicIsBounded(t *testing.T) {
	err := guard.Apart(func() error { return deepPanicOfAFunctionWithALongName(200) })
	var p *guard.PanicError
	require.ErrorAs(t, err, &p)
	assert.Len(t, p.Stack, 8<<10)
	assert.Contains(t, string(p.Stack[:1<<10]), "deepPanicOfAFunctionWithALongName(0x0", "the innermost function")
}
