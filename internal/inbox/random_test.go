package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/leak"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Properties(20, 150)
	os.Exit(leak.Check(m.Run()))
}

// randomly handles a message in a random way: it runs for a while, fails, ends its goroutine or succeeds. The user
// acknowledges messages of lane 0, before the handler returns or later.
func randomly(c *client, m message, attempt int) inbox.Verdict {
	rng := c.random(m, attempt)
	time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
	switch n := rng.IntN(20); {
	case n == 0:
		runtime.Goexit()
	case n < 4:
		return inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second}
	}
	if m.lane > 0 {
		c.ack(m, false)
		return inbox.Verdict{Then: inbox.Done}
	}
	if rng.IntN(2) == 0 {
		c.ack(m, true)
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
	} else {
		time.AfterFunc(time.Duration(rng.IntN(5000))*time.Millisecond, func() { c.ack(m, true) })
	}
	return inbox.Verdict{Then: inbox.Keep}
}

// mostlyFailing is like randomly, for many short messages of which most fail up to five times.
func mostlyFailing(c *client, m message, attempt int) inbox.Verdict {
	rng := c.random(m, attempt)
	time.Sleep(time.Duration(rng.IntN(3)) * 100 * time.Millisecond)
	switch n := rng.IntN(20); {
	case n == 0:
		runtime.Goexit()
	case n < 14 && attempt < 6:
		return inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second}
	}
	c.ack(m, false)
	return inbox.Verdict{Then: inbox.Done}
}

// life is a server that sends random messages, with the client that handles them.
type life struct {
	s    *server
	c    *client
	sent [][]message // by lane
	n    int
}

// newLife returns a life with a client that is not running.
func newLife(t *rapid.T, s *server, cfg inbox.Config[message], lanes int) *life {
	l := &life{s: s, sent: make([][]message, lanes)}
	l.c = begin(t, s, cfg, rapid.Uint64().Draw(t, "seed of the handlers"))
	l.c.detach = rapid.SampledFrom([]int{0, 1, 8}).Draw(t, "one in so many attempts detaches")
	return l
}

// run connects the client. Call c.end in the same bubble.
func (l *life) run(attempt func(c *client, m message, attempt int) inbox.Verdict) {
	l.c.attempt = attempt
	l.c.connect()
	l.c.run()
}

// send sends a message. Then it may replace the link, and waits.
func (l *life) send(m message, reconnect bool, wait time.Duration) {
	m.id, m.number = fmt.Sprint("m", l.n), l.n
	l.n++
	l.sent[m.lane] = append(l.sent[m.lane], m)
	l.s.send(m)
	if reconnect {
		l.c.connect()
	}
	time.Sleep(wait)
}

// finish waits until everything is acknowledged. Each message must be handled once, and in order unless the server
// streams or it was detached.
func (l *life) finish(t *rapid.T) {
	l.c.finish() // resyncs that the Box requested must suffice
	got := make([][]message, len(l.sent))
	inOrder := make([][]message, len(l.sent))
	for _, m := range l.c.done {
		got[m.lane] = append(got[m.lane], m)
		if !l.s.streams && !l.c.detached[m.id] {
			inOrder[m.lane] = append(inOrder[m.lane], m)
		}
	}
	byNumber := func(a, b message) int { return a.number - b.number }
	for lane := range got {
		assert.True(t, slices.IsSortedFunc(inOrder[lane], byNumber), "lane %d: %v", lane, ids(inOrder[lane]))
		slices.SortFunc(got[lane], byNumber)
		require.Equal(t, ids(l.sent[lane]), ids(got[lane]), "lane %d", lane)
	}
	assert.Zero(t, l.c.box.Released())
}

// random returns a source for a step. rapid shortens a failing case by leaving out steps, so the choices of a step
// depend on its own seed only.
func random(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed of the step"), 0))
}

// The same with failing messages that must release each other.
func TestManyFailingLanes(t *testing.T) {
	const lanes = 90
	testkit.Check(t, func(t *rapid.T) {
		capacity := rapid.Int64Range(12_000, 42_000).Draw(t, "capacity")
		l := newLife(t, &server{}, inbox.Config[message]{Workers: 40, Bytes: capacity}, lanes)
		l.run(mostlyFailing)
		defer l.c.end()
		t.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
			rng := random(t)
			m := message{lane: rng.IntN(lanes), size: int64(rng.IntN(1000))}
			if rng.IntN(60) == 0 {
				m.size = capacity/2 + rng.Int64N(capacity)
			}
			wait := time.Duration(max(0, rng.IntN(100)-80)) * 100 * time.Millisecond
			l.send(m, rng.IntN(60) == 0, wait)
			used, inLanes, sum, larger := l.c.box.Sum()
			assert.True(t, used <= capacity || larger == 1, "%d bytes", used)
			assert.Equal(t, sum, inLanes)
		}})
		l.finish(t)
	})
}

// Each message is handled once, however the server pushes and whatever the handlers do. If the server pushes in order,
// each lane is handled in order. If it does not, no message overtakes one that came before it on the same link.
func TestEveryMessageIsHandledOnceAndInOrder(t *testing.T) {
	for _, streams := range []bool{false, true} {
		t.Run(fmt.Sprint("streams=", streams), func(t *testing.T) {
			resyncs := 0
			testkit.Check(t, func(t *rapid.T) { resyncs += live(t, streams) })
			assert.Positive(t, resyncs)
		})
	}
}

// live returns the number of resyncs.
func live(t *rapid.T, streams bool) int {
	const lanes, capacity = 5, 6000
	l := newLife(t, &server{streams: streams}, inbox.Config[message]{Workers: 3, Bytes: capacity}, lanes)
	l.run(randomly)
	defer l.c.end()
	t.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
		rng := random(t)
		m := message{lane: rng.IntN(lanes), size: int64(rng.IntN(1000))}
		if rng.IntN(3) > 0 {
			m.lane = 4 // a lane with most of the messages
		}
		switch rng.IntN(40) {
		case 0:
			m.size = 4000 // more than half of the box
		case 1:
			m.size = 3 * capacity
		}
		wait := time.Duration(max(0, rng.IntN(30_000)-27_000)) * time.Millisecond
		l.send(m, rng.IntN(30) == 0, wait)
		used, inLanes, sum, larger := l.c.box.Sum()
		assert.LessOrEqual(t, larger, 1)
		assert.LessOrEqual(t, used, int64(capacity/2+3*capacity+inbox.Overhead))
		assert.True(t, used <= capacity || larger == 1, "%d bytes", used)
		assert.Equal(t, sum, inLanes)
		assert.LessOrEqual(t, inLanes, used)
	}})
	l.finish(t)
	assert.LessOrEqual(t, l.c.most, 3)
	return l.c.resyncs
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
