// Package memnet is an in-memory network. Its connections are not buffered: a write blocks until the peer has read it.
// It works in bubbles of testing/synctest.
package memnet

import (
	"context"
	"net"
	"sync"
)

// Pipe returns both ends of a connection, like [net.Pipe]. Concurrent writes to one end wait for each other on a
// channel. In a net.Pipe they wait for a mutex, and time in a bubble does not advance during that.
func Pipe() (net.Conn, net.Conn) {
	a, b := net.Pipe()
	return turns(a), turns(b)
}

type turned struct {
	net.Conn
	turn chan struct{} // has an element during a Write
}

func turns(c net.Conn) net.Conn { return &turned{Conn: c, turn: make(chan struct{}, 1)} }

func (c *turned) Write(p []byte) (int, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.Conn.Write(p)
}

// Listener accepts the connections made by its Dial. [Listen] returns one; the zero value is not usable. All methods
// are safe for concurrent use.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen returns a Listener. Close is needed only to end an Accept or a Dial in progress.
func Listen() *Listener { return &Listener{conns: make(chan net.Conn), done: make(chan struct{})} }

// Dial connects to the listener, whatever the address. It waits until the connection is accepted, ctx ends or the
// listener is closed. The error is a [net.OpError] that wraps the error of ctx or [net.ErrClosed].
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := Pipe()
	var err error
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.done:
		err = net.ErrClosed
	}
	_ = ours.Close()
	_ = theirs.Close()
	return nil, &net.OpError{Op: "dial", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}

// Accept waits for the next connection. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial. It does not close connections. It returns nil.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns the address of every Listener: network "pipe", address "localhost".
func (l *Listener) Addr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "localhost" }
