package blaze_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Upper bounds of allocations per text message. Received: from the socket until the handler has returned and the
// message is acknowledged. Sent: from Send until the server's confirmation. Lower the bound after saving some.
const (
	maxReceived = 7.5
	maxSent     = 11.0
)

func TestAllocationsOfAReceivedText(t *testing.T) {
	for name, cfg := range map[string]blaze.Config{
		"plain":  {},
		"traced": {Trace: &blaze.Trace{FrameRead: func([]byte) {}, FrameWritten: func([]byte) {}}},
		"with a Ledger": {Ledger: ledgerFuncs{
			func(context.Context, string) (bool, error) { return false, nil },
			func(context.Context, string) error { return nil },
		}},
	} {
		t.Run(name, func(t *testing.T) { allocationsOfAReceivedText(t, cfg) })
	}
}

func allocationsOfAReceivedText(t *testing.T, cfg blaze.Config) {
	t.Helper()
	const each = 160 // two frames of acknowledgements
	const runs = 20
	const warm = 5
	c := newQuietConn()
	handled := 0
	stop := runQuietly(t, c, cfg, blaze.On(func(context.Context, *blaze.Message, blaze.Text) error { return nil }))
	defer stop()
	var batches [][]byte
	for i := range warm + runs + 1 {
		var batch []byte
		for j := range each {
			batch = append(batch, pushedText(fmt.Sprintf("%08d-0000-4000-8000-000000000000", i*each+j), j%10)...)
		}
		batches = append(batches, batch)
	}
	receive := func() {
		handled += each
		c.push(batches[0])
		batches = batches[1:]
		c.waitForAcks(handled)
	}
	for range warm {
		receive()
	}
	got := testing.AllocsPerRun(runs, receive) / each
	t.Logf("%.2f allocations", got)
	assert.LessOrEqual(t, got, maxReceived)
}

func TestAllocationsOfASentText(t *testing.T) {
	c := newQuietConn()
	r := newQuietClient(t, c, blaze.Config{})
	stop := runClient(t, r, nil)
	defer stop()
	out := r.ToUser(userA, blaze.Text("hello"))
	send := func() {
		_, err := r.Send(t.Context(), out)
		assert.NoError(t, err)
	}
	send()
	got := testing.AllocsPerRun(500, send)
	t.Logf("%.2f allocations", got)
	if raced {
		got-- // allocated by the race detector
	}
	assert.LessOrEqual(t, got, maxSent)
}

func newQuietClient(t *testing.T, c *quietConn, cfg blaze.Config) *blaze.Client {
	t.Helper()
	cfg.Endpoints, cfg.Logger = []string{"ws://127.0.0.1/"}, slog.New(slog.DiscardHandler)
	cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return c, nil }
	r, err := blaze.New(keyOf(botID), &cfg)
	require.NoError(t, err)
	blaze.Introduce(r) // the connection serves the websocket only
	return r
}

func runQuietly(t *testing.T, c *quietConn, cfg blaze.Config, h blaze.Handler) (stop func()) {
	t.Helper()
	return runClient(t, newQuietClient(t, c, cfg), h)
}

func runClient(t *testing.T, r *blaze.Client, h blaze.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, h) }()
	return func() {
		cancel()
		assert.NoError(t, <-ended)
	}
}

// pushedText is the websocket message that pushes a text in one of several conversations.
func pushedText(id string, conversation int) []byte {
	data := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("text "), 16))
	return wspeer.PackStored(fmt.Sprintf(`{"id":%q,"action":"CREATE_MESSAGE","data":{"type":"message",`+
		`"conversation_id":"7404c815-0393-3ea3-b9f2-%012d",`+
		`"user_id":%q,"session_id":%q,"message_id":%q,"category":"PLAIN_TEXT","data_base64":%q,"status":"SENT",`+
		`"source":"CREATE_MESSAGE","created_at":"2023-04-28T10:01:32.387507Z",`+
		`"updated_at":"2023-04-28T10:01:32.387507Z"}}`, id, conversation, userA, userB, id, data))
}

// quietConn is a connection to a server that confirms each request and allocates nothing after its first use. blazetest
// does not fit: the test counts the allocations of the whole process.
type quietConn struct {
	mu       sync.Mutex
	changed  *sync.Cond
	in, out  []byte
	reply    []byte
	inflater wire.Inflater
	open     bool // the handshake is over
	closed   bool
	acks     int
}

func newQuietConn() *quietConn {
	c := &quietConn{out: make([]byte, 0, 1<<20)}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// push makes the client read p.
func (c *quietConn) push(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, p...)
	c.changed.Broadcast()
}

// waitForAcks waits until n messages in total are acknowledged.
func (c *quietConn) waitForAcks(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.acks < n && !c.closed {
		c.changed.Wait()
	}
}

func (c *quietConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) == 0 {
		if c.closed {
			return 0, io.EOF
		}
		c.changed.Wait()
	}
	n := copy(p, c.out)
	c.out = c.out[:copy(c.out, c.out[n:])]
	return n, nil
}

func (c *quietConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, p...)
	if !c.open {
		c.upgrade()
	} else {
		for c.frame() {
			continue
		}
	}
	c.changed.Broadcast()
	return len(p), nil
}

func (c *quietConn) upgrade() {
	_, rest, ok := bytes.Cut(c.in, []byte("\r\n\r\n"))
	if !ok {
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.in)))
	if err != nil {
		panic(err)
	}
	c.out = append(c.out, wspeer.Adopt(c, nil, r).Upgrade()...)
	c.in = append(c.in[:0], rest...)
	c.open = true
}

// frame answers one frame of the client: a request that begins with id and action.
func (c *quietConn) frame() bool {
	f, n, err := wspeer.Cut(c.in)
	if err != nil {
		panic(err)
	}
	switch {
	case n == 0:
		return false
	case f.Op() == wspeer.Close:
		c.out = append(wspeer.AppendHead(c.out, f.First, len(f.Payload)), f.Payload...)
	case f.Op() == wspeer.Binary:
		json, err := c.inflater.Inflate(f.Payload)
		if err != nil {
			panic(err)
		}
		c.acks += bytes.Count(json, []byte(`"message_id":`))
		const before = len(`{"id":"89e0bdee-c355-47f2-945a-be48be875606","action":"`)
		end := before + bytes.IndexByte(json[before:], '"') + 1
		c.reply = append(append(c.reply[:0], json[:end]...), '}')
		c.out = wspeer.AppendHead(c.out, wspeer.Final|wspeer.Binary, wspeer.LenStored(len(c.reply)))
		c.out = wspeer.AppendStored(c.out, c.reply)
	}
	c.in = c.in[:copy(c.in, c.in[n:])]
	return true
}

func (c *quietConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.changed.Broadcast()
	return nil
}

func (c *quietConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *quietConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *quietConn) SetDeadline(time.Time) error      { return nil }
func (c *quietConn) SetReadDeadline(time.Time) error  { return nil }
func (c *quietConn) SetWriteDeadline(time.Time) error { return nil }
