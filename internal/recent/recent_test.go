package recent_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/recent"
)

func TestSetForgetsTheOldest(t *testing.T) {
	s := recent.Set{Limit: 2}
	s.Add("a")
	s.Add("b")
	s.Add("a") // keeps its age
	s.Add("c")
	assert.False(t, s.Has("a"))
	assert.True(t, s.Has("b"))
	assert.True(t, s.Has("c"))
	assert.Equal(t, 2, s.Len())
}

func TestSetRemovedIDsTakeNoRoom(t *testing.T) {
	s := recent.Set{Limit: 2}
	s.Add("a")
	s.Add("b")
	s.Remove("b")
	s.Remove("never here")
	s.Add("c")
	assert.True(t, s.Has("a"))
	assert.False(t, s.Has("b"))
	s.Add("b") // again, and now the youngest
	assert.False(t, s.Has("a"))
	assert.True(t, s.Has("b"))
}

func TestZeroSetHoldsNothing(t *testing.T) {
	var s recent.Set
	s.Remove("a")
	s.Add("a")
	assert.False(t, s.Has("a"))
}
