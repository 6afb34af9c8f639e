package link

import "net"

// aheadBytes is how much is read at once while more is there than was asked for.
const aheadBytes = 32 << 10

// aheads holds the buffers that nobody uses. It is bounded, unlike a pool, which would grow with the number of links.
var aheads = make(chan *[aheadBytes]byte, 4)

// bounded is a connection that reads no more of a handshake than left bytes. Whoever answers one could else fill the memory
// with headers: neither the dialer nor net/http has a limit there.
//
// Once the link was started, it reads ahead under load: TLS and the websocket library ask for a few kilobytes at a time. One
// system call then brings many frames, and they are one unit. An idle link has no buffer for that.
type bounded struct {
	net.Conn
	left   int64
	before func() error // called before each read from the network, once the link was started

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
		n, err := c.Conn.Read(p)
		c.more = n == len(p)
		return n, err
	}
	c.buf = borrowAhead()
	n, err := c.Conn.Read(c.buf[:])
	c.ahead, c.err, c.more = c.buf[:n], err, n == len(c.buf)
	if n == 0 {
		c.giveBack()
		return 0, err
	}
	return c.take(p), nil
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
