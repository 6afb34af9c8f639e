package link_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// flood is a connection that has all its data available once it is open. The read of the last bytes also returns the
// end of the connection, once.
type flood struct {
	net.Conn
	open  chan struct{}
	left  []byte
	reads atomic.Int64
}

func (c *flood) Read(p []byte) (int, error) {
	select {
	case <-c.open:
	default:
		return c.Conn.Read(p)
	}
	c.reads.Add(1)
	if len(c.left) == 0 {
		return 0, errors.New("read behind the end")
	}
	n := copy(p, c.left)
	if c.left = c.left[n:]; len(c.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// startOn starts a link on a flood of the given bytes.
func startOn(t *testing.T, g *log, left []byte) (*link.Link, *flood) {
	t.Helper()
	l, c := dialFlood(t, left)
	close(c.open)
	l.Start(newSource(), g.hooks())
	return l, c
}

// dialFlood returns a link that is not started, on a flood that is not open.
func dialFlood(t *testing.T, left []byte) (*link.Link, *flood) {
	t.Helper()
	client, server := pipe()
	p := wspeer.New(server)
	go func() {
		if p.ReadHead() == nil {
			_, _ = io.WriteString(p, p.Upgrade())
		}
	}()
	c := &flood{Conn: client, open: make(chan struct{}), left: left}
	l, err := link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(c)})
	require.NoError(t, err)
	return l, c
}

// Under load, one network read returns many frames. Frames that arrive together with the end of the connection are not
// lost.
func TestAFloodIsReadAhead(t *testing.T) {
	for _, n := range []int{1, 2, 10, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var stream []byte
			var want []string
			for i := range n {
				want = append(want, fmt.Sprint(i))
				stream = append(stream, large(fmt.Sprint(i), 10+i%7*100)...)
			}
			g := new(log)
			l, c := startOn(t, g, slices.Clone(stream))
			<-l.Done()
			assert.Equal(t, want, g.ids)
			assert.LessOrEqual(t, int(c.reads.Load()), 4+len(stream)/(28<<10))
			assert.ErrorContains(t, l.Err(), "the connection broke")
			assert.NotContains(t, l.Err().Error(), "behind the end")
		})
	}
}

// Data that one link reads ahead is never delivered to another.
func TestLinksDoNotShareWhatTheyReadAhead(t *testing.T) {
	const links, repeats = 4, 100
	var streams [links][]byte
	for i := range streams {
		for k := range 20 {
			streams[i] = append(streams[i], large(fmt.Sprint(i), 100+k*50)...)
		}
		streams[i] = slices.Repeat(streams[i], repeats)
	}
	var logs [links]log
	var all [links]*link.Link
	var floods [links]*flood
	for i := range links {
		all[i], floods[i] = dialFlood(t, streams[i])
	}
	for i := range links {
		close(floods[i].open)
		all[i].Start(newSource(), logs[i].hooks())
	}
	for i := range links {
		<-all[i].Done()
		assert.Len(t, logs[i].ids, 20*repeats)
		for _, id := range logs[i].ids {
			require.Equal(t, fmt.Sprint(i), id)
		}
	}
}

// An idle link has a small buffer, also after a burst.
func TestAnIdleLinkHasASmallBuffer(t *testing.T) {
	for _, n := range []int{100, 5_000, 10_000, 50_000, 500_000} {
		synctest.Test(t, func(t *testing.T) {
			g := new(log)
			client, server := pipe()
			p := wspeer.New(server)
			go func() {
				if p.ReadHead() == nil {
					_, _ = io.WriteString(p, p.Upgrade())
				}
			}()
			c := &watched{Conn: client}
			l, err := link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(c)})
			require.NoError(t, err)
			l.Start(newSource(), g.hooks())
			_, err = p.Write(slices.Concat(named("a"), large("b", n), named("c")))
			require.NoError(t, err)
			synctest.Wait()
			assert.Equal(t, []string{"a", "b", "c"}, g.ids)
			assert.LessOrEqual(t, c.size.Load(), int64(4096))
			l.Fail(io.EOF)
			<-l.Done()
			_ = p.Close()
		})
	}
}

// watched records the buffer size of the latest read.
type watched struct {
	net.Conn
	size atomic.Int64
}

func (c *watched) Read(p []byte) (int, error) {
	c.size.Store(int64(len(p)))
	return c.Conn.Read(p)
}
