package link_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
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
)

// token is what no error may contain.
const token = "eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZS1jYW5hcnk"

// Opcodes of RFC 6455, section 5.2.
const (
	opText, opBinary             = 0x1, 0x2
	opClose, opPing, opPong      = 0x8, 0x9, 0xA
	opContinuation          byte = 0x0
	final                   byte = 0x80
)

// peer is the server's end of a connection. It is written by hand from RFC 6455 and knows nothing of the code under
// test.
type peer struct {
	net.Conn
	br   *bufio.Reader
	head string // of the client's request
}

func newPeer(c net.Conn) *peer { return &peer{Conn: c, br: bufio.NewReader(c)} }

func (p *peer) readHead() error {
	var head strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			p.head = head.String()
			return err
		}
	}
}

// header returns the values of all header lines of that name, as they came.
func (p *peer) header(name string) (values []string) {
	for _, line := range strings.Split(p.head, "\r\n")[1:] {
		if key, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(key, name) {
			values = append(values, value)
		}
	}
	return values
}

// upgrade is the answer that accepts the client's request, with more header lines.
func (p *peer) upgrade(headers ...string) string {
	sum := sha1.Sum([]byte(p.header("Sec-WebSocket-Key")[0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	lines := append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]),
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// frame is one frame of the client.
type frame struct {
	first   byte // FIN, RSV, opcode
	key     [4]byte
	payload []byte
}

// readFrame reads one frame and insists that it is masked and that its length is written in the shortest way.
func (p *peer) readFrame() (f frame, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.br, head[:]); err != nil {
		return f, err
	}
	f.first = head[0]
	if head[1]&0x80 == 0 {
		return f, errors.New("the client's frame is not masked")
	}
	n := uint64(head[1] & 0x7F)
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(p.br, b[:])
		if n = uint64(binary.BigEndian.Uint16(b[:])); err == nil && n < 126 {
			err = errors.New("16 bits for a length that fits 7")
		}
	case 127:
		var b [8]byte
		_, err = io.ReadFull(p.br, b[:])
		if n = binary.BigEndian.Uint64(b[:]); err == nil && n < 1<<16 {
			err = errors.New("64 bits for a length that fits 16")
		}
	}
	if err != nil {
		return f, err
	}
	if _, err := io.ReadFull(p.br, f.key[:]); err != nil {
		return f, err
	}
	f.payload = make([]byte, n)
	_, err = io.ReadFull(p.br, f.payload)
	for i := range f.payload {
		f.payload[i] ^= f.key[i%4]
	}
	return f, err
}

// encode returns one frame of the server.
func encode(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 0xFFFF:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, payload...)
}

// closing returns the payload of a close frame.
func closing(code int, text string) []byte {
	return append([]byte{byte(code >> 8), byte(code)}, text...)
}

func compress(s string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = io.WriteString(zw, s)
	_ = zw.Close()
	return b.Bytes()
}

func decompress(t *testing.T, p []byte) string {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(p))
	require.NoError(t, err)
	s, err := io.ReadAll(zr)
	require.NoError(t, err)
	return string(s)
}

// named is a whole message of the server whose frame has that id.
func named(id string) []byte {
	return encode(final|opBinary, compress(fmt.Sprintf(`{"id":%q,"action":"X"}`, id)))
}

// source is a scripted link.Source.
type source struct {
	mu     sync.Mutex
	frames [][]byte
	store  bool
	wait   time.Duration
	err    error
	asked  []time.Time
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

// write has the link write one more frame.
func (s *source) write(frame string) {
	s.add(frame)
	s.wake <- struct{}{}
}

func (s *source) Next() ([]byte, bool, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.err != nil || len(s.frames) == 0 {
		return nil, false, s.wait, s.err
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f, s.store, 0, nil
}

func (s *source) Wake() <-chan struct{} { return s.wake }

// log is what the hooks were told.
type log struct {
	mu          sync.Mutex
	ids, events []string
	bad         []error
	alive, read int
	pongs       int
	refuse      error             // what the Frame hook answers
	hold        chan struct{}     // what it waits for, unless nil
	trace       func(json []byte) // the Trace hook
}

func (g *log) hooks() link.Hooks {
	note := func(fn func()) {
		g.mu.Lock()
		defer g.mu.Unlock()
		fn()
	}
	return link.Hooks{
		Alive: func() { note(func() { g.alive++ }) },
		Pong:  func() { note(func() { g.pongs++ }) },
		Read:  func() { note(func() { g.read++ }) },
		Trace: g.trace,
		Frame: func(_ *link.Link, f *wire.Received) (err error) {
			note(func() { g.ids, err = append(g.ids, f.ID.String()), g.refuse })
			if g.hold != nil {
				<-g.hold
			}
			return err
		},
		Bad:   func(err error) { note(func() { g.bad = append(g.bad, err) }) },
		Wrote: func(json []byte) { note(func() { g.events = append(g.events, "wrote "+string(json)) }) },
	}
}

// rig is a link, started, and its peer, inside a bubble. All its methods wait until nothing moves any more.
type rig struct {
	t *testing.T
	*link.Link
	conn *pipeEnd
	line *line
	peer *peer
	log  *log
	born time.Time

	readers sync.WaitGroup // of the peer

	mu     sync.Mutex
	frames []frame // that were collected
	times  []time.Duration
}

// connect joins a link to a peer that has accepted it. Neither reads what the other one writes from now on, until
// told so.
func connect(t *testing.T, src link.Source) *rig {
	t.Helper()
	return connectTo(t, src, new(log))
}

func connectTo(t *testing.T, src link.Source, log *log) *rig {
	t.Helper()
	return connectIn(t.Context(), t, src, log, 0)
}

// connectIn dials with ctx, and patience for the first pong.
func connectIn(ctx context.Context, t *testing.T, src link.Source, log *log, patience time.Duration) *rig {
	t.Helper()
	client, server := pipe()
	r := &rig{t: t, conn: client, line: server, peer: newPeer(server), log: log}
	go func() {
		if r.peer.readHead() == nil {
			_, _ = io.WriteString(r.peer, r.peer.upgrade())
		}
	}()
	var err error
	r.Link, err = link.Dial(ctx, link.Config{
		URL: "ws://blaze.test/", Token: token, DialContext: give(client), Pong: patience,
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

// collect has the peer read everything, and answer pings if pong is set.
func (r *rig) collect(pong bool) { r.collectEvery(0, pong) }

// collectEvery is collect by a peer that waits before each frame.
func (r *rig) collectEvery(pause time.Duration, pong bool) {
	r.readers.Go(func() {
		for {
			time.Sleep(pause)
			f, err := r.peer.readFrame()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.frames, r.times = append(r.frames, f), append(r.times, time.Since(r.born))
			r.mu.Unlock()
			if pong && f.first == final|opPing {
				_, _ = r.peer.Write(encode(final|opPong, f.payload))
			}
		}
	})
}

// collected returns what the peer has read, and forgets it.
func (r *rig) collected() []frame {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	frames := r.frames
	r.frames, r.times = nil, nil
	return frames
}

// send writes bytes to the link, all at once.
func (r *rig) send(parts ...[]byte) {
	r.t.Helper()
	_, err := r.peer.Write(bytes.Join(parts, nil))
	require.NoError(r.t, err)
	synctest.Wait()
}

// ids returns the ids of the frames that arrived.
func (r *rig) ids() []string {
	synctest.Wait()
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return append([]string(nil), r.log.ids...)
}

// ended requires that the link has ended, and returns why.
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

// lives requires that the link works, both ways.
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

// tcp says how to connect to a server of net/http/httptest.
func tcp(url string) link.Config {
	return link.Config{
		URL: "ws" + strings.TrimPrefix(url, "http") + "/", Token: token, DialContext: new(net.Dialer).DialContext,
	}
}

// give returns a DialContext that connects to nothing but c.
func give(c net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return c, nil }
}

// pipe returns both ends of a connection in memory.
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

// bubble runs a test on a clock that is not real, and fails it if a goroutine stays.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

// answer dials a peer that reads the request and then answers as serve says; when serve returns, the peer hangs up.
func answer(t *testing.T, serve func(p *peer)) (*link.Link, error) {
	t.Helper()
	client, server := pipe()
	p := newPeer(server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if p.readHead() == nil {
			serve(p)
		}
		_ = p.Close()
	}()
	l, err := link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: give(client)})
	if err != nil {
		<-done
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe, "the connection was left open")
	}
	return l, err
}

// reply is answer with a fixed text.
func reply(t *testing.T, text string) (*link.Link, error) {
	t.Helper()
	return answer(t, func(p *peer) { _, _ = io.WriteString(p, text) })
}
