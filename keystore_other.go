//go:build !linux

package blaze

// readOnly reports whether a file is mounted read-only, which matters in containers: on Linux.
func readOnly(string) bool { return false }
