package faults_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mixin-blaze/blaze/internal/leak"
)

// lastRow is the number of the last fault of the matrix.
const lastRow = 62

// counts is how often each fault was seen to happen.
var counts struct {
	sync.Mutex
	rows [lastRow + 1]int
}

// fired notes that a fault has happened, on evidence, and not only that the test tried.
func fired(t *testing.T, row int) { firedN(t, row, 1) }

// firedN is fired for a fault that happened many times. None at all fails the test.
func firedN(t *testing.T, row, n int) {
	t.Helper()
	if n <= 0 {
		t.Errorf("fault %02d did not happen", row)
		return
	}
	counts.Lock()
	defer counts.Unlock()
	counts.rows[row] += n
}

// TestMain prints how often each fault happened, and fails if one of them never did, if the canary was seen, or if any
// goroutine is left.
func TestMain(m *testing.M) {
	if os.Getenv(childEndpoint) != "" {
		os.Exit(child())
	}
	code := m.Run()
	if code == 0 && whole() && !report() {
		code = 1
	}
	os.Exit(leak.Check(code))
}

// whole reports whether every test was asked for.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return flag.Lookup("test.count").Value.String() != "0"
}

// report prints the counts. It returns false if a fault that should have happened did not.
func report() bool {
	var happened, missing []string
	for row := 1; row <= lastRow; row++ {
		if n := counts.rows[row]; n > 0 {
			happened = append(happened, fmt.Sprintf("%02d:%d", row, n))
		} else {
			missing = append(missing, fmt.Sprintf("%02d", row))
		}
	}
	fmt.Printf("faults that happened, row:times: %s\n", strings.Join(happened, " "))
	scanned.Lock()
	fmt.Printf("looked for secrets in: %s\n", strings.Join(slices.Sorted(maps.Values(describeScans())), ", "))
	scanned.Unlock()
	if len(missing) > 0 {
		fmt.Printf("FAIL: faults that never happened: %s\n", strings.Join(missing, " "))
	}
	scanned.Lock()
	defer scanned.Unlock()
	for _, kind := range []string{"clients", "errors", "frames", "keystores", "log lines", "messages"} {
		if scanned.texts[kind] == 0 {
			fmt.Printf("FAIL: no %s were looked at for secrets\n", kind)
			return false
		}
	}
	return len(missing) == 0
}

func describeScans() map[string]string {
	m := make(map[string]string)
	for kind, n := range scanned.texts {
		m[kind] = fmt.Sprintf("%d %s", n, kind)
	}
	return m
}
