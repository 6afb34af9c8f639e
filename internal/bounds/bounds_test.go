package bounds_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/bounds"
)

func TestFrom(t *testing.T) {
	assert.Equal(t, bounds.Default(), bounds.From(t.Context()))
	other := bounds.Bounds{Ping: time.Millisecond}
	assert.Equal(t, other, bounds.From(bounds.With(t.Context(), other)))
}
