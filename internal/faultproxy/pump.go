package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// pair is one connection of a client and the one to the server that goes with it.
type pair struct {
	proxy          *Proxy
	client, server *net.TCPConn
	hole           atomic.Bool // one of its directions is a black hole
}

// reset ends both connections with an RST. What the kernel has not delivered by then is lost, as it is in a real reset.
func (c *pair) reset() {
	for _, conn := range []*net.TCPConn{c.client, c.server} {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
}

// errCut ends a pump whose connection was reset on purpose.
var errCut = errors.New("cut")

// pump passes the bytes of one direction on.
type pump struct {
	pair      *pair
	direction Direction
	src, dst  *net.TCPConn
	faults    []Fault // that have not happened, by place
	passed    int64   // bytes read from src that were passed on or have vanished

	vanish    bool
	sliceSize int
	sliceLeft int64
}

// run passes bytes on until src has no more, or one of the connections breaks, which breaks the other.
func (c *pair) run(u *pump) {
	err := u.copy()
	switch {
	case errors.Is(err, io.EOF):
		if !u.vanish {
			_ = u.dst.CloseWrite()
		}
	case !u.vanish:
		c.reset()
	}
}

// copy returns why it ended: io.EOF when src has no more.
func (u *pump) copy() error {
	buf := make([]byte, 32<<10)
	for {
		if err := u.happen(false); err != nil {
			return err
		}
		n, err := u.src.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			if err := u.happen(true); err != nil {
				return err
			}
			part := p[:u.reach(len(p))]
			if err := u.pass(part); err != nil {
				return err
			}
			p = p[len(part):]
		}
		if err != nil {
			if happened := u.happen(false); happened != nil {
				return happened
			}
			return err
		}
	}
}

// happen lets everything happen whose place has come. Cuts happen as soon as the byte before them was passed on; the
// others need a byte to happen to.
func (u *pump) happen(haveByte bool) error {
	for len(u.faults) > 0 && u.faults[0].At <= u.passed && !u.pair.proxy.calm.Load() {
		f := u.faults[0]
		if !haveByte && f.Kind != Reset && f.Kind != Finish {
			return nil
		}
		u.faults = u.faults[1:]
		if u.vanish {
			continue // nothing can happen to bytes that are not there
		}
		u.pair.proxy.fired[f.Kind][f.Direction].Add(1)
		if err := u.do(f); err != nil {
			return err
		}
	}
	return nil
}

func (u *pump) do(f Fault) error {
	switch f.Kind {
	case Reset:
		u.pair.reset()
		return errCut
	case Finish:
		u.vanish = true
		return u.dst.CloseWrite()
	case Vanish:
		u.vanish = true
		u.pair.hole.Store(true)
	case Slice:
		u.sliceSize, u.sliceLeft = max(f.Size, 1), f.Length
	case Delay:
		return u.wait(f.Wait)
	}
	return nil
}

// reach returns how many of n bytes can be passed on in one write before something else happens.
func (u *pump) reach(n int) int {
	if u.vanish || u.pair.proxy.calm.Load() {
		return n
	}
	if u.sliceLeft > 0 {
		n = int(min(int64(n), int64(u.sliceSize), u.sliceLeft))
	}
	if len(u.faults) > 0 {
		n = int(min(int64(n), max(u.faults[0].At-u.passed, 1)))
	}
	return n
}

func (u *pump) pass(p []byte) error {
	u.passed += int64(len(p))
	u.sliceLeft -= int64(len(p))
	if u.vanish {
		return nil
	}
	_, err := u.dst.Write(p)
	return err
}

// wait ends early when the proxy is closed.
func (u *pump) wait(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-u.pair.proxy.ctx.Done():
		return u.pair.proxy.ctx.Err()
	}
}
