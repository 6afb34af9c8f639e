package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// randomly handles in every way: it takes its time, fails, ends its goroutine; and messages of lane 0 are acknowledged
// by the user, before the handler returns or later.
func randomly(c *life, m message, attempt int) inbox.Verdict {
	time.Sleep(time.Duration(c.random(2000)) * time.Millisecond)
	switch n := c.random(20); {
	case n == 0:
		runtime.Goexit()
	case n < 4:
		return inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second}
	}
	if m.lane > 0 {
		c.ack(m, false)
		return inbox.Verdict{Then: inbox.Done}
	}
	if c.random(2) == 0 {
		c.ack(m, true)
		time.Sleep(time.Duration(c.random(1000)) * time.Millisecond)
	} else {
		time.AfterFunc(time.Duration(c.random(5000))*time.Millisecond, func() { c.ack(m, true) })
	}
	return inbox.Verdict{Then: inbox.Keep}
}

// mostlyFailing is randomly for many short messages, most of which fail up to five times.
func mostlyFailing(c *life, m message, attempt int) inbox.Verdict {
	time.Sleep(time.Duration(c.random(3)) * 100 * time.Millisecond)
	switch n := c.random(20); {
	case n == 0:
		runtime.Goexit()
	case n < 14 && attempt < 6:
		return inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second}
	}
	c.ack(m, false)
	return inbox.Verdict{Then: inbox.Done}
}

// The same where messages that fail have to give way to each other.
func TestManyLanesThatFail(t *testing.T) {
	const lanes, messages = 90, 600
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				capacity := 12_000 + int64(rng.IntN(30_000))
				s := &server{}
				c := begin(t, s, inbox.Config[message]{Workers: 40, Bytes: capacity}, seed)
				c.attempt = mostlyFailing
				c.connect()
				c.run()
				defer c.end()
				var sent, got [lanes][]message
				for i := range messages {
					m := message{id: fmt.Sprint("m", i), number: i, lane: rng.IntN(lanes), size: int64(rng.IntN(1000))}
					if rng.IntN(60) == 0 {
						m.size = capacity/2 + rng.Int64N(capacity)
					}
					sent[m.lane] = append(sent[m.lane], m)
					s.say(m)
					if rng.IntN(60) == 0 {
						c.connect()
					}
					if rng.IntN(5) == 0 {
						time.Sleep(time.Duration(rng.IntN(20)) * 100 * time.Millisecond)
					}
					used, inLanes, sum, larger := c.box.Sum()
					assert.True(t, used <= capacity || larger == 1, "%d bytes", used)
					assert.Equal(t, sum, inLanes)
				}
				c.finish()
				for _, m := range c.done {
					got[m.lane] = append(got[m.lane], m)
				}
				for lane := range lanes {
					require.Equal(t, ids(sent[lane]), ids(got[lane]))
				}
				assert.Zero(t, c.box.Away())
			})
		})
	}
}

// However the server pushes, and whatever the handlers do, each message is handled once. Where the server pushes in
// order, each lane is handled in order; where it does not, nothing overtakes what came before it on the same link.
func TestEveryMessageIsHandledOnceAndInOrder(t *testing.T) {
	for _, streams := range []bool{false, true} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("streams=%v/seed=%d", streams, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { live(t, streams, seed) })
			})
		}
	}
}

func live(t *testing.T, streams bool, seed uint64) {
	const lanes, capacity, messages = 5, 6000, 300
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &server{streams: streams}
	c := begin(t, s, inbox.Config[message]{Workers: 3, Bytes: capacity}, seed)
	c.attempt = randomly
	c.connect()
	c.run()
	defer c.end()

	var sent [lanes][]message
	for i := range messages {
		m := message{id: fmt.Sprint("m", i), number: i, lane: rng.IntN(lanes), size: int64(rng.IntN(1000))}
		if rng.IntN(3) > 0 {
			m.lane = 4 // a greedy one
		}
		switch rng.IntN(40) {
		case 0:
			m.size = 4000 // more than half of the box
		case 1:
			m.size = 3 * capacity
		}
		sent[m.lane] = append(sent[m.lane], m)
		s.say(m)
		if i > 50 && rng.IntN(30) == 0 {
			c.connect()
		}
		if rng.IntN(10) == 0 {
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		}
		used, inLanes, sum, larger := c.box.Sum()
		assert.LessOrEqual(t, larger, 1)
		assert.LessOrEqual(t, used, int64(capacity/2+3*capacity+inbox.Overhead))
		assert.True(t, used <= capacity || larger == 1, "%d bytes", used)
		assert.Equal(t, sum, inLanes)
		assert.LessOrEqual(t, inLanes, used)
	}
	c.finish() // what the Box asks for alone must bring everything in
	assert.LessOrEqual(t, c.most, 3)
	assert.Positive(t, c.resyncs)
	var got [lanes][]message
	for _, m := range c.done {
		got[m.lane] = append(got[m.lane], m)
	}
	for lane := range lanes {
		if streams {
			slices.SortFunc(got[lane], func(a, b message) int { return a.number - b.number })
		}
		require.Equal(t, ids(sent[lane]), ids(got[lane]), "each once, and in order")
	}
	t.Logf("%d pushes, %d times asked again", s.pushes, c.resyncs)
}

func ids(messages []message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.id)
	}
	return ids
}

// A backlog of many times the room is pushed again and again. It must not be pushed more often than it was when the
// second list went out on the same link.
func TestABacklogIsNotPushedTooOften(t *testing.T) {
	const capacity, times, most = 64, 40, 25
	for _, lanes := range []int{1, 8, 200} {
		t.Run(fmt.Sprint(lanes, " lanes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{}
				c := begin(t, s, inbox.Config[message]{Workers: 16, Bytes: capacity * inbox.Overhead}, 0)
				c.attempt = func(c *life, m message, _ int) inbox.Verdict {
					time.Sleep(10 * time.Millisecond)
					c.ack(m, false)
					return inbox.Verdict{Then: inbox.Done}
				}
				for i := range capacity * times {
					s.say(message{id: fmt.Sprint("m", i), lane: i % lanes})
				}
				c.connect()
				c.run()
				defer c.end()
				c.finish()
				assert.Len(t, c.done, capacity*times)
				assert.LessOrEqual(t, s.pushes, most*capacity*times)
				t.Logf("%d pushes for each message, %d lists", s.pushes/capacity/times, c.resyncs+1)
			})
		})
	}
}
