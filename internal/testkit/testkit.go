// Package testkit has helpers for the tests of several packages.
package testkit

import (
	"context"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixin-blaze/blaze/blazetest"
)

// NewServer returns a lenient server in memory: a bot may write to users who have not written to it.
func NewServer() *blazetest.Server { return NewServerOn(nil) }

// NewServerOn returns a lenient server on a listener. If ln is nil, the server is in memory.
func NewServerOn(ln net.Listener) *blazetest.Server {
	return blazetest.NewServerWith(blazetest.Options{Listener: ln, Lenient: true})
}

// Idle waits until every message is acknowledged, but at most a day. If some are not, it ends the test.
func Idle(t *testing.T, s *blazetest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	if err := s.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

// Always replaces the server's response to every request with an action.
func Always(s *blazetest.Server, action string, override func(blazetest.Frame) blazetest.Answer) {
	s.InterceptAll(action, override) // an Intercept that arms itself again would miss a concurrent request
}

// Answer returns an override that returns a.
func Answer(a blazetest.Answer) func(blazetest.Frame) blazetest.Answer {
	return func(blazetest.Frame) blazetest.Answer { return a }
}

// HangingDial is a DialContext that blocks until ctx ends.
func HangingDial(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Bubble runs a subtest in a bubble of testing/synctest.
func Bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// Goroutines fails the test if more than most goroutines exist. It must be called in a bubble. A goroutine that was
// joined may still be ending, so Goroutines counts several times.
func Goroutines(t *testing.T, most int) {
	t.Helper()
	for range 1_000_000 {
		if synctest.Wait(); runtime.NumGoroutine() <= most {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines exist, want at most %d", runtime.NumGoroutine(), most)
}
