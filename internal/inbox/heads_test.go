package inbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// failing lets messages whose names begin with f fail, and the others be handled at once.
func (r *rig) failing() {
	r.handle = func(m string, _ int) error {
		if m[0] == 'f' {
			return errHandler
		}
		return nil
	}
}

// Messages that fail, each alone in its lane, fill the box. Whoever comes is heard at once, even with as much as they
// hold; and what gave way goes on where it was.
func TestMessagesThatFailGiveWay(t *testing.T) {
	run(t, 16, 10_000, func(r *rig) {
		r.failing()
		for i := range 10 {
			r.offer(fmt.Sprint("lane ", i), fmt.Sprint("f", i), 1000-overhead, taken)
		}
		r.sleep(0)
		take(r, &r.began)
		for i := range 30 {
			m := fmt.Sprint("m", i)
			r.offer(m, m, 1000-overhead, taken)
			r.handled(m)
		}
		assert.Equal(t, 9, r.Left().Messages, "one was let go")
		assert.Equal(t, 1, r.Left().Closed)
		assert.Equal(t, 10, r.Len().Delayed)
		assert.True(t, r.Stuck())
		r.due()
		r.sleep(time.Minute) // six attempts more of each
		take(r, &r.began)
		r.Reopen()
		var again string
		for i := range 10 {
			m := fmt.Sprint("f", i)
			if r.Offer(fmt.Sprint("lane ", i), m, 1000-overhead, m) == taken {
				assert.Empty(t, again)
				again = m
			}
		}
		r.handled(again + "/2")
		assert.False(t, r.Stuck())
		assert.Equal(t, time.Minute, r.Len().OldestWaiting)
	})
}

// The largest gives way, with all that is queued behind it, and no more than is needed.
func TestTheLargestThatFailsGivesWay(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("a", "fa", 3000-overhead, taken)
		r.offer("b", "fb0", 3500-overhead, taken)
		r.offer("b", "fb1", 500, taken)
		r.offer("c", "fc", 2000-overhead, taken)
		r.sleep(0)
		r.offer("d", "fd", 5000-overhead, taken)
		assert.Equal(t, 3, r.Left().Lanes)
		r.offer("b", "fb0", 0, refused)
		r.offer("b", "fb1", 0, refused)
		r.offer("a", "fa", 0, duplicate)
		r.offer("c", "fc", 0, duplicate)
		r.Reopen()
		r.offer("b", "fb0", 3500-overhead, refused) // it was tried as often as the others
		r.offer("b", "fb1", 500, refused)
		r.offer("e", "fe", 500, taken) // which has not been tried at all
	})
}

// Also where nothing is left in the box, nothing overtakes what gave way.
func TestTheOnlyMessageGivesWay(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.slow(time.Minute, "slow")
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(0)
		r.offer("s", "slow", 2000-overhead, taken)
		r.offer("f", "f behind it", 0, refused)
		r.due()
		r.sleep(time.Minute)
		r.due("whole")
		r.Reopen()
		r.offer("f", "f", 9000-overhead, taken)
		r.handled("f", "slow", "f/2")
	})
}

// What is queued gives way first: the messages that fail stay.
func TestQueuedMessagesGiveWayFirst(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("a", "fa", 5000-overhead, taken)
		r.fill("fb", 0, 5)
		r.sleep(0)
		r.offer("c", "c", 2000-overhead, taken)
		r.offer("a", "fa", 0, duplicate)
		r.offer("fb", "fb2", 0, duplicate)
		r.offer("fb", "fb3", 0, refused)
	})
}

// Nobody gives way in vain, or to a message that would wait behind another one of its lane.
func TestMessagesThatFailStay(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.slow(time.Hour, "slow")
		r.offer("s", "slow", 5500-overhead, taken)
		r.offer("a", "fa", 3000-overhead, taken)
		r.offer("b", "fb", 1000-overhead, taken)
		r.sleep(0)
		r.offer("b", "fb1", 1000-overhead, refused)
		r.offer("a", "fa", 0, duplicate)
		assert.Equal(t, 1, r.Len().Closed)
		r.offer("c", "c", 5000-overhead, refused) // a and b could give 4000, and 500 are free
		r.offer("a", "fa", 0, duplicate)
		r.offer("b", "fb", 0, duplicate)
		assert.True(t, r.Stuck())
	})
}

// One that was acknowledged stays, whoever acknowledged it: the server would not push it again.
func TestAcknowledgedMessagesThatFailStay(t *testing.T) {
	for name, acknowledge := range map[string]func(r *rig){
		"before its handler": func(r *rig) { r.acked() },
		"confirmed to the user": func(r *rig) {
			r.handle = func(string, int) error {
				r.Forget("f")
				return errHandler
			}
		},
		"about to be": func(r *rig) { r.Hold("f") },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 4, 10_000, func(r *rig) {
				r.failing()
				if name == "about to be" {
					r.offer("f", "f", 9000-overhead, taken)
					acknowledge(r)
				} else {
					acknowledge(r)
					r.offer("f", "f", 9000-overhead, taken)
				}
				r.sleep(0)
				r.offer("m", "m", 2000-overhead, refused)
				r.offer("f", "f", 0, duplicate)
				r.Release("f")
			})
		})
	}
}

// Of messages that only fail and do not all fit, each gets its attempts: those that were tried less take the place of
// those that were tried more. They close nothing but their own lanes.
func TestMessagesThatFailTakeTurns(t *testing.T) {
	const lanes = 14
	run(t, 16, 10_000, func(r *rig) {
		r.failing()
		pushAll := func() {
			for i := range lanes {
				m := fmt.Sprint("f", i)
				r.Offer(fmt.Sprint("lane ", i), m, 1000-overhead, m)
				r.sleep(0)
			}
		}
		for range 50 {
			r.Reopen()
			pushAll()
			m := fmt.Sprint("m", len(r.began))
			r.offer(m, m, 0, taken)
			r.sleep(time.Minute)
		}
		attempts := make(map[string]int)
		for _, m := range take(r, &r.began) {
			if m[0] == 'f' {
				name, n := m, 1
				_, _ = fmt.Sscanf(m, "f%d/%d", new(int), &n)
				if i := len(fmt.Sprint("/", n)); n > 1 {
					name = m[:len(m)-i]
				}
				assert.Equal(t, attempts[name]+1, n, "no attempt of %s is forgotten, none counted twice", name)
				attempts[name] = n
			}
		}
		assert.Len(t, attempts, lanes)
		for m, n := range attempts {
			assert.Greater(t, n, 50*6*10/lanes*3/4, "%s: three quarters of its share", m)
		}
		assert.LessOrEqual(t, r.Left().Closed, lanes-9)
	})
}

// A message waits for its next attempt also while it waits for a worker: it gives way then, too.
func TestAMessageThatWaitsForAWorkerGivesWay(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.failing()
		r.offer("f", "f", 6000-overhead, taken)
		r.sleep(time.Second)
		r.slow(time.Hour, "slow")
		r.offer("s", "slow", 4000-overhead, taken)
		r.sleep(time.Minute)
		assert.Equal(t, inbox.Left{
			Used: 10_000, IDs: 2, Lanes: 2, Ready: 1, Workers: 1, Messages: 2, Handling: 1,
		}, r.Left())
		assert.Equal(t, 1, r.Len().Waiting)
		r.offer("m", "m", 1000-overhead, taken)
		r.sleep(2 * time.Hour)
		r.handled("f", "slow", "m")
		assert.Equal(t, inbox.Left{Closed: 1}, r.Left())
	})
}

// Attempts are forgotten when the message is acknowledged all the same, and when the server does not push it again.
func TestWhatIsKeptOfThoseThatGaveWay(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		reportReleased := func(id string) {
			t.Helper()
			r.offer("f", id, 9000-overhead, taken)
			r.sleep(0)
			r.offer("m", "m", 2000-overhead, taken)
			r.sleep(0)
			assert.Equal(t, 1, r.Away())
			assert.False(t, r.Held(id), "the server pushes it again")
		}
		reportReleased("f")
		r.Forget("f")
		assert.Zero(t, r.Away())
		r.Reopen()
		reportReleased("f")
		r.Hold("f")
		assert.Zero(t, r.Away())
		r.Release("f")
		r.Reopen()
		take(r, &r.began)
		reportReleased("f")
		r.Reopen()
		reportReleased("f")
		r.handled("f", "m", "f/2", "m")
		r.Reopen()
		r.Reopen()
		assert.Equal(t, 1, r.Away(), "a list may end with its link, before it has brought it")
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(0)
		assert.Zero(t, r.Away(), "it is back")
		r.handled("f/3")
	})
}

// A message that gave way and comes back behind another one of its lane is still known, and its note with it.
func TestWhatGaveWayComesBackBehindAnotherMessage(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(0)
		r.offer("m", "m", 2000-overhead, taken)
		r.sleep(time.Second)
		r.Reopen()
		r.slow(time.Minute, "other")
		r.offer("f", "other", 0, taken)
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(time.Minute)
		assert.Equal(t, time.Minute+time.Second, r.Len().OldestWaiting)
		r.handled("f", "m", "other", "f/2")
	})
}

// A thousand may give way on each link, and four thousand are remembered at most.
func TestThoseThatGaveWayAreBounded(t *testing.T) {
	run(t, 16, 2000*overhead, func(r *rig) {
		r.failing()
		fill := func(n int, name string) {
			for i := range n {
				m := fmt.Sprint("f", name, i)
				r.offer(m, m, 0, taken)
			}
			r.sleep(0)
		}
		fill(2000, "first")
		for round := range 5 {
			r.Reopen()
			fill(900, fmt.Sprint(round, "-"))
			assert.GreaterOrEqual(t, r.Away(), min(900*(round+1), inbox.MostAway))
			assert.LessOrEqual(t, r.Away(), inbox.MostAway)
		}
		fate, n := taken, 0
		for ; fate == taken; n++ {
			m := fmt.Sprint("f-last", n) // one that fails makes no room, whether it has begun or not
			fate = r.Offer(m, m, 0, m)
		}
		assert.InDelta(t, 100, n, 16, "a thousand lanes hold nothing, and 16 give way at a time")
	})
}

// The timer of a message that backs off fires at the moment at which the message gives way. Its lane may not be used
// again: enough empty ones are kept already.
func TestAMessageGivesWayAsItsTimerFires(t *testing.T) {
	for range 100 {
		run(t, 64, 100*overhead, func(r *rig) {
			r.failing()
			r.offer("f", "f", 59*overhead, taken)
			for i := range inbox.SpareLanes + 1 {
				m := fmt.Sprint("m", i)
				r.offer(m, m, 0, taken)
			}
			time.Sleep(10 * time.Second)
			r.Offer("new", "new", 59*overhead, "new") // refused if the attempt has begun
			r.sleep(time.Minute)
		})
	}
}
