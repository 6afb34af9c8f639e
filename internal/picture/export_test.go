package picture

import (
	"image"
	"io"
)

// WithGIF replaces the decoder of GIFs until undo is called.
func WithGIF(decode func(io.Reader) (image.Image, error)) (undo func()) {
	before := formats["image/gif"]
	other := before
	other.decode = decode
	formats["image/gif"] = other
	return func() { formats["image/gif"] = before }
}

// Decoding returns the number of decodings in progress and their maximum.
func Decoding() (now, most int) { return len(decodings), cap(decodings) }

// Memory returns the memory estimate of Read in bytes for a file with a valid header, and whether it exceeds the
// maximum.
func Memory(file []byte, mimeType string, w, h int) (int64, bool) {
	c := formats[mimeType].cost(file, int64(w), int64(h)).plus(scaling(w, h))
	return c.memory, c.tooMuch()
}
