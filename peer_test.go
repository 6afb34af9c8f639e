package blaze_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// peer is a websocket server that shares no code with the Client: it hands each message that it reads to the test, and
// writes only what the test tells it to.
type peer struct {
	t        *testing.T
	requests chan request // in the order in which they were read
	http     *http.Server
	endpoint string
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []*websocket.Conn
}

// request is one message that a client wrote.
type request struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`

	text []byte // the JSON of it all
	conn *peerConn
}

type peerConn struct {
	t  *testing.T
	mu sync.Mutex
	ws *websocket.Conn
	zw *gzip.Writer
}

// newPeer returns a peer on a loopback port.
func newPeer(t *testing.T) *peer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return servePeer(t, ln, nil)
}

// newPipePeer returns a peer in memory, for bubbles of testing/synctest.
func newPipePeer(t *testing.T) *peer {
	ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	return servePeer(t, ln, ln.dial)
}

func servePeer(t *testing.T, ln net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *peer {
	p := &peer{t: t, requests: make(chan request, 1<<15), endpoint: "ws://" + ln.Addr().String() + "/", dial: dial}
	p.http = &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0)}
	p.wg.Go(func() { _ = p.http.Serve(ln) })
	t.Cleanup(func() {
		_ = p.http.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *peer) serve(w http.ResponseWriter, r *http.Request) {
	p.wg.Add(1)
	defer p.wg.Done()
	up := websocket.Upgrader{Subprotocols: []string{"Mixin-Blaze-1"}}
	ws, err := up.Upgrade(w, r, nil)
	if !assert.NoError(p.t, err) {
		return
	}
	defer func() { _ = ws.Close() }()
	p.mu.Lock()
	p.conns = append(p.conns, ws)
	p.mu.Unlock()
	c := &peerConn{t: p.t, ws: ws, zw: gzip.NewWriter(io.Discard)}
	for {
		kind, body, err := ws.ReadMessage()
		if err != nil {
			return
		}
		assert.Equal(p.t, websocket.BinaryMessage, kind)
		p.requests <- readRequest(p.t, c, body)
	}
}

// readRequest gunzips a message: one gzip stream and nothing behind it.
func readRequest(t *testing.T, c *peerConn, body []byte) request {
	src := bytes.NewReader(body)
	zr, err := gzip.NewReader(src)
	if !assert.NoError(t, err) {
		return request{}
	}
	zr.Multistream(false)
	text, err := io.ReadAll(zr)
	assert.NoError(t, err)
	assert.Zero(t, src.Len(), "bytes behind the gzip stream")
	r := request{text: text, conn: c}
	assert.NoError(t, json.Unmarshal(text, &r))
	return r
}

// next waits for the next message that a client wrote.
func (p *peer) next() request {
	p.t.Helper()
	r, ok := <-p.requests
	require.True(p.t, ok)
	return r
}

// none checks that the client has written nothing more, once nothing moves any more.
func (p *peer) none() {
	p.t.Helper()
	select {
	case r := <-p.requests:
		assert.Fail(p.t, "unexpected request", "%s", r.text)
	default:
	}
}

// cut ends every connection without a close frame.
func (p *peer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ws := range p.conns {
		_ = ws.UnderlyingConn().Close()
	}
	p.conns = nil
}

// messageID returns the id of the only message in a request.
func (r request) messageID(t *testing.T) string {
	t.Helper()
	ids := r.messageIDs(t)
	require.Len(t, ids, 1)
	return ids[0]
}

// messageIDs returns the ids of the messages in a request.
func (r request) messageIDs(t *testing.T) []string {
	t.Helper()
	var params struct {
		MessageID string `json:"message_id"`
		Messages  []struct {
			MessageID string `json:"message_id"`
		} `json:"messages"`
	}
	require.NoError(t, json.Unmarshal(r.Params, &params))
	if params.MessageID != "" {
		return []string{params.MessageID}
	}
	var ids []string
	for _, m := range params.Messages {
		ids = append(ids, m.MessageID)
	}
	return ids
}

// confirm answers as the service does when all is well.
func (r request) confirm() { r.reply("") }

// refuse answers with an error of the service.
func (r request) refuse(code blaze.Code, description string) {
	e, _ := json.Marshal(map[string]any{"status": 202, "code": code, "description": description})
	r.reply(`,"error":` + string(e))
}

// reply answers with the request's id and action, and with rest, which begins with a comma.
func (r request) reply(rest string) {
	r.conn.write(`{"id":"` + r.ID + `","action":"` + r.Action + `"` + rest + `}`)
}

// write sends one frame. A connection that is gone does not matter.
func (c *peerConn) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	c.zw.Reset(&b)
	_, err := c.zw.Write([]byte(text))
	assert.NoError(c.t, err)
	assert.NoError(c.t, c.zw.Close())
	_ = c.ws.WriteMessage(websocket.BinaryMessage, b.Bytes())
}

// newClient returns a client of the bot with that id.
func (p *peer) newClient(appID string, edit func(*blaze.Config)) *blaze.Client {
	p.t.Helper()
	cfg := blaze.Config{
		Endpoints: []string{p.endpoint}, DialContext: p.dial, Logger: slog.New(slog.DiscardHandler),
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	if edit != nil {
		edit(&cfg)
	}
	key := blaze.Keystore{AppID: appID, SessionID: userB, SessionPrivateKey: strings.Repeat("4b", 32)}
	c, err := blaze.New(key, &cfg)
	require.NoError(p.t, err)
	return c
}

// start runs a client until the test ends.
func (p *peer) start(appID string, h blaze.Handler, edit func(*blaze.Config)) *blaze.Client {
	p.t.Helper()
	c := p.newClient(appID, edit)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx, h) // how it ends depends on what the test leaves unanswered
	}()
	p.t.Cleanup(func() {
		cancel()
		p.cut()
		<-ended
	})
	return c
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- ours:
		return theirs, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (*pipes) Addr() net.Addr    { return pipeAddr{} }
func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "localhost" }

type pipeAddr struct{}
