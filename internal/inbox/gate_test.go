package inbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

func TestGate(t *testing.T) {
	const size = 1000 - overhead // of messages of which ten fill the box
	run(t, 1, 10_000, func(r *rig) {
		ids := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "gate", "small", "after"}
		for _, id := range ids[:10] {
			r.offer("l", id, size, taken)
		}
		assert.Empty(t, r.Gate())
		r.offer("l", "gate", size, refused)
		assert.Equal(t, "gate", r.Gate())
		r.offer("l", "small", 0, refused)
		r.sleep(4500 * time.Millisecond)
		r.handled("0", "1", "2", "3", "4")
		r.asked() // six thousand bytes are used
		r.offer("l", "small", 0, refused)
		r.offer("l", "7", size, duplicate)
		assert.Equal(t, "gate", r.Gate(), "the first one that did not fit")
		r.sleep(time.Second)
		r.asked("gate")
		assert.Equal(t, "gate", r.Asked())
		r.sleep(2 * time.Second)
		r.asked() // once is enough
		r.offer("l", "small", 0, refused)
		r.offer("l", "gate", size, taken) // the server begins with the oldest
		assert.Empty(t, r.Gate())
		assert.Empty(t, r.Asked())
		r.offer("l", "small", 0, taken)
		r.offer("l", "after", size, taken)
		r.sleep(time.Minute)
		r.handled("5", "6", "7", "8", "9", "gate", "small", "after")
		r.asked()
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

func TestGateOpensForAcknowledgementsToo(t *testing.T) {
	run(t, 1, 4*overhead, func(r *rig) {
		for _, id := range []string{"a", "b", "c", "d"} {
			r.Hold(id)
		}
		r.offer("l", "m", 0, refused)
		r.Release("a")
		r.asked()
		r.Release("b", "c")
		r.asked("m")
		r.offer("l", "m", 0, taken)
		r.offer("l", "n", 0, taken)
		r.Release("d")
	})
}

func TestGateClosesAgain(t *testing.T) {
	run(t, 1, 2*overhead, func(r *rig) {
		for _, id := range []string{"a", "b"} {
			r.offer("l", id, 0, taken)
		}
		for _, next := range []string{"c", "d", "e"} {
			r.offer("l", next, 0, refused)
			assert.Empty(t, r.Asked(), "refused, not yet asked for")
			time.Sleep(time.Second)
			r.asked(next)
			r.offer("l", next, 0, taken)
		}
		r.sleep(time.Minute)
		r.handled("a", "b", "c", "d", "e")
	})
}

func TestOpenGate(t *testing.T) {
	run(t, 1, 2*overhead, func(r *rig) {
		r.OpenGate()
		r.offer("l", "a", 0, taken)
		r.offer("l", "b", 0, taken)
		r.offer("l", "c", 0, refused)
		r.OpenGate() // a new link, which lists everything
		assert.Empty(t, r.Gate())
		r.offer("l", "a", 0, duplicate)
		r.offer("l", "b", 0, duplicate)
		r.offer("l", "c", 0, refused)
		assert.Equal(t, "c", r.Gate())
		r.OpenGate()
		r.sleep(time.Minute)
		r.asked() // nobody waits at an open gate
		r.offer("l", "d", 0, taken)
	})
}

func TestAnEmptyBoxTakesAnyOneMessage(t *testing.T) {
	run(t, 2, 1000, func(r *rig) {
		r.offer("l", "huge", 1_000_000, taken)
		r.offer("l", "gate", 0, refused)
		r.sleep(time.Second)
		r.asked("gate")
		r.offer("l", "gate", 0, taken)
		r.offer("l", "huge too", 1_000_000, refused)
		r.sleep(time.Second)
		r.asked("huge too")
		r.offer("l", "huge too", 1_000_000, taken)
		r.sleep(time.Second)
		r.handled("huge", "gate", "huge too")
		synctest.Wait()
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// A message that takes more than half of the box is not asked for before it fits: the server would push everything
// pending for nothing, once for each message that was handled meanwhile.
func TestALargeMessageIsAskedForOnceItFits(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.handle = func(m string, _ int) error {
			if m == "slow" {
				time.Sleep(time.Minute)
			} else {
				time.Sleep(time.Second)
			}
			return nil
		}
		r.offer("a", "slow", 3000, taken)
		for _, id := range []string{"1", "2", "3"} {
			r.offer("b", id, 1000, taken)
		}
		r.offer("b", "large", 7000, refused)
		r.sleep(30 * time.Second)
		r.handled("slow", "1", "2", "3")
		r.asked()
		r.sleep(30 * time.Second)
		r.asked("large")
		r.offer("b", "large", 7000, taken)
		r.sleep(time.Second)
		r.handled("large")
	})
}
