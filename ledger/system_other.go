//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package ledger

import "errors"

// lock fails, because a File needs a lock that ends with the process.
func lock(string) (release func() error, err error) { return nil, errors.ErrUnsupported }

func syncDir(string) error { return errors.ErrUnsupported }
