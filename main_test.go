package blaze_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails when the tests of this package leave a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	// What was told to end may need a moment to do so; only a leak makes us wait for longer.
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > 1 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > 1 && code == 0 {
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n%s\n", n-1, stacks[:runtime.Stack(stacks, true)])
		code = 1
	}
	os.Exit(code)
}
