package leak

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestFindsWhatIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	release, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		<-release
	}()
	var out strings.Builder
	assert.True(t, left(before, 20*time.Millisecond, &out))
	assert.Contains(t, out.String(), "goroutines are left:\n")
	assert.Contains(t, out.String(), "TestFindsWhatIsLeft.func1")

	close(release)
	<-gone
	out.Reset()
	assert.False(t, left(before, patience, &out))
	assert.Empty(t, out.String())
}

func TestAFailureStaysOne(t *testing.T) {
	assert.Equal(t, 2, Check(2), "the goroutine of the test is left, and does not matter")
}
