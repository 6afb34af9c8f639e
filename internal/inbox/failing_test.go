package inbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// failing sets a handler that fails for messages with names that begin with f, and returns at once for the others.
func (r *rig) failing() {
	r.handle = func(m string, _ int) error {
		if m[0] == 'f' {
			return errHandler
		}
		return nil
	}
}

// Failing messages, each alone in its lane, fill the box. A new message is still handled at once, even if it is as
// large as theirs. A released message continues with its next attempt.
func TestFailingMessagesAreReleased(t *testing.T) {
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
		assert.Equal(t, 9, r.Left().Messages, "one was released")
		assert.Equal(t, 1, r.Left().Closed)
		assert.Equal(t, 10, r.Len().Delayed)
		assert.True(t, r.Stuck())
		r.due()
		r.sleep(time.Minute) // six more attempts of each
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

// The largest lane is released with everything queued in it, and no more than needed.
func TestTheLargestFailingLaneIsReleased(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("a", "fa", 3000-overhead, taken)
		r.offer("b", "fb0", 3500-overhead, taken)
		r.offer("b", "fb1", 500, taken)
		r.offer("c", "fc", 2000-overhead, taken)
		r.sleep(0)
		r.offer("d", "fd", 5000-overhead, taken)
		assert.Equal(t, 3, r.Left().Lanes)
		r.offer("b", "fb0", 0, rejected)
		r.offer("b", "fb1", 0, rejected)
		r.offer("a", "fa", 0, duplicate)
		r.offer("c", "fc", 0, duplicate)
		r.Reopen()
		r.offer("b", "fb0", 3500-overhead, rejected) // it had as many attempts as the others
		r.offer("b", "fb1", 500, rejected)
		r.offer("e", "fe", 500, taken) // it had no attempt yet
	})
}

// A lane stays closed even if the box is empty, so that nothing overtakes the released message.
func TestTheOnlyMessageIsReleased(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.slow(time.Minute, "slow")
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(0)
		r.offer("s", "slow", 2000-overhead, taken)
		r.offer("f", "f behind", 0, rejected)
		r.due()
		r.sleep(time.Minute)
		r.due("whole")
		r.Reopen()
		r.offer("f", "f", 9000-overhead, taken)
		r.handled("f", "slow", "f/2")
	})
}

// Queued messages are released first. The failing messages before them stay.
func TestQueuedMessagesAreReleasedFirst(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("a", "fa", 5000-overhead, taken)
		r.fill("fb", 0, 5)
		r.sleep(0)
		r.offer("c", "c", 2000-overhead, taken)
		r.offer("a", "fa", 0, duplicate)
		r.offer("fb", "fb2", 0, duplicate)
		r.offer("fb", "fb3", 0, rejected)
	})
}

// No message is released if that would not suffice, or for a message that would queue behind another in its lane.
func TestFailingMessagesStay(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.slow(time.Hour, "slow")
		r.offer("s", "slow", 5500-overhead, taken)
		r.offer("a", "fa", 3000-overhead, taken)
		r.offer("b", "fb", 1000-overhead, taken)
		r.sleep(0)
		r.offer("b", "fb1", 1000-overhead, rejected)
		r.offer("a", "fa", 0, duplicate)
		assert.Equal(t, 1, r.Len().Closed)
		r.offer("c", "c", 5000-overhead, rejected) // a and b could release 4000, and 500 are free
		r.offer("a", "fa", 0, duplicate)
		r.offer("b", "fb", 0, duplicate)
		assert.True(t, r.Stuck())
	})
}

// An acknowledged message stays, because the server would not redeliver it.
func TestAcknowledgedFailingMessagesStay(t *testing.T) {
	for name, acknowledge := range map[string]func(r *rig){
		"acknowledged before its handler": func(r *rig) { r.acked() },
		"acknowledged by the user": func(r *rig) {
			r.handle = func(string, int) error {
				r.Forget("f")
				return errHandler
			}
		},
		"acknowledgement in flight": func(r *rig) { r.Hold("f") },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 4, 10_000, func(r *rig) {
				r.failing()
				if name == "acknowledgement in flight" {
					r.offer("f", "f", 9000-overhead, taken)
					acknowledge(r)
				} else {
					acknowledge(r)
					r.offer("f", "f", 9000-overhead, taken)
				}
				r.sleep(0)
				r.offer("m", "m", 2000-overhead, rejected)
				r.offer("f", "f", 0, duplicate)
				r.Release("f")
			})
		})
	}
}

// Of failing messages that do not all fit, each gets its attempts: messages with fewer attempts replace those with
// more. They close only their own lanes.
func TestFailingMessagesTakeTurns(t *testing.T) {
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
				assert.Equal(t, attempts[name]+1, n, "attempts of %s in sequence", name)
				attempts[name] = n
			}
		}
		assert.Len(t, attempts, lanes)
		for m, n := range attempts {
			assert.Greater(t, n, 50*6*10/lanes*3/4, "%s has less than three quarters of its share", m)
		}
		assert.LessOrEqual(t, r.Left().Closed, lanes-9)
	})
}

// A message that is ready for its next attempt and waits for a worker can still be released.
func TestAMessageReadyToRetryIsReleased(t *testing.T) {
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

// The memory of a released message ends if it is acknowledged after all, or when it is back. It outlives a few Reopens,
// because a link may end before the server has redelivered the message.
func TestTheMemoryOfReleasedMessages(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		release := func(id string) {
			t.Helper()
			r.offer("f", id, 9000-overhead, taken)
			r.sleep(0)
			r.offer("m", "m", 2000-overhead, taken)
			r.sleep(0)
			assert.Equal(t, 1, r.Released())
			assert.False(t, r.InFlight(id), "the server must redeliver it")
		}
		release("f")
		r.Forget("f")
		assert.Zero(t, r.Released())
		r.Reopen()
		release("f")
		r.Hold("f")
		assert.Zero(t, r.Released())
		r.Release("f")
		r.Reopen()
		take(r, &r.began)
		release("f")
		r.sleep(10 * time.Second)
		r.Reopen()
		release("f")
		r.handled("f", "m", "f/2", "m")
		r.sleep(10 * time.Second)
		r.Reopen()
		r.Reopen()
		assert.Equal(t, 1, r.Released(), "the link may end before the message is redelivered")
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(0)
		assert.Zero(t, r.Released(), "it was redelivered")
		r.handled("f/3")
	})
}

// A backoff goes on after a redelivery, however often the message is released meanwhile.
func TestABackoffOutlivesARelease(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("f", "f", 9000-overhead, taken)
		for i := range 4 {
			r.sleep(2 * time.Second)
			r.Reopen()
			r.offer("f", "f", 9000-overhead, map[bool]inbox.Fate{true: duplicate, false: taken}[i == 0])
			r.sleep(0)
			r.offer("m", fmt.Sprint("m", i), 2000-overhead, taken)
			r.sleep(0)
			assert.False(t, r.InFlight("f"), "the server must redeliver it")
		}
		r.handled("f", "m0", "m1", "m2", "m3")
		r.sleep(time.Second)
		r.Reopen()
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(999 * time.Millisecond)
		r.handled()
		assert.Equal(t, inbox.Len{Messages: 1, Waiting: 1, Delayed: 1, OldestWaiting: 9999 * time.Millisecond}, r.Len())
		r.sleep(time.Millisecond)
		r.handled("f/2")
	})
}

// A released message that is redelivered behind another one in its lane keeps its attempts and its note.
func TestAReleasedMessageReturnsBehindAnother(t *testing.T) {
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

// About a thousand messages may be released per link. At most four thousand are remembered.
func TestReleasedMessagesAreBounded(t *testing.T) {
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
			assert.GreaterOrEqual(t, r.Released(), min(900*(round+1), inbox.MaxReleased))
			assert.LessOrEqual(t, r.Released(), inbox.MaxReleased)
		}
		fate, n := taken, 0
		for ; fate == taken; n++ {
			m := fmt.Sprint("f-last", n) // it frees no capacity, whether its attempt has begun or not
			fate = r.Offer(m, m, 0, m)
		}
		assert.InDelta(t, 100, n, 16, "a thousand empty lanes are closed, 16 at a time")
	})
}

// The timer of a message in backoff fires while the message is released. Its lane is not reused, because enough spare
// lanes exist.
func TestAMessageIsReleasedAsItsTimerFires(t *testing.T) {
	for range 100 {
		run(t, 64, 100*overhead, func(r *rig) {
			r.failing()
			r.offer("f", "f", 59*overhead, taken)
			for i := range inbox.SpareLanes + 1 {
				m := fmt.Sprint("m", i)
				r.offer(m, m, 0, taken)
			}
			time.Sleep(10 * time.Second)
			r.Offer("new", "new", 59*overhead, "new") // rejected if the attempt has begun
			r.sleep(time.Minute)
		})
	}
}
