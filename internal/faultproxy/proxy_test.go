package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ends has the two ends of a connection through a proxy.
type ends struct {
	proxy          *Proxy
	client, server *net.TCPConn
}

// through connects through a proxy with a plan.
func through(t *testing.T, plan ...Fault) ends {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p, err := New(ln.Addr().String(), func(int) Plan { return plan })
	require.NoError(t, err)
	client, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	server, err := ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Close()
		_ = client.Close()
		_ = server.Close()
		_ = ln.Close()
	})
	return ends{p, client.(*net.TCPConn), server.(*net.TCPConn)}
}

// from returns the writing and the reading end of a direction.
func (e ends) from(d Direction) (src, dst *net.TCPConn) {
	if d == Up {
		return e.client, e.server
	}
	return e.server, e.client
}

// bytesOf returns n bytes. Neighbouring bytes differ.
func bytesOf(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i)
	}
	return p
}

func both(t *testing.T, f func(t *testing.T, d Direction)) {
	for d := range directions {
		t.Run(d.String(), func(t *testing.T) { f(t, d) })
	}
}

func TestPassesEverythingOn(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		e := through(t)
		src, dst := e.from(d)
		want := bytesOf(1 << 20)
		go func() {
			_, _ = src.Write(want)
			_ = src.CloseWrite()
		}()
		got, err := io.ReadAll(dst)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got))
		for label, n := range e.proxy.Fired() {
			assert.Zero(t, n, label)
		}
		assert.Equal(t, 1, e.proxy.Connections())
	})
}

func TestResetAtTheByte(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		for _, at := range []int64{1, 2, 999, 1000, 65536, 100_000} {
			e := through(t, Fault{Kind: Reset, Direction: d, At: at})
			src, dst := e.from(d)
			go func() { _, _ = src.Write(bytesOf(200_000)) }()
			got, err := io.ReadAll(dst)
			require.ErrorIs(t, err, syscall.ECONNRESET, "byte %d", at)
			require.Len(t, got, int(at))
			_, err = io.ReadAll(src)
			require.ErrorIs(t, err, syscall.ECONNRESET, "the writer hears of it too")
			assert.EqualValues(t, 1, e.proxy.Count(Reset, d))
		}
	})
}

// If nothing is forwarded, the dial itself may already fail with the reset.
func TestResetBeforeTheFirstByte(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	p, err := New(ln.Addr().String(), func(int) Plan { return Plan{{Kind: Reset, Direction: Up}} })
	require.NoError(t, err)
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		_, err = io.ReadAll(conn)
		_ = conn.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestResetNeedsNoFurtherByte(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		e := through(t, Fault{Kind: Reset, Direction: d, At: 5})
		src, dst := e.from(d)
		_, err := src.Write(bytesOf(5))
		require.NoError(t, err)
		got, err := io.ReadAll(dst)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Len(t, got, 5)
	})
}

func TestFinishAtTheByte(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		for _, at := range []int64{0, 1, 1000, 100_000} {
			e := through(t, Fault{Kind: Finish, Direction: d, At: at})
			src, dst := e.from(d)
			go func() { _, _ = src.Write(bytesOf(200_000)) }()
			got, err := io.ReadAll(dst)
			require.NoError(t, err, "an end of file is no error")
			require.True(t, bytes.Equal(bytesOf(int(at)), got), "byte %d", at)
			assert.EqualValues(t, 1, e.proxy.Count(Finish, d))

			// The other direction still works.
			_, err = dst.Write([]byte("ok"))
			require.NoError(t, err)
			two := make([]byte, 2)
			_, err = io.ReadFull(src, two)
			require.NoError(t, err)
			assert.Equal(t, "ok", string(two))
		}
	})
}

func TestVanishFromTheByteOn(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		const at = 70_000
		e := through(t, Fault{Kind: Vanish, Direction: d, At: at})
		src, dst := e.from(d)
		// More than the buffers of three connections: the write succeeds only because the bytes are discarded.
		_, err := src.Write(bytesOf(16 << 20))
		require.NoError(t, err)
		got := make([]byte, at)
		_, err = io.ReadFull(dst, got)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(bytesOf(at), got))

		// The connection stays open, and the other direction works.
		_, err = dst.Write([]byte("ok"))
		require.NoError(t, err)
		two := make([]byte, 2)
		_, err = io.ReadFull(src, two)
		require.NoError(t, err)
		assert.EqualValues(t, 1, e.proxy.Count(Vanish, d))

		// No further byte arrives until the proxy resets the connection.
		e.proxy.Calm()
		more, err := io.ReadAll(dst)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Empty(t, more)
	})
}

func TestSliceKeepsTheBytes(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		e := through(t, Fault{Kind: Slice, Direction: d, At: 100, Size: 7, Length: 5000})
		src, dst := e.from(d)
		want := bytesOf(20_000)
		go func() {
			_, _ = src.Write(want)
			_ = src.CloseWrite()
		}()
		got, err := io.ReadAll(dst)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got))
		assert.EqualValues(t, 1, e.proxy.Count(Slice, d))
	})
}

// reach decides the size of a write. It is tested without a network, because a read may join several writes.
func TestSliceSizes(t *testing.T) {
	u := &pump{
		pair:   &pair{proxy: &Proxy{ctx: t.Context()}},
		faults: []Fault{{Kind: Slice, At: 10, Size: 4, Length: 9}, {Kind: Delay, At: 25}},
	}
	var writes []int
	for left := 40; left > 0; {
		require.NoError(t, u.happen(true))
		n := u.reach(left)
		writes = append(writes, n)
		u.passed += int64(n)
		u.sliceLeft -= int64(n)
		left -= n
	}
	assert.Equal(t, []int{10, 4, 4, 1, 6, 15}, writes)
}

func TestDelayHoldsBackWhatFollows(t *testing.T) {
	both(t, func(t *testing.T, d Direction) {
		const wait = 50 * time.Millisecond
		e := through(t, Fault{Kind: Delay, Direction: d, At: 3, Wait: wait})
		src, dst := e.from(d)
		_, err := src.Write([]byte("abcdef"))
		require.NoError(t, err)
		first := make([]byte, 3)
		_, err = io.ReadFull(dst, first)
		require.NoError(t, err)
		assert.Equal(t, "abc", string(first))
		_, err = io.ReadFull(dst, first)
		require.NoError(t, err)
		assert.Equal(t, "def", string(first))
		assert.EqualValues(t, 1, e.proxy.Count(Delay, d))
	})
}

// The length of a delay is tested in virtual time, where there is no network.
func TestDelayLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 24 * time.Hour
		u := &pump{pair: &pair{proxy: &Proxy{ctx: t.Context()}}, faults: []Fault{{Kind: Delay, Wait: wait}}}
		began := time.Now()
		require.NoError(t, u.happen(true))
		assert.Equal(t, wait, time.Since(began))
		require.NoError(t, u.happen(true))
		assert.Equal(t, wait, time.Since(began), "once")
	})
}

func TestCloseEndsADelay(t *testing.T) {
	e := through(t, Fault{Kind: Delay, Direction: Up, Wait: 24 * time.Hour})
	_, err := e.client.Write([]byte("a"))
	require.NoError(t, err)
	for e.proxy.Count(Delay, Up) == 0 {
		runtime.Gosched()
	}
	e.proxy.Close() // otherwise the test would hang
}

func TestCloseEndsConnections(t *testing.T) {
	e := through(t)
	_, err := e.client.Write([]byte("a"))
	require.NoError(t, err)
	_, err = io.ReadFull(e.server, make([]byte, 1)) // both connections are open
	require.NoError(t, err)
	e.proxy.Close()
	_, err = io.ReadAll(e.client)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = io.ReadAll(e.server)
	require.Error(t, err)
	_, err = net.Dial("tcp", e.proxy.Addr())
	require.Error(t, err)
}

func TestCalmLetsNothingHappen(t *testing.T) {
	e := through(t, Fault{Kind: Reset, Direction: Up, At: 10}, Fault{Kind: Vanish, Direction: Down, At: 10})
	e.proxy.Calm()
	_, err := e.client.Write(bytesOf(1000))
	require.NoError(t, err)
	require.NoError(t, e.client.CloseWrite())
	got, err := io.ReadAll(e.server)
	require.NoError(t, err)
	assert.Len(t, got, 1000)
	assert.Zero(t, e.proxy.Count(Reset, Up))
}

func TestNoServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	p, err := New(ln.Addr().String(), func(int) Plan { return nil })
	require.NoError(t, err)
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		_, err = io.ReadAll(conn)
		_ = conn.Close()
	}
	require.True(t, errors.Is(err, syscall.ECONNRESET), "got %v", err)
}

func TestRandomIsRepeatable(t *testing.T) {
	mean := Volume{Up: 10_000, Down: 100_000}
	one, two, other := Random(7, mean), Random(7, mean), Random(8, mean)
	seen := make(map[string]bool)
	differs := false
	for n := range 2000 {
		p := one(n)
		assert.Equal(t, p, two(n))
		differs = differs || !assert.ObjectsAreEqual(p, other(n))
		for _, f := range p {
			seen[Label(f.Kind, f.Direction)] = true
			assert.GreaterOrEqual(t, f.At, int64(0))
		}
	}
	assert.True(t, differs)
	assert.Len(t, seen, int(kinds)*int(directions), "every kind is drawn in both directions")
}
