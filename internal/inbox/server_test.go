package inbox_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
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

// server stores messages until they are acknowledged. Each link begins with a list of all of them, oldest first. New
// messages follow the list, or are mixed with it if the server streams.
type server struct {
	streams bool
	wake    chan struct{} // signals that there is something to push

	mu      sync.Mutex
	pending []message
	link    int // the current one; frames in flight on earlier ones are lost
	list    []frame
	live    []frame
	pushes  int
}

// frame is a pushed message, or the reply to acknowledgements.
type frame struct {
	message
	acked []string
}

// send stores a message and pushes it.
func (s *server) send(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, m)
	s.live = append(s.live, frame{message: m})
	s.signal()
}

func (s *server) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// left returns the number of unacknowledged messages.
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
		s.list = append(s.list, frame{message: m})
	}
	s.signal()
}

// next returns the next frame of the current link. A streaming server reads the list while it pushes.
func (s *server) next(rng *rand.Rand) (f frame, ok bool) {
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
		return frame{}, false
	}
	f, *from = (*from)[0], (*from)[1:]
	if f.acked == nil {
		s.pushes++
	}
	return f, true
}

// receive handles acknowledgements. The reply follows the frames in flight.
func (s *server) receive(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.DeleteFunc(s.pending, func(m message) bool { return slices.Contains(ids, m.id) })
	s.live = append(s.live, frame{acked: ids})
	s.signal()
}

// client connects a Box to a server and to handlers that fail in every way, as the engine does.
type client struct {
	t   assert.TestingT
	s   *server
	box *inbox.Box[message]

	pushEvery time.Duration
	ackEvery  time.Duration
	attempt   func(c *client, m message, attempt int) inbox.Verdict // returns the verdict, or ends its goroutine
	seed      uint64
	detach    int // one in so many attempts detaches its message; 0: none

	due  chan struct{}
	stop chan struct{}
	all  sync.WaitGroup

	mu        sync.Mutex
	acks      map[string]bool // unconfirmed; true: by the user
	confirmed map[string]bool
	done      []message
	running   map[int]bool
	detached  map[string]bool
	arrived   map[int][]string // on the current link, by lane
	resyncs   int
	most      int // maximum of concurrent attempts
}

// begin returns a client that is not running. Call its end in the same synctest bubble.
func begin(t assert.TestingT, s *server, cfg inbox.Config[message], seed uint64) *client {
	c := &client{
		t: t, s: s, seed: seed,
		pushEvery: 100 * time.Microsecond, ackEvery: 200 * time.Millisecond,
		due: make(chan struct{}, 1), stop: make(chan struct{}),
		acks: map[string]bool{}, confirmed: map[string]bool{}, running: map[int]bool{}, detached: map[string]bool{},
		arrived: map[int][]string{},
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

// run starts the goroutines around the Box.
func (c *client) run() {
	for _, loop := range []func(){c.read, c.acknowledge, c.supervise} {
		c.all.Go(loop)
	}
}

func (c *client) end() {
	close(c.stop)
	c.all.Wait()
	c.box.Stop()
	<-c.box.Idle()
}

// finish waits until everything is acknowledged.
func (c *client) finish() {
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

// wait sleeps for d and reports whether the client continues.
func (c *client) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.stop:
		return false
	}
}

// random returns a source of randomness for an attempt. It does not depend on the order of concurrent attempts.
func (c *client) random(m message, attempt int) *rand.Rand {
	return rand.New(rand.NewPCG(c.seed+uint64(m.number), uint64(attempt)))
}

func (c *client) read() {
	rng := rand.New(rand.NewPCG(c.seed, 0))
	for c.wait(c.pushEvery) {
		c.mu.Lock()
		f, ok := c.s.next(rng)
		switch {
		case f.acked != nil:
			c.confirm(f.acked)
		case ok:
			c.arrive(f.message)
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

// arrive offers a message. If it is accepted, all messages of its lane that arrived before it on this link must be in
// flight or confirmed. Otherwise it overtakes one. A message that was detached may overtake and be overtaken.
func (c *client) arrive(m message) {
	if c.box.Offer(fmt.Sprint(m.lane), m.id, int32(m.size), m) == taken && !c.detached[m.id] {
		for _, id := range c.arrived[m.lane] {
			if !c.box.InFlight(id) && !c.confirmed[id] && !c.detached[id] {
				assert.Fail(c.t, "out of order", "%s overtakes %s", m.id, id)
			}
		}
	}
	c.arrived[m.lane] = append(c.arrived[m.lane], m.id)
}

// acknowledge writes the unconfirmed acknowledgements at intervals, as the outbox does.
func (c *client) acknowledge() {
	for c.wait(c.ackEvery) {
		c.mu.Lock()
		if len(c.acks) > 0 {
			c.s.receive(slices.Collect(maps.Keys(c.acks)))
		}
		c.mu.Unlock()
	}
}

// confirm handles the reply to acknowledgements.
func (c *client) confirm(ids []string) {
	for _, id := range ids {
		switch manual, waits := c.acks[id]; {
		case !waits: // a repeated reply
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

// supervise replaces the link when one is due, at most once per second. If a closed lane may never become due, it
// replaces the link once per minute.
func (c *client) supervise() {
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

// connect replaces the link.
func (c *client) connect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.box.Reopen()
	c.s.connect()
	c.arrived = map[int][]string{}
}

func (c *client) handle(m message, attempt int, v *inbox.Verdict) {
	beside := c.enter(m)
	how := c.random(m, -attempt).Uint64()
	if c.detach == 0 || how%uint64(c.detach) > 0 {
		c.judge(m, attempt, v, beside)
		return
	}
	c.mu.Lock()
	c.detached[m.id] = true
	if !beside {
		delete(c.running, m.lane)
	}
	c.mu.Unlock()
	c.box.Detach(fmt.Sprint(m.lane), m.id)
	later := func() {
		v := new(inbox.Verdict)
		defer func() { c.box.Settle(m.id, *v) }()
		c.judge(m, attempt, v, true)
	}
	if how>>32%2 == 0 {
		later()
	} else {
		c.all.Go(later)
	}
}

// enter records the start of an attempt. It reports whether the message was detached before, so that the attempt runs
// beside its lane.
func (c *client) enter(m message) (beside bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detached[m.id] {
		return true
	}
	assert.False(c.t, c.running[m.lane], "two concurrent attempts in one lane")
	c.running[m.lane] = true
	c.most = max(c.most, len(c.running))
	return false
}

// judge runs the rest of an attempt and stores its verdict.
func (c *client) judge(m message, attempt int, v *inbox.Verdict, beside bool) {
	*v = inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second} // if its goroutine ends
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !beside {
			delete(c.running, m.lane)
		}
		if v.Then != inbox.Retry {
			c.done = append(c.done, m)
		}
	}()
	*v = c.attempt(c, m, attempt)
}

// ack acknowledges a message, for the user if manual is set.
func (c *client) ack(m message, manual bool) {
	if !manual {
		c.box.Hold(m.id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[m.id] = manual
}
