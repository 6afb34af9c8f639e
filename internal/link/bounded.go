package link

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// aheadBytes is how much is read at once while more is there than was asked for.
const aheadBytes = 32 << 10

// aheads holds the buffers that nobody uses. It is bounded, unlike a pool, which would grow with the number of links.
var aheads = make(chan *[aheadBytes]byte, 4)

// bounded is a connection that reads no more of a handshake than left bytes. Whoever answers one could else fill the
// memory with headers: neither the dialer nor net/http has a limit there.
//
// Once the link was started, it reads ahead under load: TLS and the websocket library ask for a few kilobytes at a
// time. One system call then brings many frames, and they are one unit. An idle link has no buffer for that.
//
// Timeouts that do not end the link stop here: TLS does not survive one.
type bounded struct {
	net.Conn
	left   int64
	before func() error // called before each read from the network, once the link was started
	silent func() bool  // says whether a read that has timed out is tried again

	came  int64                     // bytes that were read since before noticed them; owned by the reader
	taken atomic.Int64              // bytes that the peer has taken
	last  atomic.Pointer[time.Time] // the deadline of all writes; nil: there is none yet

	more  bool // the last read filled what there was room for
	ahead []byte
	buf   *[aheadBytes]byte // what ahead is in; nil: nothing is ahead
	err   error             // of the last read ahead; comes after what it brought
}

func (c *bounded) Read(p []byte) (int, error) {
	switch {
	case c.before == nil:
		return c.readHandshake(p)
	case len(c.ahead) > 0:
		return c.take(p), nil
	case c.err != nil:
		return 0, c.err
	}
	if err := c.before(); err != nil {
		return 0, err
	}
	if !c.more || len(p) >= aheadBytes {
		n, err := c.read(p)
		c.more = n == len(p)
		return n, err
	}
	c.buf = borrowAhead()
	n, err := c.read(c.buf[:])
	c.ahead, c.err, c.more = c.buf[:n], err, n == len(c.buf)
	if n == 0 {
		c.giveBack()
		return 0, err
	}
	return c.take(p), nil
}

func (c *bounded) read(p []byte) (n int, err error) {
	for {
		n, err = c.Conn.Read(p)
		c.came += int64(n)
		if n > 0 || err == nil || !timedOut(err) || !c.silent() {
			return n, err
		}
	}
}

// Write goes on for as long as the peer takes bytes: a slow line is not a dead one. It gives up where nothing was taken
// for writeTimeout, and at the deadline that SetWriteDeadline has set. A write that succeeds at once is one call.
func (c *bounded) Write(p []byte) (int, error) {
	if c.before == nil {
		return c.Conn.Write(p)
	}
	for written := 0; ; {
		deadline := time.Now().Add(writeTimeout)
		_ = c.Conn.SetWriteDeadline(deadline)
		// SetWriteDeadline may have been called just before the line above.
		if last := c.last.Load(); last != nil && last.Before(deadline) {
			_ = c.Conn.SetWriteDeadline(*last)
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		c.taken.Add(int64(n))
		//mutant:write-progress
		if err == nil || !timedOut(err) || n == 0 || c.late() {
			return written, err
		}
	}
}

// SetWriteDeadline bounds the write that goes on and all that follow, once the link was started.
func (c *bounded) SetWriteDeadline(t time.Time) error {
	if c.before != nil {
		//mutant:write-last
		c.last.Store(&t)
	}
	return c.Conn.SetWriteDeadline(t)
}

// late reports whether the deadline of all writes has passed.
func (c *bounded) late() bool {
	last := c.last.Load()
	return last != nil && !time.Now().Before(*last)
}

// timedOut reports whether err is a timeout.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *bounded) readHandshake(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHandshake
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// take reads from what is ahead.
func (c *bounded) take(p []byte) int {
	n := copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.giveBack()
	}
	return n
}

func (c *bounded) giveBack() {
	select {
	case aheads <- c.buf:
	default:
	}
	c.buf, c.ahead = nil, nil
}

func borrowAhead() *[aheadBytes]byte {
	select {
	case buf := <-aheads:
		return buf
	default:
		return new([aheadBytes]byte)
	}
}
