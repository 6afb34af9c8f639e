package link_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// token must not occur in any error.
const token = "eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZS1jYW5hcnk"

func decompress(t *testing.T, p []byte) string {
	t.Helper()
	s, err := wspeer.Gunzip(p)
	require.NoError(t, err)
	return string(s)
}

// named returns a message with that frame id, as the server sends it.
func named(id string) []byte {
	return wspeer.Pack(fmt.Sprintf(`{"id":%q,"action":"X"}`, id))
}

// source is a scripted link.Source.
type source struct {
	mu     sync.Mutex
	frames [][]byte
	store  bool
	wait   time.Duration
	err    error
	calls  []time.Time
	wake   chan struct{}
}

func newSource(frames ...string) *source {
	s := &source{wait: -1, wake: make(chan struct{}, 1)}
	s.add(frames...)
	return s
}

func (s *source) add(frames ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range frames {
		s.frames = append(s.frames, []byte(f))
	}
}

// write makes the link write one more frame.
func (s *source) write(frame string) {
	s.add(frame)
	s.wake <- struct{}{}
}

func (s *source) Next() ([]byte, bool, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, time.Now())
	if s.err != nil || len(s.frames) == 0 {
		return nil, false, s.wait, s.err
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f, s.store, 0, nil
}

func (s *source) Wake() <-chan struct{} { return s.wake }

// log records the calls of the hooks.
type log struct {
	mu          sync.Mutex
	ids, events []string
	bad         []error
	alive, read int
	pongs       int
	frameErr    error             // returned by the Frame hook
	block       chan struct{}     // the Frame hook waits for it, unless it is nil
	trace       func(json []byte) // the Trace hook
}

func (g *log) hooks() link.Hooks {
	record := func(fn func()) {
		g.mu.Lock()
		defer g.mu.Unlock()
		fn()
	}
	return link.Hooks{
		Alive: func() { record(func() { g.alive++ }) },
		Pong:  func() { record(func() { g.pongs++ }) },
		Read:  func() { record(func() { g.read++ }) },
		Trace: g.trace,
		Frame: func(_ *link.Link, f *wire.Received) (err error) {
			record(func() { g.ids, err = append(g.ids, f.ID.String()), g.frameErr })
			if g.block != nil {
				<-g.block
			}
			return err
		},
		Bad:   func(err error) { record(func() { g.bad = append(g.bad, err) }) },
		Wrote: func(json []byte) { record(func() { g.events = append(g.events, "wrote "+string(json)) }) },
	}
}

// rig is a started link and its peer in a synctest bubble. Most methods wait until every goroutine is blocked.
type rig struct {
	t *testing.T
	*link.Link
	conn *pipeEnd
	line *line
	peer *wspeer.Peer
	log  *log
	born time.Time

	readers sync.WaitGroup // of the peer

	mu     sync.Mutex
	frames []wspeer.Frame // frames that were collected
	times  []time.Duration
}

// connect returns a link to a peer that has completed the handshake. The peer reads nothing until collect is called.
func connect(t *testing.T, src link.Source) *rig {
	t.Helper()
	return connectTo(t, src, new(log))
}

func connectTo(t *testing.T, src link.Source, log *log) *rig {
	t.Helper()
	return connectIn(t.Context(), t, src, log, 0)
}

// connectIn is like connectTo, with a context and with patience for the first pong.
func connectIn(ctx context.Context, t *testing.T, src link.Source, log *log, patience time.Duration) *rig {
	t.Helper()
	client, server := pipe()
	r := &rig{t: t, conn: client, line: server, peer: wspeer.New(server), log: log}
	go func() {
		if r.peer.ReadHead() == nil {
			_, _ = io.WriteString(r.peer, r.peer.Upgrade())
		}
	}()
	var err error
	r.Link, err = link.Dial(ctx, link.Config{
		URL: "ws://blaze.test/", Token: token, DialContext: dialTo(client), Pong: patience,
	})
	require.NoError(t, err)
	client.writes.Store(0)
	r.start(src)
	return r
}

func (r *rig) start(src link.Source) {
	r.born = time.Now()
	r.Start(src, r.log.hooks())
	r.t.Cleanup(func() {
		r.Fail(io.EOF)
		_ = r.peer.Close()
		<-r.Done()
		r.readers.Wait()
	})
}

// collect makes the peer read everything, and answer pings if pong is set.
func (r *rig) collect(pong bool) { r.collectEvery(0, pong) }

// collectEvery is like collect, for a peer that pauses before each frame.
func (r *rig) collectEvery(pause time.Duration, pong bool) {
	r.readers.Go(func() {
		for {
			time.Sleep(pause)
			f, err := r.peer.ReadFrame()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.frames, r.times = append(r.frames, f), append(r.times, time.Since(r.born))
			r.mu.Unlock()
			if pong && f.First == wspeer.Final|wspeer.Ping {
				_, _ = r.peer.Write(wspeer.Whole(wspeer.Pong, f.Payload))
			}
		}
	})
}

// collected returns and clears the frames that the peer has read.
func (r *rig) collected() []wspeer.Frame {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	frames := r.frames
	r.frames, r.times = nil, nil
	return frames
}

// send writes bytes to the link in one write.
func (r *rig) send(parts ...[]byte) {
	r.t.Helper()
	_, err := r.peer.Write(bytes.Join(parts, nil))
	require.NoError(r.t, err)
	synctest.Wait()
}

// ids returns the ids of the delivered frames.
func (r *rig) ids() []string {
	synctest.Wait()
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return append([]string(nil), r.log.ids...)
}

// ended requires that the link has ended, and returns its error.
func (r *rig) ended() error {
	r.t.Helper()
	synctest.Wait()
	select {
	case <-r.Done():
		return r.Err()
	default:
		require.Fail(r.t, "the link has not ended")
		return nil
	}
}

// lives requires that the link delivers a frame and has not ended.
func (r *rig) lives() {
	r.t.Helper()
	r.send(named("alive"))
	ids := r.ids()
	require.NotEmpty(r.t, ids)
	require.Equal(r.t, "alive", ids[len(ids)-1])
	select {
	case <-r.Done():
		require.Fail(r.t, "the link has ended", r.Err())
	default:
	}
}

// tcp returns the Config for a server of net/http/httptest.
func tcp(url string) link.Config {
	return link.Config{
		URL: "ws" + strings.TrimPrefix(url, "http") + "/", Token: token, DialContext: new(net.Dialer).DialContext,
	}
}

// dialTo returns a DialContext that always returns c.
func dialTo(c net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return c, nil }
}

// pipe returns both ends of an in-memory connection.
func pipe() (client *pipeEnd, server *line) {
	c, s := memnet.Pipe()
	return &pipeEnd{Conn: c}, &line{Conn: s}
}

// pipeEnd is the client's end.
type pipeEnd struct {
	net.Conn
	writes atomic.Int64
}

func (c *pipeEnd) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// bubble runs a test in a synctest bubble, which has a fake clock and fails if a goroutine is left.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

// answer dials a peer that reads the request and calls serve. The peer hangs up when serve returns.
func answer(t *testing.T, serve func(p *wspeer.Peer)) (*link.Link, error) {
	t.Helper()
	client, server := pipe()
	p := wspeer.New(server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if p.ReadHead() == nil {
			serve(p)
		}
		_ = p.Close()
	}()
	l, err := link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(client)})
	if err != nil {
		<-done
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe, "the connection is open after an error")
	}
	return l, err
}

// reply is like answer, with a fixed response.
func reply(t *testing.T, text string) (*link.Link, error) {
	t.Helper()
	return answer(t, func(p *wspeer.Peer) { _, _ = io.WriteString(p, text) })
}
