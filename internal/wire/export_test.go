package wire

// Scans reports whether a frame is read by the scanner, and not by the standard library.
func Scans(p []byte) bool { return new(scanner).scan(p) }
