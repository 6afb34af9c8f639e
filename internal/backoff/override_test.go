package backoff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPolicyOfAContext(t *testing.T) {
	usual := Policy{Base: time.Second, Cap: time.Minute}
	quick := Policy{Base: time.Millisecond, Cap: time.Millisecond}
	assert.Equal(t, usual, From(t.Context(), usual))
	assert.Equal(t, quick, From(With(t.Context(), quick), usual))
}
