package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// pair is a connection of a client and the matching connection to the server.
type pair struct {
	proxy          *Proxy
	client, server *net.TCPConn
	hole           atomic.Bool // one of its directions is a black hole
}

// reset ends both connections with an RST. Undelivered data in the kernel is lost, as in a real reset.
func (c *pair) reset() {
	for _, conn := range []*net.TCPConn{c.client, c.server} {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
}

// errCut ends a pump after a planned reset of its connection.
var errCut = errors.New("cut")

// pump forwards the bytes of one direction.
type pump struct {
	pair      *pair
	direction Direction
	src, dst  *net.TCPConn
	faults    []Fault // pending faults, ordered by At
	passed    int64   // bytes read from src and forwarded or discarded

	vanish    bool
	sliceSize int
	sliceLeft int64
}

// run forwards bytes until src ends or one of the connections fails. It then resets the other one.
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

// copy returns the reason for its end: io.EOF at the end of src.
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

// happen triggers all faults that are due. Reset and Finish occur as soon as the byte before them was forwarded; the
// others need a byte to apply to.
func (u *pump) happen(haveByte bool) error {
	for len(u.faults) > 0 && u.faults[0].At <= u.passed && !u.pair.proxy.calm.Load() {
		f := u.faults[0]
		if !haveByte && f.Kind != Reset && f.Kind != Finish {
			return nil
		}
		u.faults = u.faults[1:]
		if u.vanish {
			continue // the bytes are discarded, so other faults have no effect
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

// reach returns how many of n bytes can be forwarded in one write before the next fault.
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

// wait returns early when the proxy is closed.
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
