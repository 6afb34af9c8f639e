package link

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// aheadBytes is the size of a read while more data is available than was requested.
const aheadBytes = 32 << 10

// aheads holds unused buffers. Unlike a pool, it is bounded and does not grow with the number of links.
var aheads = make(chan *[aheadBytes]byte, 4)

// bounded is a network connection with three additions.
//
// It reads at most left bytes during the handshake. Otherwise a server could fill the memory with headers, because
// neither the dialer nor net/http limits them.
//
// After the start of the link it reads ahead under load, because TLS and the websocket library read a few kilobytes at
// a time. One system call then returns many frames, which form one chunk. An idle link has no such buffer.
//
// It hides timeouts that must not end the link, because TLS does not survive a timeout.
type bounded struct {
	net.Conn
	left   int64
	before func() error // called before each read from the network, after the start of the link
	silent func() bool  // reports whether to retry a read after a timeout

	came  int64                     // bytes read since the last call of before that counted them; owned by the reader
	taken atomic.Int64              // bytes accepted by the peer
	last  atomic.Pointer[time.Time] // deadline of all writes; nil: none yet

	more  bool // the last read filled its buffer
	ahead []byte
	buf   *[aheadBytes]byte // buffer of ahead; nil: nothing is ahead
	err   error             // of the last read ahead; returned after its data
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

// Write continues while the peer accepts bytes, because a slow line is not a dead one. It fails if no byte was accepted
// for writeTimeout, and at the deadline of SetWriteDeadline. A write that succeeds at once is one call.
func (c *bounded) Write(p []byte) (int, error) {
	if c.before == nil {
		return c.Conn.Write(p)
	}
	for written := 0; ; {
		deadline := time.Now().Add(writeTimeout)
		_ = c.Conn.SetWriteDeadline(deadline)
		// SetWriteDeadline may have been called just before the previous line.
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

// SetWriteDeadline bounds the current write and all later ones, after the start of the link.
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

// take reads from the buffered data.
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
