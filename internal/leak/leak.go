// Package leak finds goroutines that outlive the tests of a package.
package leak

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// patience is the time that Check waits for goroutines that are about to end.
const patience = 10 * time.Second

// Check returns the exit code for a TestMain after its tests ended with code. If the tests passed and goroutines are
// left, it is 1, and their stacks are on standard error. Only the goroutine of the caller may exist.
func Check(code int) int {
	if code == 0 && left(1, patience, os.Stderr) {
		return 1
	}
	return code
}

// left reports whether more than most goroutines exist after a wait, and writes their stacks. It waits because a
// goroutine that was joined may still be ending.
func left(most int, patience time.Duration, w io.Writer) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for runtime.NumGoroutine() > most {
		select {
		case <-again.C:
		case <-late.C:
			_, _ = fmt.Fprintln(w, "goroutines are left:")
			_ = pprof.Lookup("goroutine").WriteTo(w, 2)
			return true
		}
	}
	return false
}
