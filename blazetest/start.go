package blazetest

import (
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze"
)

// TB is the part of *testing.T that [Start] and [Run] use. A demo, which should not import package testing, can
// implement it. Errorf may be called concurrently.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start runs a bot against a new in-memory Server until the test ends. It combines [NewServer], Close and [Run]. For a
// Client with a rejected session use NewServer, because Start fails the test if Run returns an error. If the
// configuration is invalid, the test fails and the Client is nil.
func Start(tb TB, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config)) (*Server, *blaze.Client) {
	tb.Helper()
	s := NewServer()
	tb.Cleanup(s.Close)
	c, _ := Run(tb, s, bot, edit)
	return s, c
}

// logger is an optional part of a TB.
type logger interface {
	Logf(format string, args ...any)
}

// testLog writes to a test's log until the test ends. Logf panics after that.
type testLog struct {
	mu sync.Mutex
	t  logger // nil after the test has ended
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
