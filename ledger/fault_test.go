package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/ledger"
)

var errDisk = errors.New("the disk is broken")

// disk opens files that fail on request, and records the content at the last sync.
type disk struct {
	mu     sync.Mutex
	synced string // the content at the last sync
	syncs  int

	hangs    chan struct{} // if not nil, a write waits until it is closed
	capacity int64         // of the file; 0 is unlimited

	readErr, syncErr, cutErr, statErr, closeErr error
}

// set changes the disk.
func (d *disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *disk) saved() (string, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.synced, d.syncs
}

func (d *disk) open(path string) (ledger.Handle, error) {
	f, err := ledger.OpenHandle(path)
	if err != nil {
		return nil, err
	}
	return &file{Handle: f, d: d, path: path}, nil
}

type file struct {
	ledger.Handle
	d    *disk
	path string
}

func (f *file) WriteAt(p []byte, at int64) (n int, err error) {
	f.d.mu.Lock()
	hangs := f.d.hangs
	f.d.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	f.d.set(func() {
		left := int64(len(p))
		if f.d.capacity > 0 {
			left = min(max(f.d.capacity-at, 0), left)
		}
		if n, err = f.Handle.WriteAt(p[:left], at); n < len(p) && err == nil {
			err = &os.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
		}
	})
	return n, err
}

func (f *file) ReadAt(p []byte, at int64) (n int, err error) {
	f.d.set(func() { err = f.d.readErr })
	if err != nil {
		return 0, err
	}
	return f.Handle.ReadAt(p, at)
}

func (f *file) Truncate(size int64) (err error) {
	f.d.set(func() { err = f.d.cutErr })
	return errors.Join(err, f.Handle.Truncate(size))
}

func (f *file) Stat() (info os.FileInfo, err error) {
	f.d.set(func() { err = f.d.statErr })
	if err != nil {
		return nil, err
	}
	return f.Handle.Stat()
}

func (f *file) Close() (err error) {
	f.d.set(func() { err = f.d.closeErr })
	return errors.Join(err, f.Handle.Close())
}

func (f *file) Sync() (err error) {
	f.d.set(func() {
		f.d.syncs++
		if err = f.d.syncErr; err != nil {
			return
		}
		var content []byte
		if content, err = os.ReadFile(f.path); err == nil {
			f.d.synced = string(content)
		}
	})
	return err
}

// openOn opens a File on a disk. The end of the test closes it.
func openOn(t *testing.T, d *disk, path string, keep int) *ledger.File {
	t.Helper()
	f, err := ledger.OpenWith(path, keep, d.open)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger") }

// A crash of the system loses everything since the last sync.
func TestIDsAreSyncedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goroutines := runtime.NumGoroutine()
		var d disk
		f := openOn(t, &d, newPath(t), 0)
		for n := 1; n <= 100; n++ { // 10 seconds
			record(t, f, n, n)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			synced, _ := d.saved()
			assert.GreaterOrEqual(t, strings.Count(synced, "\n"), n-10)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		synced, syncs := d.saved()
		assert.Equal(t, text(1, 100), synced)
		assert.LessOrEqual(t, syncs, 11)
		testkit.Goroutines(t, goroutines)
		time.Sleep(time.Hour)
		_, after := d.saved()
		assert.Equal(t, syncs, after, "nothing is new")

		record(t, f, 101, 101)
		require.NoError(t, f.Close())
		synced, syncs = d.saved()
		assert.Equal(t, text(1, 101), synced, "Close syncs")
		assert.Equal(t, after+1, syncs)
	})
}

// The disk is full after each number of bytes. The next Record leaves no part of the failed one.
func TestAFullDisk(t *testing.T) {
	size := int64(len(text(1, 1)))
	for n := range size {
		path, d := newPath(t), disk{capacity: 2*size + n}
		f := openOn(t, &d, path, 0)
		record(t, f, 1, 2)
		for range 2 {
			err := f.Record(t.Context(), id(3))
			require.ErrorIs(t, err, syscall.ENOSPC)
			assert.EqualError(t, err, fmt.Sprintf("ledger: write %q: %v", path, syscall.ENOSPC))
		}
		has(t, f, 1, 2)
		d.set(func() { d.cutErr = errDisk })
		assert.ErrorIs(t, f.Record(t.Context(), "short"), errDisk)
		d.set(func() { d.cutErr = nil })
		if n > 5 {
			require.NoError(t, f.Record(t.Context(), "short"))
			assert.Equal(t, text(1, 2)+"short\n", read(t, path))
		}
		d.set(func() { d.capacity = 0 })
		record(t, f, 3, 3)
		require.NoError(t, f.Close())
		open(t, path, 0)
		assert.True(t, strings.HasSuffix(read(t, path), text(3, 3)))
	}
}

func TestADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, d := newPath(t), disk{hangs: make(chan struct{})}
		f := openOn(t, &d, path, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, f.Record(t.Context(), id(1))) })
		synctest.Wait()
		assert.ErrorIs(t, f.Record(ctx, id(2)), context.DeadlineExceeded)
		has(t, f, 1, 0)
		close(d.hangs)
		wg.Wait()
		require.NoError(t, f.Close())
		assert.Equal(t, text(1, 1), read(t, path))
	})
}

// After a failed sync the system may drop data that it did not write. A new file has everything.
func TestAFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, d := newPath(t), disk{syncErr: errDisk}
		f := openOn(t, &d, path, 0)
		record(t, f, 1, 1)
		time.Sleep(time.Hour)
		_, syncs := d.saved()
		assert.Equal(t, 1, syncs)
		before, err := os.Stat(path)
		require.NoError(t, err)

		err = f.Record(t.Context(), id(2))
		assert.EqualError(t, err, fmt.Sprintf("ledger: sync %q: %v", path, errDisk))
		has(t, f, 1, 2) // recorded nevertheless
		record(t, f, 3, 3)
		time.Sleep(time.Hour)
		after, err := os.Stat(path)
		require.NoError(t, err)
		assert.False(t, os.SameFile(before, after), "it was replaced")
		assert.Equal(t, text(1, 3), read(t, path))
		d.set(func() { d.syncErr = nil })
		record(t, f, 4, 4)
		require.NoError(t, f.Close())
		assert.Equal(t, text(1, 4), read(t, path))
	})
}

func TestAFailedReplacement(t *testing.T) {
	for name, change := range map[string]func(*disk, error){
		"read":  func(d *disk, err error) { d.readErr = err },
		"close": func(d *disk, err error) { d.closeErr = err },
	} {
		testkit.Bubble(t, name, func(t *testing.T) {
			var d disk
			path := newPath(t)
			f := openOn(t, &d, path, 2)
			record(t, f, 1, 3)
			d.set(func() { change(&d, errDisk) })
			record(t, f, 4, 4)
			synctest.Wait()
			assert.Equal(t, text(1, 4), read(t, path), "the old file stays")
			err := f.Record(t.Context(), id(5))
			assert.ErrorIs(t, err, errDisk)
			assert.ErrorContains(t, err, fmt.Sprintf("ledger: replace %q: ", path))
			record(t, f, 6, 6)
			time.Sleep(time.Second) // it is tried again
			synctest.Wait()
			synced, _ := d.saved()
			assert.Equal(t, text(1, 6), synced, "the old file is synced")
			d.set(func() { change(&d, nil) })
			assert.ErrorIs(t, f.Record(t.Context(), id(7)), errDisk, "the second failure")
			time.Sleep(time.Second)
			synctest.Wait()
			assert.Equal(t, text(6, 7), read(t, path))
			has(t, f, 6, 7)
			assert.Equal(t, []string{"ledger", "ledger.lock"}, names(t, filepath.Dir(path)))
		})
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Lines that another program removed are not replaced by zero bytes.
func TestAFileThatWasTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		path := newPath(t)
		f := openOn(t, &d, path, 2)
		record(t, f, 1, 3)
		d.set(func() { d.closeErr = errDisk })
		record(t, f, 4, 4)
		synctest.Wait() // the replacement failed after it closed the file
		d.set(func() { d.closeErr = nil })
		require.NoError(t, os.WriteFile(path, []byte(text(1, 1)), 0o600))
		err := f.Record(t.Context(), id(5))
		assert.ErrorContains(t, err, fmt.Sprintf("open %q: another program removed lines", path))
		assert.Equal(t, text(1, 1), read(t, path))
		require.NoError(t, os.WriteFile(path, []byte(text(1, 4)), 0o600))
		assert.ErrorIs(t, f.Record(t.Context(), id(5)), errDisk, "of the replacement")
		record(t, f, 5, 5)
	})
}

func TestErrorsOfOpenAndClose(t *testing.T) {
	path := fileWith(t, text(1, 3))
	for name, d := range map[string]*disk{
		"read": {readErr: errDisk}, "stat": {statErr: errDisk}, "truncate": {cutErr: errDisk},
	} {
		_, err := ledger.OpenWith(path, 0, d.open)
		assert.ErrorIs(t, err, errDisk, name)
		assert.ErrorContains(t, err, path, name)
	}
	var d disk
	f, err := ledger.OpenWith(path, 0, d.open)
	require.NoError(t, err)
	record(t, f, 4, 4)
	d.set(func() { d.syncErr = errDisk })
	assert.ErrorIs(t, f.Close(), errDisk)
	assert.NoError(t, f.Close())
	has(t, open(t, path, 0), 1, 4) // the lock was released
}

// The process or the system ends after each byte of the new file, before and after it gets the name.
func TestACrashDuringAReplacement(t *testing.T) {
	before, after := text(1, 6), text(4, 6)
	for n := range len(after) + 1 {
		path := fileWith(t, before)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), ".blaze-1"), []byte(after[:n]), 0o600))
		has(t, open(t, path, 4), 3, 6)
		assert.Equal(t, before, read(t, path))
	}
	has(t, open(t, fileWith(t, after), 4), 4, 6)
}
