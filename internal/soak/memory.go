package soak

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/faultproxy"
	"github.com/mixin-blaze/blaze/internal/memnet"
)

// memory is the network of a run in virtual time: pipes in this process, which belong to a testing/synctest bubble.
type memory struct {
	ln      *memnet.Listener
	plan    func(conn int) faultproxy.Plan
	stopped atomic.Bool
	hits    [faultproxy.Delay + 1][2]atomic.Uint64

	mu   sync.Mutex
	next int
	live map[*faultyConn]struct{}
}

func newMemory() *memory {
	return &memory{ln: memnet.Listen(), live: make(map[*faultyConn]struct{})}
}

func (m *memory) listener() net.Listener { return m.ln }

func (m *memory) open(plan func(conn int) faultproxy.Plan) error {
	m.plan = plan
	return nil
}

// Both addresses reach the same listener. dial injects faults only into connections to the first.
const (
	memoryEndpoint = "localhost:80"
	memoryAPI      = "127.0.0.1:80"
)

func (m *memory) endpoint() string { return "ws://" + memoryEndpoint }

func (m *memory) api() string { return "http://" + memoryAPI }

func (m *memory) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ours, err := m.ln.Dial(ctx, network, addr)
	if err != nil || addr != memoryEndpoint {
		return ours, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &faultyConn{Conn: ours, net: m, closed: make(chan struct{})}
	for _, f := range m.plan(m.next) {
		w := &c.ways[f.Direction]
		w.faults = append(w.faults, f)
	}
	m.next++
	m.live[c] = struct{}{}
	return c, nil
}

func (m *memory) count(k faultproxy.Kind, d faultproxy.Direction) uint64 { return m.hits[k][d].Load() }

func (m *memory) stopFaults() {
	m.stopped.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.live {
		if c.ways[0].hole.Load() || c.ways[1].hole.Load() {
			_ = c.Conn.Close()
		}
	}
}

func (m *memory) close() { _ = m.ln.Close() }

// faultyConn is the client's end of a connection, with the faults of its plan.
type faultyConn struct {
	net.Conn
	net    *memory
	ways   [2]way // by direction
	once   sync.Once
	closed chan struct{}
}

// way is one direction of a connection. It is owned by the goroutine that reads, or by the one that writes.
type way struct {
	faults []faultproxy.Fault // in no order: there are few
	passed int64
	hole   atomic.Bool // all further bytes vanish
}

// Close implements [net.Conn].
func (c *faultyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.net.mu.Lock()
	delete(c.net.live, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}

// Read implements [net.Conn].
func (c *faultyConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if kept := c.pass(faultproxy.Down, n); kept > 0 || err != nil {
			return kept, err
		}
	}
}

// Write implements [net.Conn]. Vanished bytes count as written.
func (c *faultyConn) Write(p []byte) (int, error) {
	kept := c.pass(faultproxy.Up, len(p))
	if kept == 0 {
		return len(p), nil
	}
	if n, err := c.Conn.Write(p[:kept]); err != nil {
		return n, err
	}
	return len(p), nil
}

// pass returns how many of n bytes are passed on. At a cut, it passes the bytes before the cut and closes the
// connection.
func (c *faultyConn) pass(d faultproxy.Direction, n int) int {
	w := &c.ways[d]
	if w.hole.Load() {
		return 0
	}
	kept := n
	for _, f := range w.faults {
		if c.net.stopped.Load() || f.At < w.passed || f.At >= w.passed+int64(n) || f.Kind == faultproxy.Slice {
			continue // a pipe slices all data, by the size of the reader's buffer
		}
		c.net.hits[f.Kind][d].Add(1)
		switch f.Kind {
		case faultproxy.Delay:
			t := time.NewTimer(1000 * f.Wait)
			select {
			case <-t.C:
			case <-c.closed:
			}
			t.Stop()
		case faultproxy.Vanish:
			w.hole.Store(true)
			kept = min(kept, int(f.At-w.passed))
		default:
			kept = min(kept, int(f.At-w.passed))
			_ = c.Conn.Close()
		}
	}
	w.passed += int64(n)
	return kept
}
