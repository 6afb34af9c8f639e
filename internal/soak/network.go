package soak

import (
	"context"
	"fmt"
	"net"

	"github.com/mixin-blaze/blaze/internal/faultproxy"
)

// network is how the bot reaches the server, and what happens to its connections on the way.
type network interface {
	listener() net.Listener // of the server
	open(plan func(conn int) faultproxy.Plan) error
	endpoint() string // of the websocket
	api() string      // of the HTTP API, whose connections nothing happens to
	dial(ctx context.Context, network, addr string) (net.Conn, error)
	count(k faultproxy.Kind, d faultproxy.Direction) uint64
	calm() // nothing happens any more
	close()
}

// holes is how many connections have lost bytes without an end.
func holes(n network) uint64 {
	return n.count(faultproxy.Vanish, faultproxy.Up) + n.count(faultproxy.Vanish, faultproxy.Down)
}

// cuts is how many connections the network has ended.
func cuts(net network) int {
	n := uint64(0)
	for _, k := range []faultproxy.Kind{faultproxy.Reset, faultproxy.Finish, faultproxy.Vanish} {
		n += net.count(k, faultproxy.Up) + net.count(k, faultproxy.Down)
	}
	return count(n)
}

// fired returns how often each fault happened, those that never did too.
func fired(net network) map[string]uint64 {
	m := make(map[string]uint64)
	for k := range faultproxy.Delay + 1 {
		for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
			m[faultproxy.Label(k, d)] = net.count(k, d)
		}
	}
	return m
}

// loopback is the network of a soak: TCP on this machine, through a proxy.
type loopback struct {
	ln    net.Listener
	proxy *faultproxy.Proxy
}

func newLoopback() (*loopback, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	return &loopback{ln: ln}, nil
}

func (l *loopback) listener() net.Listener { return l.ln }

func (l *loopback) open(plan func(conn int) faultproxy.Plan) (err error) {
	l.proxy, err = faultproxy.New(l.ln.Addr().String(), plan)
	return err
}

func (l *loopback) endpoint() string { return "ws://" + l.proxy.Addr() }

func (l *loopback) api() string { return "http://" + l.ln.Addr().String() }

func (l *loopback) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func (l *loopback) count(k faultproxy.Kind, d faultproxy.Direction) uint64 {
	return l.proxy.Count(k, d)
}

func (l *loopback) calm() { l.proxy.Calm() }

func (l *loopback) close() { l.proxy.Close() }
