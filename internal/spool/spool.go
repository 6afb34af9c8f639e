// Package spool stores data that must be complete before it is used: in memory up to a bound, then in a temporary file.
// It also replaces a file only after the new content was written completely.
package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Error means that a file could not be created, written or read.
type Error struct {
	Dir string // the directory of the file
	Err error
}

// Error names the directory.
func (e *Error) Error() string { return "a temporary file in " + e.Dir + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Spool is written first and then read, by one goroutine at a time. Close may be called during a Read, but not during a
// Write.
type Spool struct {
	dir    string
	most   int
	create func(dir, pattern string) (*os.File, error)

	memory []byte
	file   *os.File // all data, if it did not fit into memory; otherwise nil
	left   string   // the path of file, if Close has to remove it
	read   int64
	closed atomic.Bool
}

// New returns a Spool that stores at most most bytes in memory, and moves larger data to a file in dir. An empty dir is
// that of [os.TempDir]. Only this user can read the file (0600). Its name is removed at once if the system allows that,
// so that the file disappears even after a crash. New creates no file.
func New(dir string, most int) *Spool {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Spool{dir: dir, most: most, create: os.CreateTemp}
}

// Write implements [io.Writer]. Its error is an *[Error].
func (s *Spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.memory)+len(p) <= s.most {
		s.memory = append(s.memory, p...)
		return len(p), nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, s.failed(err)
		}
	}
	n, err := s.file.Write(p)
	return n, s.failed(err)
}

// spill moves the data from memory to a file.
func (s *Spool) spill() error {
	f, err := s.create(s.dir, "blaze-*")
	if err != nil {
		return err
	}
	s.file = f
	// Windows cannot remove an open file.
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.left = f.Name()
	}
	_, err = f.Write(s.memory)
	s.memory = nil
	return err
}

// Read implements [io.Reader]. It starts at the first byte written.
func (s *Spool) Read(p []byte) (n int, err error) {
	if s.file != nil {
		n, err = s.file.ReadAt(p, s.read)
	} else if n = copy(p, s.memory[min(s.read, int64(len(s.memory))):]); n < len(p) {
		err = io.EOF
	}
	s.read += int64(n)
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, s.failed(err)
}

// Close removes the file. A second Close does nothing.
func (s *Spool) Close() error {
	if s.closed.Swap(true) || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.left != "" {
		err = errors.Join(err, os.Remove(s.left))
	}
	return s.failed(err)
}

func (s *Spool) failed(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Dir: s.dir, Err: cause(err)}
}

// cause returns an error without the random name of the file.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Replace calls write with a new file in the directory of path, and then renames that file to path. If write or another
// step fails, Replace removes the new file and leaves the old one unchanged. Only this user can read the new file
// (0600), and its content is on the disk before the rename. A symbolic link at path is replaced, not followed; a
// directory or a device is an error. An error that does not come from write is an *[Error].
func Replace(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	fail := func(err error) error { return &Error{Dir: dir, Err: cause(err)} }
	// A rename would replace a device, too.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		return fail(fmt.Errorf("%s is not a regular file", filepath.Base(path)))
	}
	f, err := os.CreateTemp(dir, ".blaze-*")
	if err != nil {
		return fail(err)
	}
	whole := false
	defer func() {
		//mutant:replace-remove
		if !whole {
			_ = f.Close() // may be closed already; Windows cannot remove an open file
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(fileWriter{f, dir}); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fail(err)
	}
	whole = true
	return nil
}

// fileWriter is a file that returns the errors of this package.
type fileWriter struct {
	f   *os.File
	dir string
}

// Write implements [io.Writer].
func (w fileWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		return n, &Error{Dir: w.dir, Err: cause(err)}
	}
	return n, nil
}
