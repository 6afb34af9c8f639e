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

// counts has the number of times that each fault happened.
var counts = struct {
	sync.Mutex
	rows map[int]int
}{rows: make(map[int]int)}

// fired records that a fault has happened. Tests call it only with evidence.
func fired(t *testing.T, row int) { firedN(t, row, 1) }

// firedN records that a fault has happened n times. It fails the test if n is 0.
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

// TestMain prints how often each fault happened. It fails if one with a test in this package never did, if too few
// texts were searched for secrets, or if a goroutine is left.
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

// whole reports whether all tests run.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return flag.Lookup("test.count").Value.String() != "0"
}

// report prints the counts. It returns false if a fault with a test in this package never happened, or if no texts of a
// kind were searched for secrets.
func report() bool {
	entries, err := readList()
	if err != nil {
		fmt.Println("FAIL:", err)
		return false
	}
	var happened, missing []string
	for _, e := range entries {
		if n := counts.rows[e.row]; n > 0 {
			happened = append(happened, fmt.Sprintf("%02d:%d", e.row, n))
		} else if slices.ContainsFunc(e.tests, isLocal) {
			missing = append(missing, fmt.Sprintf("%02d", e.row))
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
