package blaze

import "syscall"

// readOnly reports whether a file is mounted read-only.
func readOnly(path string) bool {
	const flag = 1 // ST_RDONLY; source: statfs(2)
	var s syscall.Statfs_t
	return syscall.Statfs(path, &s) == nil && s.Flags&flag != 0
}
