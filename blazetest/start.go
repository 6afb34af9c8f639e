package blazetest

import (
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze"
)

// TB is what [Start] and [Run] need of a test. *testing.T is one; a demo, which should not import package testing,
// brings its own. Errorf may be called by several goroutines at once.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start runs a bot against a new Server in memory until the test ends: [NewServer], closed in the end, and [Run]. A
// test of a Client that is refused for good needs NewServer alone. If the configuration is not valid, the test fails
// and the Client is nil.
func Start(tb TB, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config)) (*Server, *blaze.Client) {
	tb.Helper()
	s := NewServer()
	tb.Cleanup(s.Close)
	c, _ := Run(tb, s, bot, edit)
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
