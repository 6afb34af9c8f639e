package blaze_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// rawServer is a server that says exactly what a test tells it to, however wrong it is. Requests that it has no answer for
// get a bare reply.
type rawServer struct {
	t         *testing.T
	handshake func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	answer    func(c *rawConn, f frame) bool                    // true: it has answered, or there is none
	http      *http.Server
	dials     chan net.Conn
	done      chan struct{}
	wg        sync.WaitGroup

	mu    sync.Mutex
	conns []*rawConn
	acked []string
}

// rawConn is one connection of it.
type rawConn struct {
	s  *rawServer
	ws *websocket.Conn
	mu sync.Mutex // of the writing side
}

func newRawServer(t *testing.T) *rawServer {
	t.Helper()
	s := &rawServer{t: t, dials: make(chan net.Conn), done: make(chan struct{})}
	s.http = &http.Server{Handler: http.HandlerFunc(s.handle), ErrorLog: log.New(io.Discard, "", 0)}
	s.wg.Go(func() { _ = s.http.Serve(s) })
	t.Cleanup(s.close)
	return s
}

// run starts a bot against the server.
func (s *rawServer) run(h blaze.Handler, edit func(*blaze.Config)) *rig {
	s.t.Helper()
	key := blazetest.NewServer() // for a key, and to be asked what Stats say
	s.t.Cleanup(key.Close)
	cfg := key.Config
	cfg.DialContext = s.dial
	r := prepareFor(s.t, key, cfg, edit)
	r.start(s.t.Context(), h)
	return r
}

func (s *rawServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.dials <- ours:
		return theirs, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Accept, Close and Addr make it a [net.Listener].
func (s *rawServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.dials:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *rawServer) Close() error   { return nil }
func (s *rawServer) Addr() net.Addr { return new(net.UnixAddr) }

func (s *rawServer) close() {
	close(s.done)
	s.cut()
	_ = s.http.Close()
	s.wg.Wait()
}

// cut ends every connection.
func (s *rawServer) cut() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.ws.NetConn().Close()
	}
}

// conn returns the newest connection.
func (s *rawServer) conn() *rawConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[len(s.conns)-1]
}

func (s *rawServer) ackedIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}

func (s *rawServer) handle(w http.ResponseWriter, r *http.Request) {
	if s.handshake != nil && s.handshake(w, r) {
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"Mixin-Blaze-1"}}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &rawConn{s: s, ws: ws}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	s.wg.Go(c.read)
}

func (c *rawConn) read() {
	defer func() { _ = c.ws.NetConn().Close() }()
	for {
		_, p, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		var f frame
		zr, err := gzip.NewReader(bytes.NewReader(p))
		if err == nil {
			err = json.NewDecoder(zr).Decode(&f)
		}
		if err != nil {
			c.s.t.Errorf("the client wrote what is no frame: %v", err)
			return
		}
		if c.s.answer != nil && c.s.answer(c, f) {
			continue
		}
		if f.Action == actionAck || f.Action == actionAcks {
			c.s.mu.Lock()
			c.s.acked = append(c.s.acked, f.ids()...)
			c.s.mu.Unlock()
		}
		c.reply(f, "")
	}
}

// write writes bytes as one message. That the client has gone is no fault of the test.
func (c *rawConn) write(kind int, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.WriteMessage(kind, p)
}

// json writes a frame.
func (c *rawConn) json(text string) { c.write(websocket.BinaryMessage, gzipped(text)) }

// reply answers a request; more is the rest of the object, such as `,"data":{}`.
func (c *rawConn) reply(f frame, more string) {
	c.json(fmt.Sprintf(`{"id":%q,"action":%q%s}`, f.ID, f.Action, more))
}

// push pushes a message.
func (c *rawConn) push(v map[string]any) { c.json(pushOf(v)) }

func pushOf(v map[string]any) string { return frameOf(actionSend, v) }

func frameOf(action string, data map[string]any) string {
	p, err := json.Marshal(map[string]any{"id": blaze.DeriveID("frame", fmt.Sprint(data)), "action": action, "data": data})
	if err != nil {
		panic(err)
	}
	return string(p)
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = zw.Write([]byte(text))
	_ = zw.Close()
	return b.Bytes()
}

// message is the data of a pushed text, with an id that follows from what it says.
func message(user, text string) map[string]any {
	return map[string]any{
		"type": "message", "representative_id": "", "quote_message_id": "", "user_id": userID(user), "session_id": userID("session"),
		"conversation_id": blaze.ConversationID(blazetestAppID, userID(user)), "message_id": blaze.DeriveID(user, text),
		"category": "PLAIN_TEXT", "data": base64.StdEncoding.EncodeToString([]byte(text)),
		"data_base64": base64.RawURLEncoding.EncodeToString([]byte(text)), "status": "SENT", "source": "CREATE_MESSAGE",
		"silent": false, "expire_in": 0, "created_at": "2023-04-28T10:01:32.387507Z", "updated_at": "2023-04-28T10:01:32.387507Z",
	}
}

// blazetestAppID is the bot of every blazetest.Server.
const blazetestAppID = "b1a2e000-0000-4000-8000-000000000001"

// with returns a message with some of its fields replaced; nil takes a field out.
func with(v map[string]any, fields map[string]any) map[string]any {
	for k, x := range fields {
		if v[k] = x; x == nil {
			delete(v, k)
		}
	}
	return v
}

// hangingDial reaches nobody.
func hangingDial(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
