package blaze

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// guarded wraps conn if its type is user code.
func guarded(conn net.Conn) net.Conn {
	inner := conn
	if secure, ok := conn.(*tls.Conn); ok {
		inner = secure.NetConn()
	}
	switch inner.(type) {
	case *net.TCPConn, *net.UnixConn:
		return conn
	}
	//mutant:guarded-conn
	return guardedConn{conn}
}

// guardedConn is a connection of a user-defined type. The reader and writer of a link call it directly. If it ends
// their goroutine, the link is lost.
type guardedConn struct{ net.Conn }

func (g guardedConn) call(f func() error) (err error) {
	guard.Call(func() error { return guard.ReadError(f()) }, func(failed error) {
		err = named("DialContext", failed)
	})
	return err
}

// LocalAddr implements net.Conn. It returns an empty address if the user's method fails.
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

func guardedDial(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		err = apart("DialContext", func() (err error) {
			conn, err = dial(ctx, network, addr)
			return err
		})
		if err == nil && conn == nil {
			err = errors.New("no connection and no error from Config.DialContext")
		}
		if err != nil {
			return nil, err
		}
		return guarded(conn), nil
	}
}

func guardedProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (u *url.URL, err error) {
		err = apart("Proxy", func() (err error) {
			u, err = proxy(r)
			if errors.As(err, new(*url.Error)) {
				err = errProxyURL
			}
			return err
		})
		return u, err
	}
}
