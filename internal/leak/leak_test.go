package leak

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestFindsWhatIsLeft(t *testing.T) {
	others := goleak.IgnoreCurrent()
	release, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		<-release
	}()
	var out strings.Builder
	assert.True(t, left(0, &out, others))
	assert.Contains(t, out.String(), "TestFindsWhatIsLeft.func1")

	close(release)
	<-gone
	out.Reset()
	assert.False(t, left(patience, &out, others))
	assert.Empty(t, out.String())
}

func TestAFailureStaysOne(t *testing.T) {
	assert.Equal(t, 2, Check(2))
}
