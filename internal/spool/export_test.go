package spool

import "os"

// On has s write to f in place of a file of its own.
func (s *Spool) On(f *os.File) {
	s.create = func(string, string) (*os.File, error) { return f, nil }
}

// File returns the file of s, or nil.
func (s *Spool) File() *os.File { return s.file }
