package picture

import (
	"image"
	"io"
)

// WithGIF decodes GIFs in another way, until undo is called.
func WithGIF(decode func(io.Reader) (image.Image, error)) (undo func()) {
	before := formats["image/gif"]
	other := before
	other.decode = decode
	formats["image/gif"] = other
	return func() { formats["image/gif"] = before }
}

// Decoding returns how many decodings are under way, and how many may be.
func Decoding() (now, most int) { return len(decodings), cap(decodings) }

// Memory returns the estimate of what Read takes for a file whose header can be read, in bytes, and whether that is too
// much.
func Memory(file []byte, mimeType string, w, h int) (int64, bool) {
	c := formats[mimeType].cost(file, int64(w), int64(h)).plus(scaling(w, h))
	return c.memory, c.tooMuch()
}
