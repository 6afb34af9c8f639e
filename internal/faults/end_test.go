package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// phase is a phase of a client in which its context ends.
type phase struct {
	edit    func(b *bench)
	during  func(t *testing.T, b *bench) // brings the client into the phase; nil: edit is enough
	reached func(b *bench) bool          // reports whether the client is in the phase
	left    string                       // part of the error of Run; "": Run returns nil
}

func phases() map[string]phase {
	mute := func(b *bench) {
		b.dials = func(int, string) func(*wspeer.Peer) {
			return func(c *wspeer.Peer) { _, _ = io.Copy(io.Discard, c) } // until the client has disconnected
		}
	}
	// The client is making the first connection, and has or has not written on it.
	connecting := func(written bool) func(b *bench) bool {
		return func(b *bench) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			wrote := len(b.taps) == 1 && b.taps[0].up > 0
			return b.dialled == 1 && len(b.errs) == 0 && b.links == 0 && wrote == written
		}
	}
	// The client is connected, and these are all frames so far.
	connected := func(written, read uint64) func(b *bench) bool {
		return func(b *bench) bool {
			stats := b.c.Stats()
			return b.connects() == 1 && len(b.failures()) == 0 &&
				stats.FramesWritten == written && stats.FramesRead == read
		}
	}
	const (
		request = "requests unanswered: 1"
		handler = "handlers still running: 1"
		ackLeft = "acknowledgements unconfirmed: 1"
	)
	var closing atomic.Bool
	sendInBackground := func(_ *testing.T, b *bench) {
		b.peers.Go(func() { _, _ = b.send(context.Background(), "waiting") })
		synctest.Wait()
	}
	hung := func(action string) func(b *bench) {
		return func(b *bench) { b.s.Intercept(action, testkit.Answer(blazetest.Answer{Hang: true})) }
	}
	return map[string]phase{
		"DNS": {edit: func(b *bench) { b.s.Config.DialContext = testkit.HangingDial }, reached: connecting(false)},
		"dial": {edit: func(b *bench) {
			b.cfg.Endpoints, b.s.Config.DialContext = []string{"ws://127.0.0.1:1/"}, testkit.HangingDial
		}, reached: connecting(false)},
		"TLS": {
			edit: func(b *bench) { b.cfg.Endpoints = []string{"wss://localhost/"}; mute(b) }, reached: connecting(true),
		},
		"handshake": {edit: mute, reached: connecting(true)},
		"list":      {edit: hung(list), reached: connected(1, 0)},
		"idle":      {reached: connected(1, 1)},
		"in a handler": {during: func(_ *testing.T, b *bench) {
			b.deliver("wait")
			synctest.Wait()
		}, reached: func(b *bench) bool { return b.c.Stats().HandlersRunning == 1 }, left: handler},
		"queued send": {edit: func(b *bench) {
			b.s.Config.DialContext = testkit.HangingDial
		}, during: sendInBackground, reached: func(b *bench) bool {
			return connecting(false)(b) && b.c.Stats().OutboxRequests == 1
		}, left: request},
		"send waits for capacity": {edit: func(b *bench) {
			b.cfg.OutboxLen = 1
			hung(create)(b)
		}, during: func(t *testing.T, b *bench) {
			sendInBackground(t, b)
			sendInBackground(t, b)
		}, reached: connected(2, 1), left: request},
		"awaiting a reply": {edit: hung(create), during: sendInBackground, reached: connected(2, 1), left: request},
		"awaiting an ack": {edit: hung(ack), during: func(_ *testing.T, b *bench) {
			b.deliver("now")
			time.Sleep(time.Second)
		}, reached: connected(2, 2), left: ackLeft},
		"backoff": {edit: func(b *bench) {
			b.s.Config.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("no route")
			}
		}, during: func(*testing.T, *bench) {
			time.Sleep(10 * time.Minute)
		}, reached: func(b *bench) bool { return len(b.failures()) > 10 }},
		"request in backoff": {edit: func(b *bench) {
			for range 5 {
				b.s.Intercept(create, testkit.Answer(blazetest.Refuse(500)))
			}
		}, during: sendInBackground, reached: connected(2, 2), left: request},
		"message in backoff": {during: func(_ *testing.T, b *bench) {
			b.deliver("fail")
			time.Sleep(time.Minute)
		}, reached: func(b *bench) bool {
			s := b.c.Stats()
			return s.Failed > 1 && s.InboxMessages == 1 && s.HandlersRunning == 0
		}},
		// The server sends a close frame and does not read the client's.
		"closing": {edit: func(b *bench) {
			b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
				if c.Accept() == nil && c.Send(wspeer.Whole(wspeer.Close, nil)) == nil {
					closing.Store(true)
					// Blocks until the client, which no longer reads, has disconnected.
					_ = c.Send(wspeer.Whole(wspeer.Ping, nil))
				}
			})
		}, reached: func(b *bench) bool { return closing.Load() && b.connects() == 1 && len(b.failures()) == 0 }},
	}
}

// Fault 51: in each phase, Run returns within 250 ms after its context has ended, and leaves nothing. If requests or
// handlers are left, Drain must be negative.
func TestFault51Cancelled(t *testing.T) {
	for name, p := range phases() {
		for _, drain := range []time.Duration{-1, 0} {
			if drain == 0 && (p.left != "" || name == "closing") { // a close handshake has a second
				continue
			}
			testkit.Bubble(t, fmt.Sprint(name, ", Drain ", drain), func(t *testing.T) {
				s := testkit.NewServer()
				defer s.Close()
				b := newBench(t, s)
				b.cfg.Drain = drain
				cancelled(t, b, p)
			})
		}
	}
	testkit.Bubble(t, "before Run", func(t *testing.T) {
		s := testkit.NewServer()
		defer s.Close()
		b := newBench(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.run(ctx, nil)
		assert.NoError(t, b.stop())
		assert.Zero(t, time.Since(b.born))
	})
}

// cancelled brings a client into a phase and ends its context.
func cancelled(t *testing.T, b *bench, p phase) {
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
	require.True(t, p.reached(b), "the client is in another phase")
	if err := b.stop(); p.left == "" {
		assert.NoError(t, err)
	} else if assert.ErrorIs(t, err, blaze.ErrDrain) {
		assert.ErrorContains(t, err, p.left)
	}
	b.peers.Wait()
	assert.LessOrEqual(t, time.Since(began), 250*time.Millisecond)
	_, err := b.send(t.Context(), "after it")
	assert.ErrorIs(t, err, blaze.ErrClosed)
	fired(t, 51)
}

// Fault 52: calls of Run and Send, cancellation, cuts and the end of the server in any order; two calls of Run; calls
// after the end.
func TestFault52Interleavings(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	t.Cleanup(func() {
		if t.Failed() {
			fmt.Printf("TestFault52Interleavings: seed %d\n", seed)
		}
	})
	var met testkit.Diary
	for n := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) { interleave(t, rand.New(rand.NewPCG(seed, n)), &met) })
		if t.Failed() {
			t.Fatalf("interleaving %d", n)
		}
	}
	for _, what := range []string{
		"Run twice", "ended before a connection", "ended while connected", "ended while reconnecting",
		"ended by a handler", "send confirmed", "send failed",
	} {
		t.Log(what, met.Count(what))
		firedN(t, 52, met.Count(what))
	}
}

// interleave makes a random choice of calls, each after a random wait.
func interleave(t *testing.T, r *rand.Rand, met *testkit.Diary) {
	s := testkit.NewServer()
	defer s.Close()
	b := newBench(t, s)
	b.cfg.Drain = []time.Duration{-1, 0, time.Millisecond}[r.IntN(3)]
	ctx, cancel := context.WithCancel(t.Context())
	c, err := blaze.New(s.Key, &b.cfg)
	require.NoError(t, err)
	b.c = c
	h := blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		if text == "cancel" {
			met.Add("ended by a handler")
			cancel()
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
	run := func() {
		err := c.Run(ctx, h)
		if errors.Is(err, blaze.ErrClosed) {
			met.Add("Run twice")
		}
		knownEnd(t, err)
	}
	later(run)
	for range r.IntN(4) {
		id := fmt.Sprint(r.IntN(2))
		later(func() {
			_, err := b.send(ctx, id)
			met.Add("%s", map[bool]string{true: "send confirmed", false: "send failed"}[err == nil])
			knownEnd(t, err)
		})
	}
	end := func() {
		switch stats := c.Stats(); {
		case ctx.Err() != nil: // already ended
		case stats.Connects == 0:
			met.Add("ended before a connection")
		case stats.Connected:
			met.Add("ended while connected")
		default:
			met.Add("ended while reconnecting")
		}
		cancel()
	}
	for _, fn := range []func(){run, end, end, s.Cut, func() { b.deliver("hello") }, func() { b.deliver("cancel") }} {
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
	end()
	all.Wait()
	_, err = b.send(t.Context(), "after it")
	assert.ErrorIs(t, err, blaze.ErrClosed)
	assert.LessOrEqual(t, len(s.Sent()), 4)
}

// knownEnd fails the test unless err is nil or an expected error of an interrupted call.
func knownEnd(t *testing.T, err error) {
	var unconfirmed *blaze.UnconfirmedError
	if err == nil || errors.As(err, &unconfirmed) || errors.Is(err, blaze.ErrClosed) ||
		errors.Is(err, blaze.ErrDrain) || errors.Is(err, context.Canceled) {
		return
	}
	assert.NoError(t, err)
}
