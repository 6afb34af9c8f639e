//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/faultproxy"
)

// narrow is a connection that calls full when the window and the kernel's buffer are full.
type narrow struct {
	*net.TCPConn
	full func()
}

func (c narrow) Write(p []byte) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for n < len(p) && failed == nil {
			m, err := syscall.Write(int(fd), p[n:])
			switch {
			case err == nil:
				n += m
			case errors.Is(err, syscall.EAGAIN):
				c.full()
				return false // until the socket is writable or the deadline has passed
			case !errors.Is(err, syscall.EINTR):
				failed = err
			}
		}
		return true
	})
	return n, errors.Join(err, failed)
}

// Fault 17 over TCP: the server stops reading and the window fills. The client's memory is bounded, and no call hangs.
func TestFault17WindowFull(t *testing.T) {
	const most = 64
	var healed atomic.Bool
	b, ctx, _ := proxied(t, func(int) faultproxy.Plan {
		if healed.Load() {
			return nil
		}
		return faultproxy.Plan{{Kind: faultproxy.Delay, Direction: faultproxy.Up, At: 4 << 10, Wait: 1 << 62}}
	})
	b.cfg.OutboxLen = most
	full := make(chan struct{})
	var once sync.Once
	b.s.Config.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		tcp := c.(*net.TCPConn)
		_ = tcp.SetWriteBuffer(4 << 10)
		return narrow{tcp, func() { once.Do(func() { close(full) }) }}, nil
	}
	c := b.run(ctx, nil)
	b.await("connected")

	// More sends than the outbox has capacity for. Each ends with its context.
	sends, cancel := context.WithCancel(t.Context())
	large := noise(60 << 10)
	var callers sync.WaitGroup
	for n := range 4 * most {
		callers.Go(func() {
			_, _ = b.send(sends, fmt.Sprint(n, large))
		})
	}
	<-full
	for c.Stats().OutboxRequests < most {
		runtime.Gosched()
	}
	assert.LessOrEqual(t, c.Stats().OutboxRequests, most)
	fired(t, 17)
	cancel()
	callers.Wait()
	assert.Zero(t, c.Stats().OutboxRequests)
	assert.Less(t, c.Stats().FramesWritten, uint64(most), "the server does not read them")

	// The next connection works.
	healed.Store(true)
	b.s.Cut()
	_, err := b.send(t.Context(), "after it")
	require.NoError(t, err)
	require.NoError(t, b.stop())
}
