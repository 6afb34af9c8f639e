package blaze_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain fails if any goroutine outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.fuzz").Value.String() == "" && leaked() {
		fmt.Fprintln(os.Stderr, "goroutines are left:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		code = 1
	}
	os.Exit(code)
}

// leaked reports whether goroutines are left after a while: one that was joined may still be on its way out.
func leaked() bool {
	patience := time.After(10 * time.Second)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for runtime.NumGoroutine() > 1 {
		select {
		case <-again.C:
		case <-patience:
			return true
		}
	}
	return false
}
