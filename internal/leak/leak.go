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

// patience is how long Check waits for goroutines that are on their way out.
const patience = 10 * time.Second

// Check returns the exit code of a TestMain whose tests have ended with code: it is 1, and the stacks are on standard
// error, if the tests have passed and goroutines are left. It is called by the only goroutine that may be there.
func Check(code int) int {
	if code == 0 && left(1, patience, os.Stderr) {
		return 1
	}
	return code
}

// left reports whether more than most goroutines are left after a while, and writes their stacks. One that was joined
// may still be on its way out.
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
