// Package spool keeps data that must be complete before it is used: in memory up to a bound, beyond it in a temporary
// file. It also replaces a file only once all of it was written.
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
	file   *os.File // what did not fit into memory, and all before it; nil: everything did
	left   string   // the path of file, where it has to be removed in the end
	read   int64
	closed atomic.Bool
}

// New returns a Spool that keeps at most most bytes in memory and writes to a file in dir from then on. An empty dir is
// that of [os.TempDir]. The file is readable for this user only (0600). It has no name from the beginning, where the
// system allows that, so that nothing is left of it even after a crash. New creates no file.
func New(dir string, most int) *Spool {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Spool{dir: dir, most: most, create: os.CreateTemp}
}

// Write implements [io.Writer]. Its errors are an *[Error].
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

// spill moves to a file what memory has.
func (s *Spool) spill() error {
	f, err := s.create(s.dir, "blaze-*")
	if err != nil {
		return err
	}
	s.file = f
	// Windows removes no file that is open.
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.left = f.Name()
	}
	_, err = f.Write(s.memory)
	s.memory = nil
	return err
}

// Read implements [io.Reader]. It begins with the first byte that was written.
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

// Replace has write write a new file in the directory of path, which then takes the place of path. If write or anything
// else fails, the new file is removed, and what was at path stays as it was. The file is readable for this user only
// (0600), and its content is on the disk before the rename. A symbolic link at path is replaced, and not followed; a
// directory or a device is an error. An error that is not one of write is an *[Error].
func Replace(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	fail := func(err error) error { return &Error{Dir: dir, Err: cause(err)} }
	// A rename replaces a device, too.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		return fail(fmt.Errorf("%s is no regular file", filepath.Base(path)))
	}
	f, err := os.CreateTemp(dir, ".blaze-*")
	if err != nil {
		return fail(err)
	}
	whole := false
	defer func() {
		//mutant:replace-remove
		if !whole {
			_ = f.Close() // it may be closed already, and Windows removes no file that is open
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

// fileWriter is a file with the errors of this package.
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
