package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// line is the server's end of a pipe. The server reads rate bytes a second from it; 0 means no limit.
type line struct {
	net.Conn
	rate atomic.Int64
}

func (c *line) Read(p []byte) (int, error) {
	rate := int(c.rate.Load())
	if rate == 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(len(p), rate/4)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	return n, err
}

// messages returns the decompressed binary messages that were collected.
func (r *rig) messages() (all []string) {
	for _, f := range r.collected() {
		if f.First == wspeer.Final|wspeer.Binary {
			all = append(all, decompress(r.t, f.Payload))
		}
	}
	return all
}

// A slow line does not end the link, however large a frame is. A ping waits for the end of the frame.
func TestALargeFrameGoesOutOnASlowLine(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for name, connect := range map[string]func(t *testing.T, src *source) *rig{
		"plain": func(t *testing.T, src *source) *rig { return connect(t, src) },
		"TLS":   func(t *testing.T, src *source) *rig { return overTLS(t, src, serverTLS, clientTLS) },
	} {
		for _, rate := range []int64{1 << 10, 5 << 10, 30 << 10} {
			for _, lasts := range []int64{13, 100, 300} {
				t.Run(fmt.Sprint(name, " ", rate, " ", lasts), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						src := newSource()
						r := connect(t, src)
						r.collect(true)
						r.line.rate.Store(rate)
						message := noise(int(rate * lasts))
						src.add(message, "next")
						src.wake <- struct{}{}
						time.Sleep(time.Duration(lasts+20) * time.Second)
						r.lives()
						got := r.messages()
						assert.True(t, len(got) == 2 && got[0] == message && got[1] == "next")
					})
				})
			}
		}
	}
}

// A silent peer that reads single bytes does not keep the link alive.
func TestATrickleOutIsNoSignOfLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource(noise(100<<10)))
		r.readers.Go(func() {
			b := make([]byte, 100)
			for {
				time.Sleep(time.Second)
				if _, err := r.peer.Read(b); err != nil {
					return
				}
			}
		})
		<-r.Done()
		assert.ErrorContains(t, r.Err(), "no sign of life for 35s")
		assert.LessOrEqual(t, time.Since(r.born), 36*time.Second, "including one second for the close frame")
	})
}

// The write timeout counts from the last byte that the peer has read.
func TestAPeerThatStopsReading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource(noise(100<<10)))
		time.Sleep(7 * time.Second)
		_, err := io.ReadFull(r.peer, make([]byte, 1000))
		require.NoError(t, err)
		r.lives()
		time.Sleep(10*time.Second - 1)
		r.lives()
		<-r.Done()
		assert.ErrorContains(t, r.Err(), "write: ")
		assert.LessOrEqual(t, time.Since(r.born), 21*time.Second,
			"checked every ten seconds, plus one second for the close frame")
	})
}

// While a write makes progress, the link still ends within a second for another reason.
func TestASlowWriteEndsWithTheLink(t *testing.T) {
	for name, message := range map[string][]byte{
		"rejected": named("rejected"), "violation": wspeer.Encode(wspeer.Final|0x3, nil),
		"close": wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1001, "")),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				src := newSource()
				r := connect(t, src)
				r.log.frameErr = assert.AnError
				r.collect(false)
				r.line.rate.Store(1 << 10)
				src.write(noise(100 << 10))
				time.Sleep(5300 * time.Millisecond)
				r.send(message)
				<-r.Done()
				assert.LessOrEqual(t, time.Since(r.born), 6300*time.Millisecond)
			})
		})
	}
}

// trickle sends a message at n bytes per second.
func (r *rig) trickle(message []byte, n int) {
	r.readers.Go(func() {
		for len(message) > 0 {
			n := min(n, len(message))
			if _, err := r.peer.Write(message[:n]); err != nil {
				return
			}
			message = message[n:]
			time.Sleep(time.Second)
		}
	})
}

// A message that takes longer than Silence to arrive counts as a sign of life, if it is fast enough.
func TestALargeMessageComesInOnASlowLine(t *testing.T) {
	for _, rate := range []int{500, 1 << 10, 5 << 10} {
		bubble(t, func(t *testing.T) {
			r := connect(t, newSource())
			r.collect(false)
			r.trickle(large("slow", 150*rate), rate)
			time.Sleep(145 * time.Second)
			assert.Empty(t, r.ids())
			time.Sleep(15 * time.Second)
			r.lives()
			assert.Equal(t, []string{"slow", "alive"}, r.ids())
		})
	}
}

// Less than 16 KiB of a message within Silence is no sign of life.
func TestATrickleInIsNoSignOfLife(t *testing.T) {
	for _, rate := range []int{1, 400} {
		bubble(t, func(t *testing.T) {
			r := connect(t, newSource())
			r.collect(false)
			r.trickle(wspeer.Whole(wspeer.Binary, make([]byte, 60<<10)), rate)
			<-r.Done()
			assert.ErrorContains(t, r.Err(), "no sign of life for 35s")
			assert.LessOrEqual(t, time.Since(r.born), 40*time.Second)
		})
	}
}

// failing is a connection with writes that fail after fail is closed. Received data can still be read.
type failing struct {
	net.Conn
	fail chan struct{}
}

func (c failing) Write(p []byte) (int, error) {
	select {
	case <-c.fail:
		return 0, errors.New("broken pipe")
	default:
		return c.Conn.Write(p)
	}
}

// connectFailing is like connect, over a connection with failing writes.
func connectFailing(t *testing.T, src link.Source) *rig {
	t.Helper()
	client, server := pipe()
	r := &rig{t: t, conn: client, line: server, peer: wspeer.New(server), log: new(log)}
	go func() {
		if r.peer.ReadHead() == nil {
			_, _ = io.WriteString(r.peer, r.peer.Upgrade())
		}
	}()
	c := failing{client, make(chan struct{})}
	var err error
	r.Link, err = link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(c)})
	require.NoError(t, err)
	close(c.fail)
	r.start(src)
	return r
}

// After a failed write, the reader still reads earlier replies, until the end of the connection or for a second.
func TestAFailedWriteLetsTheReaderFinish(t *testing.T) {
	for name, tt := range map[string]struct {
		last []byte // sent after the replies; nil: the peer hangs up
		want time.Duration
	}{
		"the end":   {nil, 500 * time.Millisecond},
		"close":     {wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1001, "")), 500 * time.Millisecond},
		"silence":   {named("last"), time.Second},
		"violation": {wspeer.Encode(wspeer.Final|0x3, nil), 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connectFailing(t, newSource("fails"))
				r.send(named("a"))
				time.Sleep(500 * time.Millisecond)
				r.send(named("b"), tt.last)
				if tt.last == nil {
					require.NoError(t, r.peer.Close())
				}
				<-r.Done()
				assert.EqualError(t, r.Err(), "write: broken pipe")
				assert.Equal(t, tt.want, time.Since(r.born))
				assert.Equal(t, []string{"a", "b"}, r.ids()[:2])
			})
		})
	}
}

// After a failed write, a peer that continues to send does not keep the link alive.
func TestAFailedWriteEndsTheLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connectFailing(t, newSource("fails"))
		r.readers.Go(func() {
			for {
				if _, err := r.peer.Write(named("more")); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
		<-r.Done()
		assert.EqualError(t, r.Err(), "write: broken pipe")
		assert.Equal(t, time.Second, time.Since(r.born))
	})
}

// After a failed write, Fail ends the link at once, and the error of the write stays.
func TestFailAfterAFailedWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connectFailing(t, newSource("fails"))
		r.send(named("a"))
		r.Fail(assert.AnError)
		<-r.Done()
		assert.Equal(t, r.born, time.Now())
		assert.EqualError(t, r.Err(), "write: broken pipe")
	})
}

// signalling is a connection that signals the first failed write.
type signalling struct {
	net.Conn
	once   sync.Once
	failed chan struct{}
}

func (c *signalling) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.once.Do(func() { close(c.failed) })
	}
	return n, err
}

// Data that the operating system has received is read after the peer has reset the connection.
func TestAnswersBeforeAResetAreRead(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	hung := make(chan struct{})
	var want []string
	for i := range 15 { // few enough for the receive buffer, because the peer drops the rest
		want = append(want, fmt.Sprint(i))
	}
	go func() {
		defer close(hung)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		p := wspeer.New(c)
		if p.ReadHead() == nil {
			_, _ = io.WriteString(p, p.Upgrade())
			for _, id := range want {
				_, _ = p.Write(large(id, 1000))
			}
		}
		_ = p.Close()
	}()
	c := &signalling{failed: make(chan struct{})}
	cfg := tcp("http://" + ln.Addr().String())
	cfg.DialContext = func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
		c.Conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return c, err
	}
	l, err := link.Dial(context.Background(), cfg)
	require.NoError(t, err)
	<-hung
	// The first write after the peer has hung up still succeeds. The Frame hook blocks the reader until a write fails.
	src, g := newSource(), &log{block: c.failed}
	for range 20 {
		src.add(noise(100 << 10))
	}
	l.Start(src, g.hooks())
	<-l.Done()
	assert.Equal(t, want, g.ids)
}
