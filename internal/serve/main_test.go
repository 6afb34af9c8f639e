package serve_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/leak"
	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// TestMain fails if any goroutine outlives the tests.
func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// line is a connection with both ends.
type line struct {
	*serve.Conn
	client *websocket.Conn
	answer *http.Response // to the handshake
	ended  chan struct{}  // closed when Serve has returned

	mu     sync.Mutex
	frames []string     // received from the client
	done   []serve.Item // passed to Hooks.Done
	faults []string
}

// rawKey is the context key of a request's network connection.
type rawKey struct{}

// connect opens an in-memory websocket for a client that requests the given subprotocols. edit may change the hooks.
func connect(t *testing.T, edit func(*serve.Hooks), subprotocols ...string) *line {
	t.Helper()
	l := &line{ended: make(chan struct{})}
	ln, made := memnet.Listen(), make(chan *serve.Conn, 1)
	srv := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, rawKey{}, c)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(l.ended)
			raw := r.Context().Value(rawKey{}).(net.Conn)
			c, err := serve.Upgrade(w, r, raw, http.Header{"X-Test": {"yes"}}, l.hooks(edit))
			if assert.NoError(t, err) {
				made <- c
				c.Serve()
			}
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(ln) })
	d := websocket.Dialer{NetDialContext: ln.Dial, Subprotocols: subprotocols}
	var err error
	l.client, l.answer, err = d.DialContext(t.Context(), "ws://localhost/", nil)
	require.NoError(t, err)
	l.Conn = <-made
	t.Cleanup(func() {
		_ = l.client.Close()
		<-l.ended
		_ = srv.Close()
		serving.Wait()
	})
	return l
}

// hooks returns hooks that record their arguments.
func (l *line) hooks(edit func(*serve.Hooks)) serve.Hooks {
	note := func(fn func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		fn()
	}
	h := serve.Hooks{
		Frame: func(_ *wire.Frame, text []byte) bool {
			note(func() { l.frames = append(l.frames, string(text)) })
			return true
		},
		Done:  func(it serve.Item) { note(func() { l.done = append(l.done, it) }) },
		Fault: func(format string, _ ...any) { note(func() { l.faults = append(l.faults, format) }) },
		Misuse: func(format string, _ ...any) {
			note(func() { l.faults = append(l.faults, "misuse: "+format) })
		},
	}
	if edit != nil {
		edit(&h)
	}
	return h
}

// write writes a frame of the client, and returns its compressed size.
func (l *line) write(t *testing.T, text string) int {
	t.Helper()
	p := serve.Deflate([]byte(text))
	require.NoError(t, l.client.WriteMessage(websocket.BinaryMessage, p))
	return len(p)
}

// read reads the next frame of the service.
func (l *line) read(t *testing.T) string {
	t.Helper()
	kind, p, err := l.client.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, websocket.BinaryMessage, kind)
	var inflater wire.Inflater
	text, err := inflater.Inflate(p)
	require.NoError(t, err)
	return string(text)
}

// finished returns the number of calls of Hooks.Done for each message.
func (l *line) finished() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := make(map[string]int)
	for _, it := range l.done {
		n[string(it.Message)]++
	}
	return n
}

// noted returns the recorded arguments of a hook.
func noted(l *line, of *[]string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), *of...)
}
