package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

type message struct {
	id   string
	lane int
	size int64
}

// server keeps what is not acknowledged and, as the service does, pushes all of it when it is asked to, oldest first, and
// then what comes in. Whatever goes one way arrives in the order in which it was written, unless the link is lost.
type server struct {
	mu      sync.Mutex
	pending []message
	listed  bool
	down    chan parcel // to the client: a message, or the ids whose acknowledgement is confirmed
	up      chan parcel // from the client: nil asks for what is pending, ids are acknowledged
	pushes  int

	network sync.Mutex   // one thing arrives at a time, and none while a new link is made
	link    atomic.Int64 // which one is there; what was under way on another is lost
}

type parcel struct {
	link int64
	v    any
}

func (s *server) put(to chan parcel, v any) { to <- parcel{s.link.Load(), v} }

// carry takes one thing after the other to where it belongs.
func (s *server) carry(from chan parcel, to func(any), latency time.Duration, stop chan struct{}) {
	for {
		select {
		case p := <-from:
			time.Sleep(latency)
			s.network.Lock()
			if p.link == s.link.Load() {
				to(p.v)
			}
			s.network.Unlock()
		case <-stop:
			return
		}
	}
}

func (s *server) push(m message) {
	s.pushes++
	s.put(s.down, m)
}

func (s *server) deliver(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, m)
	if s.listed {
		s.push(m)
	}
}

func (s *server) receive(request any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, ack := request.([]string)
	if !ack {
		s.listed = true
		for _, m := range s.pending {
			s.push(m)
		}
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(m message) bool { return slices.Contains(ids, m.id) })
	s.put(s.down, ids)
}

// client is what surrounds a Box: a reader, an acknowledger, and handlers that fail in every way.
type client struct {
	t   *testing.T
	s   *server
	box *inbox.Box[int, message]

	mu       sync.Mutex
	rng      *rand.Rand
	acks     []string // not confirmed
	done     []message
	running  map[int]bool
	relisted int
	most     int
}

func (c *client) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *client) attempt(m message, attempt int, v *inbox.Verdict) {
	err := errGoexit
	defer func() { *v = c.settle(m, attempt, err) }()
	err = c.handle(m)
}

func (c *client) handle(m message) error {
	c.mu.Lock()
	assert.False(c.t, c.running[m.lane], "two of one lane at once")
	c.running[m.lane] = true
	c.most = max(c.most, len(c.running))
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.running, m.lane)
		c.mu.Unlock()
	}()
	time.Sleep(time.Duration(c.random(2000)) * time.Millisecond)
	switch n := c.random(20); {
	case n == 0:
		runtime.Goexit()
	case n < 4:
		return errHandler
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = append(c.done, m)
	return nil
}

func (c *client) settle(m message, attempt int, err error) inbox.Verdict {
	if err != nil {
		return inbox.Verdict{Then: inbox.Retry, After: time.Duration(attempt) * time.Second}
	}
	c.box.Hold(m.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks = append(c.acks, m.id)
	return inbox.Verdict{Then: inbox.Done}
}

func (c *client) relist(gate string) {
	c.mu.Lock()
	c.relisted++
	c.mu.Unlock()
	c.box.Listed(gate)
	c.s.put(c.s.up, nil)
}

// read takes one thing from the server.
func (c *client) read(v any) {
	switch v := v.(type) {
	case message:
		c.box.Offer(v.lane, v.id, int32(v.size), v)
	case []string:
		c.mu.Lock()
		c.acks = slices.DeleteFunc(c.acks, func(id string) bool { return slices.Contains(v, id) })
		c.mu.Unlock()
		c.box.Release(v...)
	}
}

// connect replaces the link.
func (c *client) connect() {
	c.s.network.Lock()
	defer c.s.network.Unlock()
	c.s.mu.Lock()
	c.s.listed = false
	c.s.link.Add(1)
	c.s.mu.Unlock()
	c.box.OpenGate()
	c.s.put(c.s.up, nil)
}

func TestEveryMessageIsHandledOnceAndInOrder(t *testing.T) {
	const lanes = 5
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				const room = 6000
				s := &server{down: make(chan parcel, 1<<16), up: make(chan parcel, 1<<10)}
				c := &client{t: t, s: s, rng: rand.New(rand.NewPCG(seed, 1)), running: make(map[int]bool)}
				c.box = inbox.New[int](inbox.Config[message]{
					Workers: 3, Bytes: room, Handle: c.attempt, Relist: c.relist, LetGo: func(message) {},
				})
				stop := make(chan struct{})
				var network sync.WaitGroup
				network.Go(func() { s.carry(s.up, s.receive, time.Millisecond, stop) })
				network.Go(func() { s.carry(s.down, c.read, 100*time.Microsecond, stop) })
				network.Go(func() { // the acknowledger, whose acknowledgements outlive a link
					for {
						select {
						case <-time.After(200 * time.Millisecond):
						case <-stop:
							return
						}
						c.mu.Lock()
						ids := slices.Clone(c.acks)
						c.mu.Unlock()
						if len(ids) > 0 {
							s.put(s.up, ids)
						}
					}
				})

				var sent [lanes][]message
				for i := range 300 {
					m := message{id: fmt.Sprint("m", i), lane: rng.IntN(lanes), size: int64(rng.IntN(1000))}
					switch rng.IntN(40) {
					case 0:
						m.size = 4000 // more than half of the box
					case 1:
						m.size = 3 * room
					}
					sent[m.lane] = append(sent[m.lane], m)
					s.deliver(m)
					if i == 50 {
						c.connect() // to a backlog
					}
					if i > 50 && rng.IntN(30) == 0 {
						c.connect()
					}
					if rng.IntN(10) == 0 {
						time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
					}
					used := c.box.Left().Used
					assert.True(t, used <= room || used == 3*room+inbox.Overhead, "%d bytes", used)
				}
				time.Sleep(time.Hour) // without another link: the gate alone must bring everything in
				synctest.Wait()
				assert.Empty(t, s.pending)
				assert.Empty(t, c.box.Gate())
				assert.Equal(t, inbox.Left{}, c.box.Left())
				assert.LessOrEqual(t, c.most, 3)
				assert.Positive(t, c.relisted)
				assert.Less(t, c.relisted, 300)
				var got [lanes][]message
				for _, m := range c.done {
					got[m.lane] = append(got[m.lane], m)
				}
				for lane := range lanes {
					require.Equal(t, sent[lane], got[lane], "each once, and in order")
				}
				close(stop)
				network.Wait()
				t.Logf("%d pushes, %d times asked again", s.pushes, c.relisted)
			})
		})
	}
}
