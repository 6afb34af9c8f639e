package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Row 48: a handler that does not heed its context is left behind after Drain, and counted.
func TestFault48HandlerIgnoresContext(t *testing.T) {
	for _, drain := range []time.Duration{-1, time.Second, time.Minute} {
		t.Run(drain.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := blazetest.NewServer()
				defer s.Close()
				b := newBench(t, s)
				b.cfg.Drain = drain
				release := make(chan struct{})
				defer close(release)
				b.run(context.Background(), blaze.On(func(context.Context, *blaze.Message, blaze.Payload) error {
					<-release
					return nil
				}))
				id := b.deliver("hello")
				synctest.Wait()
				began := time.Now()
				err := b.stop()
				assert.Equal(t, max(drain, 0), time.Since(began))
				require.ErrorIs(t, err, blaze.ErrDrain)
				assert.ErrorContains(t, err, "handlers still running: 1")
				assert.Equal(t, []string{id}, s.Pending())
				fired(t, 48)
			})
		})
	}
}

// phase is a moment in a client's life at which its context ends.
type phase struct {
	edit   func(b *bench)
	during func(t *testing.T, b *bench) // brings the moment about; nil: it is there at once
}

func hangUp(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
}

func phases() map[string]phase {
	mute := func(serve func(c *wireConn)) func(b *bench) {
		return func(b *bench) {
			b.dials = func(int, string) func(*wireConn) {
				return func(c *wireConn) {
					serve(c)
					_, _ = c.Read(make([]byte, 1<<16))
				}
			}
		}
	}
	sendInBackground := func(_ *testing.T, b *bench) {
		b.peers.Go(func() { _, _ = b.send(context.Background(), "waiting") })
		synctest.Wait()
	}
	hung := func(action string) func(b *bench) {
		return func(b *bench) { b.s.Intercept(action, always(blazetest.Answer{Hang: true})) }
	}
	return map[string]phase{
		"DNS":       {edit: func(b *bench) { b.cfg.DialContext = hangUp }},
		"dial":      {edit: func(b *bench) { b.cfg.Endpoints, b.cfg.DialContext = []string{"ws://127.0.0.1:1/"}, hangUp }},
		"TLS":       {edit: func(b *bench) { b.cfg.Endpoints = []string{"wss://localhost/"}; mute(func(*wireConn) {})(b) }},
		"handshake": {edit: mute(func(c *wireConn) { _ = c.readHead() })},
		"list":      {edit: hung(list)},
		"idle":      {},
		"in a handler": {during: func(_ *testing.T, b *bench) {
			b.deliver("wait")
			synctest.Wait()
		}},
		"queued send": {edit: func(b *bench) { b.cfg.DialContext = hangUp }, during: sendInBackground},
		"send waits for room": {edit: func(b *bench) { b.cfg.OutboxLen = 1; hung(create)(b) }, during: func(t *testing.T, b *bench) {
			sendInBackground(t, b)
			sendInBackground(t, b)
		}},
		"awaiting a reply": {edit: hung(create), during: sendInBackground},
		"awaiting an ack":  {edit: hung(ack), during: func(_ *testing.T, b *bench) { b.deliver("now"); time.Sleep(time.Second) }},
		"backoff": {edit: func(b *bench) {
			b.cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		}, during: func(*testing.T, *bench) { time.Sleep(10 * time.Minute) }},
		"resting": {edit: func(b *bench) {
			for range 5 {
				b.s.Intercept(create, always(blazetest.Refuse(500)))
			}
		}, during: sendInBackground},
		"a handler to be tried again": {during: func(_ *testing.T, b *bench) { b.deliver("fail"); time.Sleep(time.Minute) }},
	}
}

// Row 51: whatever the client is doing when its context ends, Run returns within 250 ms if Drain is negative, and nothing of it
// is left.
func TestFault51Cancelled(t *testing.T) {
	for name, p := range phases() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := blazetest.NewServer()
				defer s.Close()
				b := newBench(t, s)
				b.cfg.Drain = -1
				if p.edit != nil {
					p.edit(b)
				}
				b.run(context.Background(), blaze.On(func(ctx context.Context, _ *blaze.Message, text blaze.Text) error {
					switch text {
					case "wait":
						<-ctx.Done()
						return ctx.Err()
					case "fail":
						return assert.AnError
					}
					return nil
				}))
				synctest.Wait()
				if p.during != nil {
					p.during(t, b)
				}
				select {
				case <-b.ended:
					require.FailNow(t, "Run ended too early")
				default:
				}
				began := time.Now()
				if err := b.stop(); err != nil {
					assert.ErrorIs(t, err, blaze.ErrDrain)
				}
				b.peers.Wait()
				assert.LessOrEqual(t, time.Since(began), 250*time.Millisecond)
				_, err := b.send(t.Context(), "after it")
				assert.ErrorIs(t, err, blaze.ErrClosed)
				fired(t, 51)
			})
		})
	}
}

// Row 52: Run, sends, cancels, cuts and the end of the server in any order. Run twice, and everything after the end.
func TestFault52Interleavings(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	t.Cleanup(func() {
		if t.Failed() {
			fmt.Printf("TestFault52Interleavings: seed %d\n", seed)
		}
	})
	for n := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) { interleave(t, rand.New(rand.NewPCG(seed, n))) })
		if t.Failed() {
			t.Fatalf("interleaving %d", n)
		}
		fired(t, 52)
	}
}

// interleave starts everything at once, each a moment later or not at all.
func interleave(t *testing.T, r *rand.Rand) {
	s := blazetest.NewServer()
	defer s.Close()
	b := newBench(t, s)
	b.cfg.Drain = []time.Duration{-1, 0, time.Millisecond}[r.IntN(3)]
	ctx, cancel := context.WithCancel(t.Context())
	c, err := blaze.New(s.Key, &b.cfg)
	require.NoError(t, err)
	b.c = c
	h := blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		if text == "cancel" {
			cancel() // a handler ends its own client
		}
		return c.Reply(ctx, m, blaze.Text("echo"))
	})
	var all sync.WaitGroup
	later := func(fn func()) {
		wait := time.Duration(r.IntN(3)) * time.Duration(r.IntN(300)) * time.Millisecond
		spin := r.IntN(20)
		all.Go(func() {
			time.Sleep(wait)
			for range spin {
				runtime.Gosched()
			}
			fn()
		})
	}
	run := func() { knownEnd(t, c.Run(ctx, h)) }
	later(run)
	for range r.IntN(4) {
		id := fmt.Sprint(r.IntN(2))
		later(func() { _, err := b.send(ctx, id); knownEnd(t, err) })
	}
	for _, fn := range []func(){run, cancel, cancel, s.Cut, func() { b.deliver("hello") }, func() { b.deliver("cancel") }} {
		if r.IntN(2) == 0 {
			later(fn)
		}
	}
	stats := r.IntN(2) == 0
	later(func() {
		if stats {
			_ = c.Stats()
		}
	})
	time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
	if r.IntN(4) == 0 {
		s.Close()
	}
	cancel()
	all.Wait()
	_, err = b.send(t.Context(), "after it")
	assert.ErrorIs(t, err, blaze.ErrClosed)
	assert.LessOrEqual(t, len(s.Sent()), 4)
}

// knownEnd checks an error of something that was interrupted.
func knownEnd(t *testing.T, err error) {
	var unsure *blaze.UnconfirmedError
	if err == nil || errors.As(err, &unsure) || errors.Is(err, blaze.ErrClosed) || errors.Is(err, blaze.ErrDrain) || errors.Is(err, context.Canceled) {
		return
	}
	assert.NoError(t, err)
}

// Row 59: after a client that was everywhere at once, no goroutine is left. The bubbles of the other tests, and TestMain, insist
// on the same.
func TestFault59Goroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		b, ctx := overTCP(t)
		b.events = nil
		b.run(ctx, echo(&b))
		for range 20 {
			b.deliver("hello")
		}
		b.s.Cut()
		require.NoError(t, b.s.Idle(t.Context()))
		assert.Greater(t, runtime.NumGoroutine(), before)
		require.NoError(t, b.stop())
		b.s.Close()
		fired(t, 59)
	}
	for runtime.NumGoroutine() > before { // those that have ended are on their way out
		runtime.Gosched()
	}
}
