// Package leak finds goroutines that outlive the tests of a package.
package leak

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/goleak"
)

// patience is the time that Check waits for goroutines that are about to end. On a busy machine that may take longer
// than the second for which goleak waits.
const patience = 10 * time.Second

// Check returns the exit code for a TestMain after its tests ended with code. If the tests passed and goroutines are
// left, it is 1, and their stacks are on standard error.
func Check(code int) int {
	if code == 0 && left(patience, os.Stderr) {
		return 1
	}
	return code
}

// left reports whether goroutines exist after a wait, and writes their stacks.
func left(patience time.Duration, w io.Writer, options ...goleak.Option) bool {
	for began := time.Now(); ; {
		err := goleak.Find(options...)
		switch {
		case err == nil:
			return false
		case time.Since(began) >= patience:
			_, _ = fmt.Fprintln(w, err)
			return true
		}
	}
}
