package blazetest

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze"
)

// TB is what [Start] needs of a test. *testing.T is one; a demo, which should not import package testing, brings its
// own. Errorf may be called by several goroutines at once.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start runs a bot against a new Server in memory until the test ends. What the Client logs as a warning or an error,
// failing handlers among it, goes to the test's log if tb has a Logf, as *testing.T has. bot makes the handler, and
// gets the Client that the handler answers with; a nil bot and a nil handler run a Client that only sends. edit, which
// may be nil, changes the Client's configuration before it is made.
//
// When the test ends, the Client's context is cancelled, Run is waited for, and the Server is closed. The test fails if
// Run returns an error, and if the Client breaks the protocol. A test of a Client that is refused for good needs
// [NewServer] instead. If the configuration is not valid, the test fails and the Client is nil.
func Start(tb TB, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config)) (*Server, *blaze.Client) {
	tb.Helper()
	s := NewServer()
	s.Errorf = tb.Errorf
	tb.Cleanup(s.Close)
	cfg := s.Config
	if l, ok := tb.(logger); ok {
		w := &testLog{t: l}
		tb.Cleanup(w.close)
		cfg.Logger = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := blaze.New(s.Key, &cfg)
	if err != nil {
		tb.Errorf("blazetest: %v", err)
		return s, nil
	}
	var h blaze.Handler
	if bot != nil {
		h = bot(c)
	}
	// Cleanup functions run after the context of a test has ended, and Run is to end in one of them.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, h) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("blazetest: Run: %v", err)
		}
	})
	return s, c
}

// logger is what a TB may have in addition.
type logger interface {
	Logf(format string, args ...any)
}

// testLog writes to a test's log until the test has ended, after which that would be a panic.
type testLog struct {
	mu sync.Mutex
	t  logger // nil once the test has ended
}

func (w *testLog) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}

func (w *testLog) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}
