package blaze

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// guarded returns conn, guarded if it is of a type of the user's.
func guarded(conn net.Conn) net.Conn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn, *tls.Conn:
		return conn
	}
	//mutant:guarded-conn
	return guardedConn{conn}
}

// guardedConn is a connection of a type of the user's. The reader and the writer of a link call it in place, once for
// many frames. Their goroutines may end there; the link is lost then. So may those of net/http, whose other goroutine
// for the connection would wait: the connection is closed under it.
type guardedConn struct{ net.Conn }

func (g guardedConn) call(f func() error) (err error) {
	guard.Call(func() error { return guard.ReadError(f()) }, func(failed error) {
		err = named("DialContext", failed)
		//mutant:guarded-exit
		if guard.Failed(failed) {
			go guard.Call(g.Conn.Close, func(error) {}) // apart: it may fail as well
		}
	})
	return err
}

// LocalAddr implements net.Conn. A connection that fails has none that is known.
func (g guardedConn) LocalAddr() net.Addr { return g.addr(g.Conn.LocalAddr) }

// RemoteAddr implements net.Conn.
func (g guardedConn) RemoteAddr() net.Addr { return g.addr(g.Conn.RemoteAddr) }

func (guardedConn) addr(of func() net.Addr) (a net.Addr) {
	if apart("DialContext", func() error { a = of(); return nil }) != nil || a == nil {
		return new(net.TCPAddr)
	}
	return a
}

// Read implements net.Conn.
func (g guardedConn) Read(p []byte) (n int, err error) {
	err = g.call(func() (err error) {
		n, err = g.Conn.Read(p)
		n, err = guard.Count(n, len(p), err)
		return err
	})
	return n, err
}

// Write implements net.Conn.
func (g guardedConn) Write(p []byte) (n int, err error) {
	err = g.call(func() (err error) {
		n, err = g.Conn.Write(p)
		n, err = guard.Count(n, len(p), err)
		return err
	})
	return n, err
}

// Close implements net.Conn.
func (g guardedConn) Close() error { return g.call(g.Conn.Close) }

// SetDeadline implements net.Conn.
func (g guardedConn) SetDeadline(t time.Time) error {
	return g.call(func() error { return g.Conn.SetDeadline(t) })
}

// SetReadDeadline implements net.Conn.
func (g guardedConn) SetReadDeadline(t time.Time) error {
	return g.call(func() error { return g.Conn.SetReadDeadline(t) })
}

// SetWriteDeadline implements net.Conn.
func (g guardedConn) SetWriteDeadline(t time.Time) error {
	return g.call(func() error { return g.Conn.SetWriteDeadline(t) })
}
