package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mixin-blaze/blaze/internal/spool"
)

// store is the file on the disk. It is not safe for concurrent use.
type store struct {
	path string
	keep int
	open func(path string) (handle, error)

	file  handle // nil after a replacement that failed in between
	size  int64  // of the complete lines
	lines int
	torn  bool // behind size there may be a part of a line
	dirty bool // written since the last sync
	// stale means that the last sync or replacement failed. After a failed sync the system may count lost data as
	// synced, so only a new file helps.
	stale bool
}

// handle is the part of [*os.File] that a store uses.
type handle interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// openHandle opens a file for reading and writing.
func openHandle(path string) (handle, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return nil, err
	}
	return f, nil
}

// load opens the file, calls add for each id, the oldest first, and repairs the end of the file.
func (s *store) load(add func(id string)) error {
	if err := s.reopen(); err != nil {
		return err
	}
	var err error
	s.lines, s.size, err = readIDs(bufio.NewReader(io.NewSectionReader(s.file, 0, 1<<62)), add)
	if err != nil {
		return failure("read", s.path, err)
	}
	if err := s.repair(); err != nil {
		return err
	}
	if err := s.shrink(); err != nil {
		return err
	}
	return failure("sync the directory of", s.path, syncDir(filepath.Dir(s.path)))
}

// append appends a line for each id, all or none.
func (s *store) append(ids []string) error {
	if err := s.repair(); err != nil {
		return err
	}
	var text []byte
	for _, id := range ids {
		text = append(append(text, id...), '\n')
	}
	if _, err := s.file.WriteAt(text, s.size); err != nil {
		s.torn = true
		return failure("write", s.path, err)
	}
	s.size += int64(len(text))
	s.lines += len(ids)
	s.dirty = true
	return nil
}

// repair opens the file if it is closed, and removes everything after the complete lines.
func (s *store) repair() error {
	if s.file == nil {
		if err := s.reopen(); err != nil {
			return err
		}
	}
	//mutant:ledger-torn
	if s.torn {
		if err := s.file.Truncate(s.size); err != nil {
			return failure("truncate", s.path, err)
		}
		s.torn = false
	}
	return nil
}

// reopen opens the file, which must have all complete lines.
func (s *store) reopen() error {
	file, err := s.open(s.path)
	if err != nil {
		return failure("open", s.path, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("not a regular file")
	case info.Size() < s.size:
		err = errors.New("another program removed lines")
	default:
		s.file, s.torn = file, true
		return nil
	}
	return errors.Join(failure("open", s.path, err), file.Close())
}

// shrink replaces the file if it has twice as many lines as needed, unless that failed in the last second.
func (s *store) shrink() error {
	if s.lines < 2*s.keep || s.stale {
		return nil
	}
	return s.replace()
}

// sync makes sure that all lines are on the disk.
func (s *store) sync() error {
	var err error
	if s.stale {
		if err = s.replace(); err == nil {
			return nil
		}
	}
	if !s.dirty {
		return err
	}
	if failed := s.repair(); failed != nil {
		return errors.Join(err, failed)
	}
	//mutant:ledger-sync
	if failed := s.file.Sync(); failed != nil {
		//mutant:ledger-stale
		s.stale = true
		return errors.Join(err, failure("sync", s.path, failed))
	}
	s.dirty = false
	return err
}

// replace replaces the file by one with the newest lines, which is complete on the disk before it gets the name. After
// an error the old file is still there.
func (s *store) replace() error {
	s.stale = true
	if err := s.repair(); err != nil {
		return err
	}
	var size int64
	//mutant:ledger-skip
	skip := max(s.lines-s.keep, 0)
	err := spool.Replace(s.path, func(w io.Writer) (err error) {
		if size, err = copyLines(w, io.NewSectionReader(s.file, 0, s.size), skip); err != nil {
			return err
		}
		file := s.file
		s.file = nil
		return file.Close() // Windows does not rename over an open file
	})
	if err != nil {
		return failure("replace", s.path, err)
	}
	s.size, s.lines = size, s.lines-skip
	if err := s.repair(); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return failure("sync the directory of", s.path, err)
	}
	s.stale, s.dirty = false, false
	return nil
}

func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return failure("close", s.path, err)
}

// failure returns an error that names the path once, or nil if err is nil.
func failure(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("ledger: %s %q: %w", op, path, err)
}
