package inbox_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// Large messages that run concurrently share an eighth of the box. Small messages do not wait for them.
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

// A message of any size is handled, but a very large one runs alone.
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

// A handler that fails or ends its goroutine frees the capacity for large messages.
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

// One timer wakes all lanes in backoff, each when it is due.
func TestLanesInBackoffAreDueInOrder(t *testing.T) {
	run(t, 16, 1<<20, func(r *rig) {
		after := map[string]time.Duration{
			"a": 30 * time.Second, "b": 10 * time.Second, "c": 20 * time.Second, "d": 10 * time.Second,
		}
		r.handle = func(_ string, attempt int) error {
			if attempt == 1 {
				return errHandler
			}
			return nil
		}
		r.settle = func(m string, _ int, err error) inbox.Verdict {
			if err != nil {
				return inbox.Verdict{Then: inbox.Retry, After: after[m]}
			}
			return inbox.Verdict{Then: inbox.Done}
		}
		for _, lane := range []string{"a", "b", "c", "d"} {
			r.offer(lane, lane, 1, taken)
		}
		assert.Len(t, take(r, &r.began), 4)
		r.sleep(10*time.Second - 1)
		r.handled()
		r.sleep(1)
		assert.ElementsMatch(t, []string{"b/2", "d/2"}, take(r, &r.began))
		r.sleep(10 * time.Second)
		r.handled("c/2")
		r.sleep(10 * time.Second)
		r.handled("a/2")
	})
}
