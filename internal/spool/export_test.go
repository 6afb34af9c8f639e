package spool

import "os"

// On sets the file that s writes to.
func (s *Spool) On(f *os.File) {
	s.create = func(string, string) (*os.File, error) { return f, nil }
}

// File returns the file of s, or nil.
func (s *Spool) File() *os.File { return s.file }
