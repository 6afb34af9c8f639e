package gauge_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/gauge"
)

func TestHeapWatchSeesWhatIsHeld(t *testing.T) {
	before := gauge.Heap()
	w := gauge.WatchHeap(time.Hour) // measures at the beginning and at the end only
	object := make([]byte, 64<<20)
	peak := w.Stop()
	runtime.KeepAlive(object)
	assert.GreaterOrEqual(t, peak, uint64(64<<20))
	assert.Less(t, peak, before+128<<20)
}
