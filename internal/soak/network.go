package soak

import (
	"context"
	"fmt"
	"net"

	"github.com/mixin-blaze/blaze/internal/faultproxy"
)

// network connects the bot to the server and injects faults into connections.
type network interface {
	listener() net.Listener // of the server
	open(plan func(conn int) faultproxy.Plan) error
	endpoint() string // of the websocket
	api() string      // of the HTTP API; its connections have no faults
	dial(ctx context.Context, network, addr string) (net.Conn, error)
	count(k faultproxy.Kind, d faultproxy.Direction) uint64
	stopFaults()
	close()
}

// holes returns the number of connections in which bytes vanished.
func holes(n network) uint64 {
	return n.count(faultproxy.Vanish, faultproxy.Up) + n.count(faultproxy.Vanish, faultproxy.Down)
}

// cuts returns the number of connections that the network has ended.
func cuts(net network) int {
	n := uint64(0)
	for _, k := range []faultproxy.Kind{faultproxy.Reset, faultproxy.Finish, faultproxy.Vanish} {
		n += net.count(k, faultproxy.Up) + net.count(k, faultproxy.Down)
	}
	return count(n)
}

// fired returns the number of occurrences of each fault, including zero.
func fired(net network) map[string]uint64 {
	m := make(map[string]uint64)
	for k := range faultproxy.Delay + 1 {
		for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
			m[faultproxy.Label(k, d)] = net.count(k, d)
		}
	}
	return m
}

// loopback is the network of a soak: TCP over loopback, through a proxy.
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

func (l *loopback) stopFaults() { l.proxy.Calm() }

func (l *loopback) close() { l.proxy.Close() }
