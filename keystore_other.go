//go:build !linux

package blaze

// readOnly reports whether a file is mounted read-only. Only Linux, the system of most containers, is supported.
func readOnly(string) bool { return false }
