package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/engine"
)

// A message that is handled after its link was lost does not count as work on the next link.
func TestWorkCountsForItsOwnLink(t *testing.T) {
	var u engine.Use
	first := u.Begin()
	assert.False(t, u.Worked())
	u.Works(first)
	assert.True(t, u.Worked())
	second := u.Begin()
	assert.False(t, u.Worked())
	u.Works(first)
	assert.False(t, u.Worked())
	u.Works(second)
	u.Works(first)
	assert.True(t, u.Worked())
}
