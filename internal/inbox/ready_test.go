package inbox_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// Large messages that are handled at once share an eighth of the box. The others do not wait for them.
func TestLargeMessagesAreHandledFewAtOnce(t *testing.T) {
	const large = 20 << 10
	run(t, 16, 8*3*large, func(r *rig) {
		for _, lane := range []string{"a", "b", "c", "d", "e"} {
			r.offer(lane, lane, large, taken)
		}
		r.offer("f", "small", 16<<10, taken)
		synctest.Wait()
		assert.ElementsMatch(t, []string{"a", "b", "c", "small"}, take(r, &r.began))
		r.sleep(time.Second)
		assert.ElementsMatch(t, []string{"d", "e"}, take(r, &r.began))
		r.sleep(time.Second)
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// One is handled however large it is, and one at a time.
func TestALargeMessageIsHandledAlone(t *testing.T) {
	run(t, 16, 1<<20, func(r *rig) {
		r.offer("a", "a", 500<<10, taken)
		r.offer("b", "b", 200<<10, taken)
		r.offer("b", "b2", 1, taken)
		r.handled("a")
		r.sleep(time.Second)
		r.handled("b")
		r.sleep(time.Second)
		r.handled("b2")
	})
}

// The room for large messages is given back by a handler that fails, and by one that ends its goroutine.
func TestLargeMessagesThatFail(t *testing.T) {
	run(t, 16, 1<<20, func(r *rig) {
		r.handle = func(m string, attempt int) error {
			if attempt > 1 {
				return nil
			}
			if m == "b" {
				runtime.Goexit()
			}
			return errHandler
		}
		for _, lane := range []string{"a", "b", "c"} {
			r.offer(lane, lane, 200<<10, taken)
		}
		r.handled("a", "b", "c")
		r.sleep(10 * time.Second)
		assert.ElementsMatch(t, []string{"a/2", "b/2", "c/2"}, take(r, &r.began))
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}
