package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/ledger"
)

func TestAFileRemembersIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f := open(t, path, 10)
	record(t, f, 1, 3)
	record(t, f, 2, 2) // known already
	has(t, f, 1, 3)
	handled, err := f.Handled(t.Context(), strings.ToUpper(id(1)))
	require.NoError(t, err)
	assert.False(t, handled, "ids are compared exactly")
	require.NoError(t, f.Close())
	assert.Equal(t, text(1, 3), read(t, path))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}

	f = open(t, path, 10)
	has(t, f, 1, 3)
	record(t, f, 4, 4)
	has(t, f, 1, 4)
	require.NoError(t, f.Close())
	assert.Equal(t, text(1, 4), read(t, path))
}

func TestIDsThatAreNoUUIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	ids := []string{"a", " ", "é\\", strings.Repeat("x", 64), "\xff"}
	f := open(t, path, 0)
	for _, id := range ids {
		require.NoError(t, f.Record(t.Context(), id))
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "secret\n", "secret\x00", "secret\x7f", "secret\r"} {
		err := f.Record(t.Context(), id)
		assert.ErrorContains(t, err, fmt.Sprintf("ledger: write %q: not a message id", path))
		assert.NotContains(t, err.Error(), "secret")
	}
	require.NoError(t, f.Close())
	assert.Equal(t, strings.Join(ids, "\n")+"\n", read(t, path))
	f = open(t, path, 0)
	for _, id := range ids {
		handled, err := f.Handled(t.Context(), id)
		assert.True(t, handled && err == nil, id)
	}
}

func TestTheNewestIDsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		f := open(t, path, 3)
		record(t, f, 1, 5)
		has(t, f, 3, 5)
		synctest.Wait()
		assert.Equal(t, text(1, 5), read(t, path))
		record(t, f, 6, 6)
		synctest.Wait()
		assert.Equal(t, text(4, 6), read(t, path), "the file was replaced")
		record(t, f, 7, 7)
		has(t, f, 5, 7)
		require.NoError(t, f.Close())
		assert.Equal(t, text(4, 7), read(t, path))
		has(t, open(t, path, 3), 5, 7)
	})
}

func TestASmallerKeep(t *testing.T) {
	path := fileWith(t, text(1, 100))
	f := open(t, path, 10)
	assert.Equal(t, text(91, 100), read(t, path))
	has(t, f, 91, 100)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range entries {
		assert.Contains(t, []string{"ledger", "ledger.lock"}, e.Name())
	}
}

func TestKeep(t *testing.T) {
	path := fileWith(t, text(1, 100_001))
	f := open(t, path, 0)
	for n, want := range map[int]bool{1: false, 2: true, 100_001: true} {
		handled, err := f.Handled(t.Context(), id(n))
		assert.True(t, handled == want && err == nil, n)
	}
	require.NoError(t, f.Close())
	for _, keep := range []int{-1, 100_000_001} {
		_, err := ledger.OpenFile(path, keep)
		assert.EqualError(t, err, fmt.Sprintf("ledger: open %q: keep is %d, not 0 to 100000000", path, keep))
	}
}

func TestAClosedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f := open(t, path, 0)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	for _, f := range []*ledger.File{f, {}} {
		_, err := f.Handled(t.Context(), id(1))
		assert.ErrorIs(t, err, os.ErrClosed)
		err = f.Record(t.Context(), id(1))
		assert.ErrorIs(t, err, os.ErrClosed)
	}
	assert.ErrorContains(t, f.Record(t.Context(), id(1)), path)
	assert.NoError(t, new(ledger.File).Close())
}

func TestAnEndedContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f := open(t, path, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, f.Record(ctx, id(1)), context.Canceled)
	assert.Empty(t, read(t, path))
}

func TestPathsThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"a directory": dir, "no directory": filepath.Join(dir, "nothing", "ledger"),
	} {
		_, err := ledger.OpenFile(path, 0)
		assert.ErrorContains(t, err, path, name)
	}
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(dir, "missing"), link))
	_, err := ledger.OpenFile(link, 0)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// A replacement keeps a symbolic link and replaces the file behind it.
func TestASymbolicLink(t *testing.T) {
	path := fileWith(t, text(1, 10))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	has(t, open(t, link, 5), 6, 10)
	assert.Equal(t, text(6, 10), read(t, path))
	_, err := ledger.OpenFile(path, 5)
	assert.ErrorIs(t, err, ledger.ErrInUse)
}

// For the race detector.
func TestConcurrentRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f := open(t, path, 400)
	const each = 50
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for n := g * each; n < (g+1)*each; n++ {
				assert.NoError(t, f.Record(t.Context(), id(n)))
				_, err := f.Handled(t.Context(), id(n))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.Close())
	lines := strings.Fields(read(t, path))
	assert.GreaterOrEqual(t, len(lines), 400)
	assert.Less(t, len(lines), 800)
	seen := make(map[string]bool)
	for _, line := range lines {
		assert.False(t, seen[line], "twice: %s", line)
		seen[line] = true
	}
}

// Each Record that returned nil is in the file, whenever Close is called.
func TestCloseDuringRecords(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "ledger")
		f := open(t, path, 10_000)
		var recorded [4]int
		var wg sync.WaitGroup
		first := make(chan struct{}, len(recorded))
		for g := range recorded {
			wg.Go(func() {
				for ; recorded[g] < 1000; recorded[g]++ {
					if err := f.Record(t.Context(), id(g*1000+recorded[g])); err != nil {
						assert.ErrorIs(t, err, os.ErrClosed)
						return
					}
					select {
					case first <- struct{}{}:
					default:
					}
				}
			})
		}
		<-first
		require.NoError(t, f.Close())
		wg.Wait()
		content := read(t, path)
		total := 0
		for g, n := range recorded {
			for i := range n {
				assert.Contains(t, content, id(g*1000+i))
			}
			total += n
		}
		assert.Equal(t, total, strings.Count(content, "\n"))
	}
}

func TestAMillionIDsFitInto40MB(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector needs memory of its own")
	}
	const million = 1_000_000
	path := fileWith(t, text(1, million+100))
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // also what pools held
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	f := open(t, path, million)
	assert.Less(t, heap()-before, int64(40_000_000))
	record(t, f, million+101, million+200)
	assert.Less(t, heap()-before, int64(40_000_000))
	for n, want := range map[int]bool{200: false, 201: true, million + 200: true} {
		handled, err := f.Handled(t.Context(), id(n))
		assert.True(t, handled == want && err == nil, n)
	}
}

func TestAFileInUse(t *testing.T) {
	path := fileWith(t, text(1, 2))
	f := open(t, path, 0)
	_, err := ledger.OpenFile(path, 0)
	require.ErrorIs(t, err, ledger.ErrInUse)
	assert.EqualError(t, err, fmt.Sprintf("ledger: lock %q: %v", path, ledger.ErrInUse))
	record(t, f, 3, 3)
	require.NoError(t, f.Close())
	has(t, open(t, path, 0), 1, 3)
}
