package inbox_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

type message struct {
	id     string
	lane   int
	number int
	size   int64
}

// server keeps what is not acknowledged. A link begins with a list of all of it, the oldest first. What comes in
// meanwhile goes behind the list, or where the server streams, at once.
type server struct {
	streams bool
	wake    chan struct{} // there is something to push

	mu      sync.Mutex
	pending []message
	link    int // that is there; what was under way on another is lost
	list    []parcel
	live    []parcel
	pushes  int
}

// parcel is what arrives at once: a message, or the answer to acknowledgements.
type parcel struct {
	message
	acked []string
}

// say stores a message, and pushes it.
func (s *server) say(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, m)
	s.live = append(s.live, parcel{message: m})
	s.woken()
}

func (s *server) woken() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// left returns how many messages are not acknowledged.
func (s *server) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// connect replaces the link.
func (s *server) connect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link++
	s.list, s.live = nil, nil
	for _, m := range s.pending {
		s.list = append(s.list, parcel{message: m})
	}
	s.woken()
}

// next returns what arrives next on the present link. Where the server streams, it reads the list as it pushes.
func (s *server) next(rng *rand.Rand) (p parcel, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams {
		for len(s.list) > 0 && !slices.Contains(s.pending, s.list[0].message) {
			s.list = s.list[1:]
		}
	}
	from := &s.list
	if len(s.list) == 0 || s.streams && len(s.live) > 0 && rng.IntN(2) == 0 {
		from = &s.live
	}
	if len(*from) == 0 {
		return parcel{}, false
	}
	p, *from = (*from)[0], (*from)[1:]
	if p.acked == nil {
		s.pushes++
	}
	return p, true
}

// receive takes acknowledgements. The answer goes behind what is under way.
func (s *server) receive(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.DeleteFunc(s.pending, func(m message) bool { return slices.Contains(ids, m.id) })
	s.live = append(s.live, parcel{acked: ids})
	s.woken()
}

// life is a Box between a server and handlers that fail in every way, as the engine is.
type life struct {
	t   *testing.T
	s   *server
	box *inbox.Box[message]

	pushEvery time.Duration
	ackEvery  time.Duration
	attempt   func(c *life, m message, attempt int) inbox.Verdict // returns the verdict, or ends its goroutine

	due  chan struct{}
	stop chan struct{}
	all  sync.WaitGroup

	mu        sync.Mutex
	rng       *rand.Rand
	acks      map[string]bool // not confirmed; true: by the user, in its own time
	confirmed map[string]bool
	done      []message
	running   map[int]bool
	arrived   map[int][]string // on that link, by lane
	resyncs   int
	most      int // handled at once
}

// begin starts a life. It has to be ended, in its bubble.
func begin(t *testing.T, s *server, cfg inbox.Config[message], seed uint64) *life {
	t.Helper()
	c := &life{
		t: t, s: s, rng: rand.New(rand.NewPCG(seed, 1)),
		pushEvery: 100 * time.Microsecond, ackEvery: 200 * time.Millisecond,
		due: make(chan struct{}, 1), stop: make(chan struct{}),
		acks: map[string]bool{}, confirmed: map[string]bool{}, running: map[int]bool{}, arrived: map[int][]string{},
	}
	cfg.Handle, cfg.OnReleased, cfg.OnBackoff = c.handle, func(message) {}, func() {}
	s.wake = make(chan struct{}, 1)
	cfg.Due = func(bool) {
		select {
		case c.due <- struct{}{}:
		default:
		}
	}
	c.box = inbox.New(cfg)
	return c
}

// run starts everything around the Box.
func (c *life) run() {
	for _, loop := range []func(){c.read, c.acknowledge, c.supervise} {
		c.all.Go(loop)
	}
}

func (c *life) end() {
	close(c.stop)
	c.all.Wait()
	c.box.Stop()
	<-c.box.Idle()
}

// finish waits until everything is acknowledged.
func (c *life) finish() {
	for range 10_000 {
		if time.Sleep(time.Second); c.s.left() == 0 {
			break
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	assert.Empty(c.t, c.s.pending)
	left := c.box.Left()
	assert.Equal(c.t, inbox.Left{Closed: left.Closed}, left)
}

// wait lets time go by, and reports whether the life goes on.
func (c *life) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.stop:
		return false
	}
}

func (c *life) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *life) read() {
	for c.wait(c.pushEvery) {
		c.mu.Lock()
		p, ok := c.s.next(c.rng)
		switch {
		case p.acked != nil:
			c.answer(p.acked)
		case ok:
			c.arrive(p.message)
		}
		c.mu.Unlock()
		if !ok {
			select {
			case <-c.s.wake:
			case <-c.stop:
			}
		}
	}
}

// arrive offers a message. If it is taken, all of its lane that arrived before it on this link must be here, or be done
// with: otherwise it overtakes one.
func (c *life) arrive(m message) {
	if c.box.Offer(fmt.Sprint(m.lane), m.id, int32(m.size), m) == taken {
		for _, id := range c.arrived[m.lane] {
			if !c.box.Held(id) && !c.confirmed[id] {
				assert.Fail(c.t, "out of order", "%s overtakes %s", m.id, id)
			}
		}
	}
	c.arrived[m.lane] = append(c.arrived[m.lane], m.id)
}

// acknowledge writes the acknowledgements that are not confirmed, now and then, as the outbox does.
func (c *life) acknowledge() {
	for c.wait(c.ackEvery) {
		c.mu.Lock()
		if len(c.acks) > 0 {
			c.s.receive(slices.Collect(maps.Keys(c.acks)))
		}
		c.mu.Unlock()
	}
}

// answer takes the answer to acknowledgements.
func (c *life) answer(ids []string) {
	for _, id := range ids {
		switch manual, waits := c.acks[id]; {
		case !waits: // the answer came twice
			continue
		case manual:
			c.box.Forget(id)
		default:
			c.box.Release(id)
		}
		delete(c.acks, id)
		c.confirmed[id] = true
	}
}

// supervise makes a new link when one is due, at most one in a second; and each minute if something is closed that may
// never be due.
func (c *life) supervise() {
	for {
		stuck := false
		select {
		case <-c.due:
		case <-time.After(time.Minute):
			stuck = c.box.Stuck()
		case <-c.stop:
			return
		}
		if due, _ := c.box.Due(); due || stuck {
			c.mu.Lock()
			c.resyncs++
			c.mu.Unlock()
			c.connect()
			c.wait(time.Second)
		}
	}
}

// connect replaces the link, for whatever reason.
func (c *life) connect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.box.Reopen()
	c.s.connect()
	c.arrived = map[int][]string{}
}

func (c *life) handle(m message, attempt int, v *inbox.Verdict) {
	c.mu.Lock()
	assert.False(c.t, c.running[m.lane], "two of one lane at once")
	c.running[m.lane] = true
	c.most = max(c.most, len(c.running))
	c.mu.Unlock()
	*v = inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second} // where the goroutine is ended
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, m.lane)
		if v.Then != inbox.Retry {
			c.done = append(c.done, m)
		}
	}()
	*v = c.attempt(c, m, attempt)
}

// ack acknowledges a message, as the engine does or as the user does.
func (c *life) ack(m message, manual bool) {
	if !manual {
		c.box.Hold(m.id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[m.id] = manual
}
