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

// randomly handles a message in a random way: it runs for a while, fails, ends its goroutine or succeeds. The user
// acknowledges messages of lane 0, before the handler returns or later.
func randomly(c *client, m message, attempt int) inbox.Verdict {
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

// mostlyFailing is like randomly, for many short messages of which most fail up to five times.
func mostlyFailing(c *client, m message, attempt int) inbox.Verdict {
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

// The same with failing messages that must release each other.
func TestManyFailingLanes(t *testing.T) {
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
					s.send(m)
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
				assert.Zero(t, c.box.Released())
			})
		})
	}
}

// Each message is handled once, however the server pushes and whatever the handlers do. If the server pushes in order,
// each lane is handled in order. If it does not, no message overtakes one that came before it on the same link.
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
			m.lane = 4 // a lane with most of the messages
		}
		switch rng.IntN(40) {
		case 0:
			m.size = 4000 // more than half of the box
		case 1:
			m.size = 3 * capacity
		}
		sent[m.lane] = append(sent[m.lane], m)
		s.send(m)
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
	c.finish() // resyncs that the Box requested must suffice
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
		require.Equal(t, ids(sent[lane]), ids(got[lane]), "each message once and in order")
	}
	t.Logf("%d pushes, %d resyncs", s.pushes, c.resyncs)
}

func ids(messages []message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.id)
	}
	return ids
}

// A backlog of 40 times the capacity is redelivered often. The bound is the number of pushes of a client that lists
// again on the same link.
func TestABacklogIsNotPushedTooOften(t *testing.T) {
	const capacity, times, most = 64, 40, 25
	for _, lanes := range []int{1, 8, 200} {
		t.Run(fmt.Sprint(lanes, " lanes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{}
				c := begin(t, s, inbox.Config[message]{Workers: 16, Bytes: capacity * inbox.Overhead}, 0)
				c.attempt = func(c *client, m message, _ int) inbox.Verdict {
					time.Sleep(10 * time.Millisecond)
					c.ack(m, false)
					return inbox.Verdict{Then: inbox.Done}
				}
				for i := range capacity * times {
					s.send(message{id: fmt.Sprint("m", i), lane: i % lanes})
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
