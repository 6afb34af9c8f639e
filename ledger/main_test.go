package ledger_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/leak"
	"github.com/mixin-blaze/blaze/ledger"
)

// TestMain fails if any goroutine outlives the tests. With BLAZE_LEDGER set it is the child process of a test.
func TestMain(m *testing.M) {
	if path := os.Getenv("BLAZE_LEDGER"); path != "" {
		os.Exit(child(path))
	}
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		code = leak.Check(code)
	}
	os.Exit(code)
}

// id returns a message id.
func id(n int) string { return fmt.Sprintf("c9a5d4e2-0b1f-4e7a-9a3d-%012d", n) }

// text returns the content of a file with the ids first to last.
func text(first, last int) string {
	var b strings.Builder
	for n := first; n <= last; n++ {
		b.WriteString(id(n) + "\n")
	}
	return b.String()
}

// fileWith writes a file and returns its path.
func fileWith(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// open opens a File that the end of the test closes.
func open(t *testing.T, path string, keep int) *ledger.File {
	t.Helper()
	f, err := ledger.OpenFile(path, keep)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func record(t *testing.T, f *ledger.File, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		require.NoError(t, f.Record(t.Context(), id(n)))
	}
}

// has fails the test unless f has exactly the ids first to last of those from 0 to last+1.
func has(t *testing.T, f *ledger.File, first, last int) {
	t.Helper()
	for n := range last + 2 {
		handled, err := f.Handled(t.Context(), id(n))
		require.NoError(t, err)
		require.Equal(t, n >= first && n <= last, handled, "%d of %d to %d", n, first, last)
	}
}
