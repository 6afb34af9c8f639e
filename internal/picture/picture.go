// Package picture reads type, size and orientation of a picture file, and makes its thumbnail. It accepts any bytes:
// memory and work are bounded, and the end of a context stops decoding.
package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/webp"

	"github.com/mixin-blaze/blaze/internal/exif"
)

// Bounds of a picture.
const (
	maxPixels = 16 << 20
	maxSide   = 16 << 10
	// maxMemory is the maximum estimate of the memory for decoding, in bytes.
	maxMemory = 64 << 20
	// maxScans is the maximum number of scans of a JPEG. Each may visit all pixels and have only 20 bytes of the file.
	// Encoders write about ten.
	maxScans = 100
)

// decodings has one element for each decoding in progress in the process, because each may use maxMemory.
var decodings = make(chan struct{}, 2)

// Picture describes a picture file.
type Picture struct {
	MIMEType      string
	Width, Height int    // in pixels, as displayed: after the rotation by its Exif data
	Thumbnail     []byte // a JPEG; empty if the picture is too expensive to decode
}

// Error means that a file is not a picture, or not of a supported kind.
type Error struct{ Reason string }

func (e *Error) Error() string { return "picture: " + e.Reason }

func fault(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// format has the functions for one kind of picture.
type format struct {
	header func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	cost   func(file []byte, w, h int64) cost
}

// formats has the kinds that Messenger displays, by MIME type.
var formats = map[string]format{
	"image/png":  {png.DecodeConfig, png.Decode, pngCost},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, jpegCost},
	"image/gif":  {gif.DecodeConfig, gif.Decode, gifCost}, // only the first frame
	"image/webp": {webp.DecodeConfig, webp.Decode, webpCost},
}

// errOverflow is the error of image/png for a size that does not fit an int of 32 bits.
var errOverflow error = png.UnsupportedError("dimension overflow")

// Read reads a PNG, JPEG, GIF or WebP file. Its error is an [*Error], or wraps that of ctx. The end of ctx stops the
// wait for a slot, and decoding between two pieces of the file. It does not stop scaling, or the pixels of a lossy
// WebP; maxPixels bounds these.
func Read(ctx context.Context, file []byte) (Picture, error) {
	out := Picture{MIMEType: http.DetectContentType(file)}
	f, known := formats[out.MIMEType]
	if !known {
		return Picture{}, fault("looks like %s, not like a PNG, JPEG, GIF or WebP", out.MIMEType)
	}
	head, err := f.header(bytes.NewReader(file))
	if err == errOverflow { //nolint:errorlint // a value of image/png
		return Picture{}, fault("too large: the number of pixels overflows")
	}
	if err != nil {
		return Picture{}, fault("its header is damaged: %v", err)
	}
	w, h := head.Width, head.Height
	if w <= 0 || h <= 0 || w > maxSide || h > maxSide || w*h > maxPixels {
		return Picture{}, fault("too large: %d by %d pixels; scale it down, or send it as Data", w, h)
	}
	turn := exif.Of(file)
	out.Width, out.Height = w, h
	//mutant:image-turned
	if turn.Turned() {
		out.Width, out.Height = h, w
	}
	if f.cost(file, int64(w), int64(h)).plus(scaling(w, h)).tooMuch() {
		return out, nil
	}
	out.Thumbnail, err = f.thumbnail(ctx, file, turn)
	if err != nil {
		return Picture{}, err
	}
	return out, nil
}

// thumbnail decodes a picture and scales it down. It limits the number of concurrent decodings.
func (f format) thumbnail(ctx context.Context, file []byte, turn exif.Orientation) ([]byte, error) {
	select {
	case decodings <- struct{}{}:
		defer func() { <-decodings }()
	case <-ctx.Done():
		return nil, ended(ctx)
	}
	picture, err := f.pixels(ctx, file)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // the decoder did not read after ctx ended
		return nil, ended(ctx)
	}
	return small(picture, turn)
}

// pixels decodes a picture. A panic of the decoder means that the file is damaged, because the file is its only input.
func (f format) pixels(ctx context.Context, file []byte) (_ image.Image, err error) {
	defer func() {
		if recover() != nil {
			err = fault("it is damaged: the decoder panicked")
		}
	}()
	src := &pieces{ctx: ctx, left: file}
	picture, err := f.decode(src)
	if src.ended {
		return nil, ended(ctx)
	}
	if err != nil {
		return nil, fault("it is damaged: %v", err)
	}
	return picture, nil
}

func ended(ctx context.Context) error {
	return fmt.Errorf("picture: not decoded: %w", ctx.Err())
}

// pieces reads a file until ctx ends. Its pieces are small, because a scan of a JPEG may have 20 bytes and take a tenth
// of a second.
type pieces struct {
	ctx   context.Context
	left  []byte
	ended bool // the end of ctx stopped decoding
}

const pieceBytes = 32

// Read implements [io.Reader].
func (s *pieces) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.ended = true
		return 0, err
	}
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	//mutant:picture-pieces
	n := copy(p[:min(len(p), pieceBytes)], s.left)
	s.left = s.left[n:]
	return n, nil
}
