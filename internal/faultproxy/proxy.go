// Package faultproxy is a TCP proxy for tests that breaks connections at an exact byte: by a reset, an end of file, or
// a black hole. It can also forward data in small pieces or with a delay. A function of the connection's number decides
// its faults, so a seed determines all of them.
package faultproxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Proxy forwards connections to a server until it is closed.
type Proxy struct {
	target string
	plan   func(conn int) Plan
	ln     *net.TCPListener
	fired  [kinds][directions]atomic.Uint64
	calm   atomic.Bool

	ctx  context.Context // ends with Close
	end  context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	pairs map[*pair]struct{}
	next  int // number of the next connection
}

// New starts a proxy on a loopback port that forwards connections to target. plan returns the faults of each
// connection, numbered from 0. It is called from one goroutine.
func New(target string, plan func(conn int) Plan) (*Proxy, error) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p := &Proxy{target: target, plan: plan, ln: ln, pairs: make(map[*pair]struct{})}
	p.ctx, p.end = context.WithCancel(context.Background()) //nolint:forbidigo // it lives until Close, whoever connects
	p.done.Go(p.accept)
	return p, nil
}

// Addr returns the address that the proxy listens on.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Connections returns the number of accepted connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Count returns the number of connections with a fault.
func (p *Proxy) Count(k Kind, d Direction) uint64 { return p.fired[k][d].Load() }

// Fired returns the count of each fault, zeros included.
func (p *Proxy) Fired() map[string]uint64 {
	m := make(map[string]uint64)
	for k := range kinds {
		for d := range directions {
			m[Label(k, d)] = p.Count(k, d)
		}
	}
	return m
}

// Calm turns all further faults off, and resets the connections in a black hole.
func (p *Proxy) Calm() {
	p.calm.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		if c.hole.Load() {
			c.reset()
		}
	}
}

// Close resets every connection, and returns after all goroutines have ended.
func (p *Proxy) Close() {
	p.end()
	_ = p.ln.Close()
	p.mu.Lock()
	for c := range p.pairs {
		c.reset()
	}
	p.mu.Unlock()
	p.done.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.AcceptTCP()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		n := p.next
		p.next++
		p.mu.Unlock()
		plan := p.plan(n)
		p.done.Go(func() { p.serve(client, plan) })
	}
}

// serve connects to the server and forwards bytes in both directions until both have ended.
func (p *Proxy) serve(client *net.TCPConn, plan Plan) {
	c := &pair{proxy: p, client: client}
	conn, err := new(net.Dialer).DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c.server = conn.(*net.TCPConn)
	if p.enter(c) {
		var up sync.WaitGroup
		up.Go(func() { c.run(&pump{pair: c, direction: Up, src: client, dst: c.server, faults: plan.in(Up)}) })
		c.run(&pump{pair: c, direction: Down, src: c.server, dst: client, faults: plan.in(Down)})
		up.Wait()
	} else {
		c.reset()
	}
	p.leave(c)
}

// enter registers a connection for Close. It returns false if Close was called.
func (p *Proxy) enter(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return false
	}
	p.pairs[c] = struct{}{}
	return true
}

func (p *Proxy) leave(c *pair) {
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	_ = c.client.Close()
	_ = c.server.Close()
}
