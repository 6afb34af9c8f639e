package wire

// Scans reports whether the scanner reads a frame, and not the standard library.
func Scans(p []byte) bool { return new(scanner).scan(p) }
