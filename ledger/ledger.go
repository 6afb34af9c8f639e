// Package ledger stores the ids of finished messages in a file, so that a bot that was restarted does not handle a
// message again.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/recent"
)

// ErrInUse means that a File has the path already, in this process or in another one.
var ErrInUse = errors.New("in use by another ledger.File, in this process or in another one")

const (
	defaultKeep = 100_000
	maxKeep     = 100_000_000

	// syncEvery is the time from the first Record to the sync that includes it.
	syncEvery = time.Second
)

// File is a [blaze.Ledger] in a file. Use it as Config.Ledger of one bot, and close it after Run. Each bot needs a file
// of its own, because message ids are unique per bot only. One File at a time can have the file, so a second process
// cannot use it.
//
// A File remembers the newest ids, as many as OpenFile was told to keep. Each needs at most 32 bytes of memory. The
// file has one id per line. When it has twice as many lines as ids to keep, it is replaced by a file with the newest
// lines. A crash during the replacement may leave a file .blaze-* in the directory.
//
// Record returns after the id was written. The id then survives the end of the process, even if the process is killed.
// The file is synced to the disk a second after a Record, at most once a second, and by Close. A crash of the system
// may lose the ids since the last sync. Such a message is handled again if the service redelivers it.
//
// All methods may be called concurrently. The zero value is a closed File. A File has a goroutine for a second after a
// Record, and none at rest.
type File struct {
	release func() error // releases the lock

	mu     sync.Mutex
	open   bool
	ids    recent.Set
	queue  []*entry      // to be written
	wake   chan struct{} // wakes the writer; nil if it is not running
	writer sync.WaitGroup

	// Of the writer, or of OpenFile and Close while it is not running.
	store  store
	failed error // of a sync or rewrite, for the next Record
}

var _ blaze.Ledger = (*File)(nil)

// entry is an id to record.
type entry struct {
	id   string
	done chan error
}

// OpenFile opens or creates the file of a Ledger that remembers the newest keep ids, at most 100,000,000. A keep of 0
// means 100,000. If the file has at least twice as many lines, OpenFile replaces it.
//
// A new file has the mode 0600, and so has the file after a replacement. The directory must exist and be writable. A
// symbolic link at path is followed if its file exists. While the File is open, an empty file with the suffix .lock is
// locked; except on Windows it stays there. If another File has the lock, the error is [ErrInUse]. The lock ends with
// the process. A system that has neither flock nor the file sharing of Windows is not supported: the error is
// [errors.ErrUnsupported].
//
// After a crash the last line may be a part of an id, or consist of zero bytes. OpenFile removes it. Any other line
// that is not a message id, which has 1 to 64 bytes and no control characters, is an error that names the line; remove
// that line if the file is a Ledger. So is an incomplete last line that is not the beginning of a UUID: it may be
// another file, such as a key. OpenFile does not change a file with such a line.
func OpenFile(path string, keep int) (*File, error) { return openWith(path, keep, openHandle) }

func openWith(path string, keep int, open func(path string) (handle, error)) (_ *File, err error) {
	if keep == 0 {
		keep = defaultKeep
	}
	if keep < 0 || keep > maxKeep {
		return nil, fmt.Errorf("ledger: open %q: keep is %d, not 0 to %d", path, keep, maxKeep)
	}
	target, err := resolve(path)
	if err != nil {
		return nil, failure("open", path, err)
	}
	release, err := lock(target + ".lock")
	if err != nil {
		return nil, failure("lock", target, err)
	}
	f := &File{
		release: release, open: true, ids: recent.Set{Limit: keep},
		store: store{path: target, keep: keep, open: open},
	}
	if err := f.store.load(f.ids.Add); err != nil {
		return nil, errors.Join(err, f.store.close(), release())
	}
	return f, nil
}

// resolve returns the absolute path of a file without symbolic links, so that each file has one path to lock.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return path, nil
	}
	return filepath.EvalSymlinks(path)
}

// Handled reports whether the id is one of the newest ids. It compares the case of letters, too. After Close the error
// is [os.ErrClosed].
func (f *File) Handled(_ context.Context, messageID string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return false, failure("read", f.store.path, os.ErrClosed)
	}
	return f.ids.Has(messageID), nil
}

// Record writes the id, unless it is one of the newest already. It may wait for a sync, or for the replacement of the
// file. If ctx ends first, the id may still be recorded. An id that is empty, has more than 64 bytes or has control
// characters is rejected. After Close the error is [os.ErrClosed].
//
// If an id cannot be written, for example because the disk is full, Record returns the error and does not remember the
// id. The next Record removes an incomplete line before it writes. An error of a sync or of a replacement is returned
// by the next Record, which has recorded its id nevertheless. The file is then replaced a second after that Record.
func (f *File) Record(ctx context.Context, messageID string) error {
	if err := ctx.Err(); err != nil {
		return failure("write", f.store.path, err)
	}
	//mutant:ledger-valid
	if !valid([]byte(messageID)) {
		return failure("write", f.store.path, errInvalid)
	}
	e, err := f.enqueue(messageID)
	if e == nil {
		return err
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		f.dequeue(e)
		return failure("write", f.store.path, ctx.Err())
	}
}

// enqueue queues an id for the writer, which it starts if necessary. The entry is nil if there is nothing to wait for.
func (f *File) enqueue(id string) (*entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return nil, failure("write", f.store.path, os.ErrClosed)
	}
	if f.ids.Has(id) {
		return nil, nil
	}
	e := &entry{id: id, done: make(chan error, 1)}
	f.queue = append(f.queue, e)
	if f.wake == nil {
		wake := make(chan struct{}, 1)
		f.wake = wake
		f.writer.Go(func() { f.write(wake) })
	}
	f.wakeWriter()
	return e, nil
}

// dequeue removes an entry that the writer has not taken yet. Otherwise the queue would grow while the disk hangs.
func (f *File) dequeue(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = slices.DeleteFunc(f.queue, func(queued *entry) bool { return queued == e })
}

// wakeWriter wakes the writer if it is running. The caller holds the lock.
func (f *File) wakeWriter() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// write writes queued entries and syncs the file, until nothing was queued for a second or the File is closed.
func (f *File) write(wake <-chan struct{}) {
	timer := time.NewTimer(syncEvery)
	defer timer.Stop()
	for {
		select {
		case <-wake:
			if !f.flush() {
				return
			}
		case <-timer.C:
			if err := f.store.sync(); err != nil {
				f.failed = err
			}
			if f.rest() {
				return
			}
			timer.Reset(syncEvery)
		}
	}
}

// flush writes the queued entries and replaces a file that is too long. It reports whether the File is still open.
func (f *File) flush() bool {
	f.mu.Lock()
	entries, open := f.queue, f.open
	f.queue = nil
	f.mu.Unlock()
	if len(entries) == 0 {
		return open
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.id
	}
	err := f.store.append(ids)
	if err == nil {
		f.remember(ids)
	}
	for _, e := range entries {
		if e.done <- errors.Join(err, f.failed); err == nil {
			f.failed = nil // reported once
		}
	}
	if err := f.store.shrink(); err != nil {
		f.failed = err
	}
	return open
}

func (f *File) remember(ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.ids.Add(id)
	}
}

// rest reports whether the writer has nothing to do. The next Record then starts another one.
func (f *File) rest() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 {
		return false
	}
	f.wake = nil
	return true
}

// Close waits for running calls of Record, syncs the file, closes it and releases its lock. After an error a crash of
// the system may lose recorded ids. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	wasOpen := f.open
	f.open = false
	f.wakeWriter()
	f.mu.Unlock()
	f.writer.Wait()
	if !wasOpen {
		return nil
	}
	//mutant:ledger-close
	err := f.store.sync()
	return errors.Join(err, f.store.close(), f.release())
}
