package ledger

import (
	"errors"
	"syscall"
)

// lock creates a file and opens it without sharing, until release is called or the process ends. Windows then removes
// it.
func lock(path string) (release func() error, err error) {
	const (
		deleteOnClose    = 0x04000000 // FILE_FLAG_DELETE_ON_CLOSE
		sharingViolation = syscall.Errno(32)
		noSharing        = 0
	)
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, noSharing, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL|deleteOnClose, 0)
	if errors.Is(err, sharingViolation) {
		err = ErrInUse
	}
	if err != nil {
		return nil, err
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}

// syncDir does nothing: Windows cannot sync a directory.
func syncDir(string) error { return nil }
