package faults_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

var alice = blazetest.UserID("alice")

// bench is a server, a client, and records of the client's connections, errors and log.
type bench struct {
	t      *testing.T
	s      *blazetest.Server
	cfg    blaze.Config
	c      *blaze.Client
	canary canary
	log    testkit.Log
	born   time.Time

	cancel context.CancelFunc
	ended  chan struct{}
	err    error         // of Run; valid after ended is closed
	lived  time.Duration // until Run returned; set by untilEnd
	// Returns the peer that replaces the server on the nth connection; nil: the server.
	dials  func(n int, addr string) func(c *wspeer.Peer)
	events chan string   // "connected" or "disconnected"; nil: not used
	quiet  chan struct{} // closed when events is no longer read

	mu      sync.Mutex
	dialled int
	times   []time.Time
	tokens  []string
	errs    []error
	waits   []time.Duration
	links   int
	taps    []*tap
	peers   sync.WaitGroup
}

// newBench returns a bench for a server. The client does not run.
func newBench(t *testing.T, s *blazetest.Server) *bench {
	b := &bench{t: t, s: s, cfg: s.Config, canary: newCanary(s.Key), born: time.Now(), ended: make(chan struct{})}
	s.Errorf = t.Errorf
	b.log.Scan = func(record string) { b.canary.look(t, "log lines", record) }
	b.cfg.Logger = slog.New(&b.log)
	b.cfg.DialContext = b.dial
	b.cfg.Trace = &blaze.Trace{
		Connected:    func(string) { b.note(func() { b.links++ }, "connected") },
		Disconnected: b.disconnected,
		FrameRead:    func(p []byte) { b.canary.look(t, "frames", string(p)) },
		FrameWritten: func(p []byte) { b.canary.look(t, "frames", string(p)) },
		HandlerError: func(m *blaze.Message, err error) {
			b.canary.lookAt(t, "errors", err)
			b.canary.lookAt(t, "messages", m)
		},
	}
	return b
}

func (b *bench) note(fn func(), event string) {
	b.mu.Lock()
	fn()
	b.mu.Unlock()
	if b.events == nil {
		return
	}
	select {
	case b.events <- event:
	case <-b.quiet:
	}
}

func (b *bench) disconnected(err error, retryIn time.Duration) {
	b.canary.lookAt(b.t, "errors", err)
	b.note(func() { b.errs, b.waits = append(b.errs, err), append(b.waits, retryIn) }, "disconnected")
}

// dial connects to the server, or to a peer from dials, through a tap.
func (b *bench) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	b.mu.Lock()
	n := b.dialled
	b.dialled++
	b.times = append(b.times, time.Now())
	b.mu.Unlock()
	var conn net.Conn
	if b.dials != nil {
		if answer := b.dials(n, addr); answer != nil {
			ours, theirs := memnet.Pipe()
			b.peers.Go(func() {
				defer func() { _ = theirs.Close() }()
				answer(wspeer.New(theirs))
			})
			conn = ours
		}
	}
	if conn == nil {
		direct := b.s.Config.DialContext
		if direct == nil {
			direct = new(net.Dialer).DialContext
		}
		var err error
		if conn, err = direct(ctx, network, addr); err != nil {
			return nil, err
		}
	}
	tapped := newTap(b, conn)
	b.mu.Lock()
	b.taps = append(b.taps, tapped)
	b.mu.Unlock()
	return tapped, nil
}

// run starts the client.
func (b *bench) run(ctx context.Context, h blaze.Handler) *blaze.Client {
	b.t.Helper()
	c, err := blaze.New(b.s.Key, &b.cfg)
	require.NoError(b.t, err)
	b.c = c
	ctx, b.cancel = context.WithCancel(ctx)
	go func() {
		defer close(b.ended)
		b.err = c.Run(ctx, h)
	}()
	return c
}

// stop ends the client, searches its error and statistics for secrets, and returns the error of Run.
func (b *bench) stop() error {
	if b.events != nil {
		close(b.quiet)
	}
	b.cancel()
	<-b.ended
	b.look()
	return b.err
}

func (b *bench) look() {
	if b.err != nil {
		b.canary.lookAt(b.t, "errors", b.err)
	}
	b.canary.lookAt(b.t, "clients", b.c.Stats())
	b.canary.lookAt(b.t, "clients", b.s.Key)
}

// bubble runs fn in a bubble of testing/synctest, with a client of a server in memory. Run must return nil.
func bubble(t *testing.T, h blaze.Handler, edit func(b *bench), fn func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		b := newBench(t, s)
		if edit != nil {
			edit(b)
		}
		b.run(context.Background(), h)
		defer func() {
			assert.NoError(t, b.stop())
			s.Close()
			for _, c := range b.allTaps() {
				_ = c.Close()
			}
			b.peers.Wait()
		}()
		synctest.Wait()
		fn(t, b)
	})
}

// overTCP returns a bench with a server on a loopback port, and a context in which the client reconnects almost at
// once. The client does not run.
func overTCP(t *testing.T) (*bench, context.Context) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := testkit.NewServerOn(ln)
	t.Cleanup(s.Close)
	b := newBench(t, s)
	b.events, b.quiet = make(chan string, 1<<10), make(chan struct{})
	return b, withoutBackoff(context.Background())
}

// withoutBackoff returns a context in which a client reconnects almost at once, for tests in real time.
func withoutBackoff(ctx context.Context) context.Context {
	return backoff.With(ctx, backoff.Policy{Base: time.Microsecond, Cap: time.Microsecond})
}

// await waits for the next event with a name.
func (b *bench) await(name string) {
	for event := range b.events {
		if event == name {
			return
		}
	}
}

// failures returns the errors of lost connections and failed dials.
func (b *bench) failures() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.errs)
}

func (b *bench) retries() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.waits)
}

func (b *bench) connects() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.links
}

func (b *bench) allTaps() []*tap {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taps)
}

func (b *bench) allTokens() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.tokens)
}

// deliver sends a text from alice to the bot.
func (b *bench) deliver(text string) string {
	return b.s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text(text)})
}

// send sends a text to alice. It searches an error for secrets.
func (b *bench) send(ctx context.Context, text string) (string, error) {
	out := b.c.ToUser(alice, blaze.Text(text))
	out.MessageID = blaze.DeriveID(b.t.Name(), text)
	_, err := b.c.Send(ctx, out)
	if err != nil {
		b.canary.lookAt(b.t, "errors", err)
	}
	return out.MessageID, err
}

// settled waits until every message is acknowledged.
func (b *bench) settled() {
	b.t.Helper()
	testkit.Idle(b.t, b.s)
}

var bearer = regexp.MustCompile(`Authorization: Bearer (\S+)`)

// tap is a connection of the client. It records tokens, and either direction can be turned into a black hole.
type tap struct {
	net.Conn
	b    *bench
	hole net.Conn // never delivers anything; has the deadlines of the connection

	closed atomic.Bool // by the client

	mu       sync.Mutex
	deadUp   bool  // writes of the client are discarded
	deadDown bool  // writes of the server are discarded
	up, down int64 // bytes
}

func newTap(b *bench, c net.Conn) *tap {
	hole, _ := net.Pipe()
	return &tap{Conn: c, b: b, hole: hole}
}

// vanish turns directions into black holes.
func (c *tap) vanish(up, down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadUp, c.deadDown = c.deadUp || up, c.deadDown || down
}

func (c *tap) Write(p []byte) (int, error) {
	if m := bearer.FindSubmatch(p); m != nil {
		token := string(m[1])
		assert.Equal(c.b.t, tokenHead, token[:len(tokenHead)], "the start of a token that the canary looks for")
		c.b.mu.Lock()
		c.b.tokens = append(c.b.tokens, token)
		c.b.mu.Unlock()
	}
	c.mu.Lock()
	c.up += int64(len(p))
	dead, deaf := c.deadUp, c.deadDown
	c.mu.Unlock()
	if dead {
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	if err != nil && deaf && !c.closed.Load() && !isTimeout(err) {
		return len(p), nil // a black hole also discards the RST of a server that has closed the connection
	}
	return n, err
}

// Read discards bytes from a black hole and blocks until the deadline.
func (c *tap) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		c.mu.Lock()
		dead := c.deadDown
		if !dead {
			c.down += int64(n)
		}
		c.mu.Unlock()
		if !dead || err != nil && isTimeout(err) {
			return n, err
		}
		if err != nil { // a black hole also discards a FIN or RST
			return c.hole.Read(p)
		}
	}
}

func (c *tap) SetDeadline(at time.Time) error {
	_ = c.hole.SetDeadline(at) // fails only after Close
	return c.Conn.SetDeadline(at)
}

func (c *tap) SetReadDeadline(at time.Time) error {
	_ = c.hole.SetReadDeadline(at)
	return c.Conn.SetReadDeadline(at)
}

func (c *tap) Close() error {
	c.closed.Store(true)
	_ = c.hole.Close()
	return c.Conn.Close()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// echo returns a handler that replies with the text it received.
func echo(b **bench) blaze.Handler {
	return blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		return (*b).c.Reply(ctx, m, "echo: "+text)
	})
}

// rejectHandshake replaces the response to the next handshake.
func (b *bench) rejectHandshake(raw string) {
	b.s.Intercept(handshake, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Bytes: []byte(raw)} })
}

const (
	handshake = http.MethodGet + " /"
	list      = "LIST_PENDING_MESSAGES"
	create    = "CREATE_MESSAGE"
	ack       = "ACKNOWLEDGE_MESSAGE_RECEIPT"
	acks      = "ACKNOWLEDGE_MESSAGE_RECEIPTS"
)

// onlyFirst replaces the server on the first n connections.
func onlyFirst(n int, fn func(n int, c *wspeer.Peer)) func(int, string) func(*wspeer.Peer) {
	return func(i int, _ string) func(*wspeer.Peer) {
		if i >= n {
			return nil
		}
		return func(c *wspeer.Peer) { fn(i, c) }
	}
}
