package inbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// slow makes the handler run for d on the given messages.
func (r *rig) slow(d time.Duration, messages ...string) {
	quick := r.handle
	r.handle = func(m string, attempt int) error {
		for _, s := range messages {
			if m == s {
				time.Sleep(d)
				return nil
			}
		}
		return quick(m, attempt)
	}
}

// fill offers messages of a thousand bytes to a lane. Their names begin with the lane's: a0, a1 and so on.
func (r *rig) fill(lane string, from, to int) {
	r.t.Helper()
	for i := from; i < to; i++ {
		r.offer(lane, fmt.Sprint(lane, i), 1000-overhead, taken)
	}
}

func TestTheLargestLaneReleasesMessages(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Hour, "a0", "b0")
		r.fill("a", 0, 6)
		r.fill("b", 0, 4)
		r.offer("c", "c0", 1000-overhead, taken)
		assert.Equal(t, inbox.Left{
			Used: 10_000, IDs: 10, Lanes: 3, Closed: 1, Ready: 1, Workers: 2, Messages: 10, Handling: 2,
		}, settled(r), "the newest message of a was released")
		r.offer("a", "a5", 1000-overhead, rejected)
		r.offer("a", "a6", 0, rejected)
		r.offer("a", "a4", 1000-overhead, duplicate)
		r.fill("c", 1, 2) // a, with five, releases another
		r.offer("c", "c2", 1000-overhead, taken)
		assert.Equal(t, 1, r.Left().Closed, "a is larger than c would be, b is not")
		r.sleep(2 * time.Hour)
		r.handledInLanes("a0", "a1", "a2", "b0", "b1", "b2", "b3", "c0", "c1", "c2")
	})
}

// A lane that has released messages accepts no later ones, even with free capacity, because they would overtake the
// released ones.
func TestALaneThatReleasedMessagesAcceptsNone(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.slow(time.Minute, "b0")
		r.fill("a", 0, 6)
		r.fill("b", 0, 4)
		r.offer("c", "c0", 1000-overhead, taken) // replaces a5
		r.sleep(2 * time.Minute)
		assert.Equal(t, 5000, r.Left().Used, "b and c are done")
		r.offer("a", "a6", 0, rejected)
		r.offer("b", "b4", 0, taken)
		r.Reopen()
		r.offer("a", "a5", 0, taken)
		r.offer("a", "a6", 0, taken)
		r.sleep(2 * time.Hour)
		r.handledInLanes("a0", "a1", "a2", "a3", "a4", "a5", "a6", "b0", "b1", "b2", "b3", "b4", "c0")
	})
}

// handledInLanes is like handled, for lanes that run concurrently.
func (r *rig) handledInLanes(want ...string) {
	r.t.Helper()
	got := take(r, &r.began)
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	assert.Equal(r.t, want, got)
}

func settled(r *rig) inbox.Left {
	r.sleep(0)
	return r.Left()
}

// A lane releases up to a sixteenth of the box at once, so that the next new message needs no search of all lanes.
func TestALaneReleasesMoreThanOneMessage(t *testing.T) {
	run(t, 1, 64_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.fill("a", 0, 64)
		r.offer("b", "b0", 1000-overhead, taken)
		assert.Equal(t, 61_000, settled(r).Used)
		r.fill("b", 1, 4)
		assert.Equal(t, 64_000, settled(r).Used)
		r.offer("a", "a60", 1000-overhead, rejected)
		r.offer("a", "a59", 1000-overhead, duplicate)
	})
}

// A lane that releases more than needed keeps at least as much as the new message's lane.
func TestALaneKeepsItsShare(t *testing.T) {
	run(t, 1, 32_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.fill("a", 0, 17)
		r.fill("b", 0, 15)
		r.fill("b", 15, 16) // two could be released, but a has 17 and b 16
		assert.Equal(t, 32_000, settled(r).Used)
		r.offer("a", "a16", 0, rejected)
		r.offer("a", "a15", 0, duplicate)
	})
}

// If the largest lane shrinks to the share of the new message's lane and that is not enough, the next one releases
// messages too.
func TestSeveralLanesReleaseMessages(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.fill("a", 0, 4)
		r.fill("b", 0, 5)
		r.offer("c", "c", 1000-overhead, taken)
		r.offer("d", "d", 3000-overhead, taken) // replaces 2000 of b, then 1000 of a
		r.offer("b", "b2", 0, duplicate)
		r.offer("b", "b3", 0, rejected)
		r.offer("a", "a2", 0, duplicate)
		r.offer("a", "a3", 0, rejected)
		assert.Equal(t, 10_000, settled(r).Used)
	})
}

// Nothing is released for a message that would not fit anyway.
func TestNothingIsReleasedInVain(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.offer("a", "a0", 6000-overhead, taken)
		r.offer("a", "a1", 1000-overhead, taken)
		r.fill("b", 0, 3)
		r.offer("c", "c", 3500-overhead, rejected) // a could release 1000
		r.offer("a", "a1", 0, duplicate)
		assert.Equal(t, 0, r.Len().Closed, "all lanes are closed, not a single one")
		r.offer("d", "d", 0, rejected)
	})
}

// The first message of a lane is not released while its attempt is running.
func TestTheFirstMessageIsNotReleased(t *testing.T) {
	run(t, 3, 10_000, func(r *rig) {
		r.slow(time.Hour, "a", "b0", "c")
		r.offer("a", "a", 5000-overhead, taken)
		r.offer("b", "b0", 3000-overhead, taken)
		r.offer("b", "b1", 2000-overhead, taken)
		r.sleep(time.Second)
		r.offer("c", "c", 1000-overhead, taken)
		r.handledInLanes("a", "b0", "c")
		r.offer("d", "d", 1500-overhead, rejected)
		r.offer("e", "e", 0, rejected)
		r.offer("c", "c", 1000-overhead, duplicate)
		assert.Equal(t, 1, r.Left().Closed, "no lane can release messages, so all are closed")
		r.due()
	})
}

func TestOneLaneClosesAlone(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.slow(time.Hour, "a0")
		r.fill("a", 0, 9)
		r.offer("a", "a9", 1001-overhead, rejected)
		r.offer("a", "a10", 0, rejected)
		r.offer("b", "b", 0, taken)
		r.offer("a", "a11", 0, rejected)
		assert.Equal(t, 1, r.Len().Closed)
		r.Reopen()
		assert.True(t, r.Open())
		r.offer("a", "a8", 1000-overhead, duplicate)
		r.offer("a", "a10", 0, rejected)
	})
}

func TestAClosedLaneIsDueAtHalfOfItsSize(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Hour, "b")
		r.offer("b", "b", 6000-overhead, taken)
		r.fill("a", 0, 4)
		r.offer("a", "a4", 0, rejected)
		r.sleep(1500 * time.Millisecond)
		r.due()
		due, _ := r.Due()
		assert.False(t, due)
		r.sleep(time.Second)
		r.due("lane")
		due, whole := r.Due()
		assert.True(t, due)
		assert.False(t, whole)
		r.offer("a", "a4", 0, rejected)
		r.sleep(time.Minute)
		r.due() // due only once; b has more than half
		r.Reopen()
		due, _ = r.Due()
		assert.False(t, due)
		r.offer("a", "a4", 0, taken)
		r.sleep(2 * time.Hour)
		r.due()
		r.handledInLanes("a0", "a1", "a2", "a3", "a4", "b")
	})
}

func TestAClosedLaneStaysClosedWhenItIsEmpty(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Hour, "b")
		r.offer("b", "b", 6000-overhead, taken)
		r.fill("a", 0, 4)
		r.offer("a", "a4", 0, rejected)
		r.sleep(time.Minute)
		assert.Equal(t, 1, r.Left().Lanes)
		r.offer("a", "a5", 0, rejected)
		assert.Equal(t, inbox.Len{Messages: 1, Handling: 1, Closed: 1, Delayed: 1, OldestHandler: time.Minute}, r.Len())
		r.Reopen()
		r.offer("a", "a4", 0, taken)
		r.offer("a", "a5", 0, taken)
		r.sleep(2 * time.Hour)
		r.handledInLanes("a0", "a1", "a2", "a3", "a4", "a5", "b")
	})
}

func TestTheWholeBoxIsDueHalfEmpty(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		for i := range 10 {
			r.fill(fmt.Sprint("lane ", i, "-"), 0, 1)
		}
		r.offer("new", "large", 2000-overhead, rejected) // no lane is larger
		r.offer("other", "small", 0, rejected)
		r.sleep(4500 * time.Millisecond)
		r.offer("other", "small", 0, rejected)
		r.due()
		r.sleep(time.Second)
		r.due("whole")
		due, whole := r.Due()
		assert.True(t, due && whole)
		r.offer("other", "small", 0, rejected)
		r.Reopen()
		r.offer("new", "large", 2000-overhead, taken)
		r.offer("other", "small", 0, taken)
		r.sleep(time.Minute)
		r.due()
		assert.Len(t, take(r, &r.began), 12)
	})
}

// The threshold is half of the maximum usage since something closed.
func TestTheWholeBoxIsDueAtHalfOfItsMaximum(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Hour, "slow")
		r.offer("slow", "slow", 4000-overhead, taken)
		r.fill("a", 0, 6)
		r.offer("a", "a6", 1000-overhead, rejected) // usage is 10,000
		r.sleep(4500 * time.Millisecond)
		r.due("lane")
		r.offer("new", "new", 5000-overhead, rejected) // usage is 6,000
		r.offer("other", "other", 0, rejected)
		r.sleep(time.Minute)
		r.due("whole") // usage is 4,000; the threshold is 5,000
	})
}

// After a lane was due, the whole box may become due too. After that, nothing is due until Reopen.
func TestBothAreDueOnce(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Minute, "b0")
		r.fill("b", 0, 5)
		r.fill("a", 0, 5)
		r.offer("a", "a5", 0, rejected)
		r.offer("b", "b5", 0, rejected)
		r.sleep(3500 * time.Millisecond)
		r.due("lane")
		r.sleep(time.Hour)
		r.due("whole")
		assert.Zero(t, r.Left().Used)
		r.offer("a", "a5", 0, rejected)
	})
}

func TestAcknowledgementsThatFillTheBoxCloseNoLane(t *testing.T) {
	run(t, 1, 6*overhead, func(r *rig) {
		r.slow(time.Hour, "m")
		r.offer("l", "m", 0, taken)
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			r.Hold(id)
		}
		r.offer("l", "n", 0, rejected)
		r.offer("other", "o", 0, rejected)
		assert.Zero(t, r.Len().Closed)
		r.Release("a", "b")
		r.due()
		r.Release("c")
		r.due("whole")
		r.Release("d", "e")
	})
}

// A message larger than the box is accepted if half of the box is free. Otherwise it closes only its own lane.
func TestAMessageLargerThanTheBox(t *testing.T) {
	run(t, 2, 2000, func(r *rig) {
		r.slow(time.Minute, "slow")
		r.offer("k", "slow", 1000-overhead, taken)
		r.offer("l", "huge", 1_000_000, taken) // in addition to half
		r.offer("l", "next", 0, rejected)
		assert.Equal(t, 1, r.Left().Closed)
		r.sleep(time.Second)
		r.due("whole")
		r.Reopen()
		r.offer("l", "next", 0, taken)
		r.offer("m", "huge too", 1_000_000, rejected)
		r.offer("m", "behind", 0, rejected)
		assert.Equal(t, 1, r.Left().Closed)
		assert.True(t, r.Stuck(), "lane m is empty and may never become due")
		r.sleep(time.Second)
		r.due() // usage has not halved yet
		r.offer("n", "small", 1000-overhead, taken)
		r.sleep(time.Minute)
		r.due("whole")
		r.Reopen()
		r.offer("m", "huge too", 1_000_000, taken)
		r.offer("n", "late", 0, rejected) // the large one takes the whole capacity
		r.sleep(time.Second)
		assert.Equal(t, []string{"slow", "huge", "next", "small", "huge too"}, take(r, &r.began))
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// A message larger than half of the box is not due before it fits. Otherwise the server would redeliver everything for
// nothing, once for each message handled in the meantime.
func TestALargeMessageIsDueOnceItFits(t *testing.T) {
	run(t, 2, 10_000, func(r *rig) {
		r.slow(time.Minute, "slow")
		r.offer("a", "slow", 3000, taken)
		r.fill("b", 0, 3)
		r.offer("c", "large", 7000, rejected)
		r.sleep(30 * time.Second)
		r.handledInLanes("b0", "b1", "b2", "slow")
		r.due()
		r.sleep(30 * time.Second)
		r.due("whole")
		r.Reopen()
		r.offer("c", "large", 7000, taken)
		r.sleep(time.Second)
		r.handled("large")
	})
}

func TestReopenWithoutAReason(t *testing.T) {
	run(t, 1, 2*overhead, func(r *rig) {
		r.Reopen()
		r.offer("l", "a", 0, taken)
		r.Reopen()
		r.offer("l", "a", 0, duplicate)
		r.offer("l", "b", 0, taken)
		r.sleep(time.Minute)
		r.due()
	})
}

// The set of closed empty lanes is bounded: when it has a thousand, the next one closes all lanes.
func TestAThousandEmptyLanesAreClosed(t *testing.T) {
	const lanes = 1001
	run(t, 1, 2*lanes*overhead, func(r *rig) {
		r.slow(time.Hour, "lane 0-0")
		for i := range lanes {
			r.offer(fmt.Sprint("lane ", i), fmt.Sprintf("lane %d-0", i), 0, taken)
			r.offer(fmt.Sprint("lane ", i), fmt.Sprintf("lane %d-1", i), 0, taken)
		}
		for i := range lanes {
			r.offer(fmt.Sprint("lane ", i), fmt.Sprintf("lane %d-2", i), 0, rejected)
		}
		assert.Equal(t, lanes, r.Len().Closed, "closed lanes with messages are bounded by the messages")
		assert.False(t, r.Stuck())
		huge := int64(3 * lanes * overhead)
		for i := range 1000 {
			r.offer(fmt.Sprint("empty ", i), fmt.Sprintf("empty %d-0", i), huge, rejected)
		}
		assert.Equal(t, lanes+1000, r.Len().Closed)
		r.offer("empty 1000", "empty 1000-0", huge, rejected)
		assert.Equal(t, lanes+1000, r.Len().Closed)
		r.offer("new", "new", 0, rejected)
		r.due()
		r.sleep(time.Hour)
		r.due("lane") // the message that closed all does not fit, but others may
		r.sleep(2 * lanes * time.Second)
		r.due("whole")
		r.Reopen()
		r.offer("new", "new", 0, taken)
	})
}

// A hundred failing conversations fill the box. A new message is still accepted and handled at once.
func TestFailingLanesStarveNobody(t *testing.T) {
	const lanes, size = 100, 120_000
	run(t, 16, 64<<20, func(r *rig) {
		r.handle = func(m string, _ int) error {
			if m[0] == 'f' {
				return errHandler
			}
			return nil
		}
		rejections := 0
		for round := range 6 {
			for i := range lanes {
				m := fmt.Sprintf("f%d-%d", i, round)
				if r.Offer(fmt.Sprint(i), m, size, m) == rejected {
					rejections++
				}
			}
			r.sleep(0)
		}
		assert.Positive(t, rejections, "the box is full")
		take(r, &r.began)
		for i := range 1000 {
			m := fmt.Sprint("m", i)
			r.offer(fmt.Sprint("user ", i), m, 100, taken)
			r.handled(m)
		}
		r.sleep(time.Hour)
		r.due()
		assert.Equal(t, lanes, r.Len().Waiting)
		assert.LessOrEqual(t, time.Hour, r.Len().OldestWaiting)
	})
}
