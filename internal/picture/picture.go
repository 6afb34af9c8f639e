// Package picture reads what the file of a picture says of it, and makes its thumbnail. It takes any bytes: memory and
// work are bounded, and the end of a context ends decoding.
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
	// maxMemory is what decoding may take by its estimate, in bytes.
	maxMemory = 64 << 20
	// maxScans is the most scans of a JPEG that is decoded. Each may visit all of the pixels, and take 20 bytes of the
	// file. Encoders make about ten.
	maxScans = 100
)

// decodings holds one element for each decoding under way, in the whole process: each may take maxMemory.
var decodings = make(chan struct{}, 2)

// Picture is what a file says.
type Picture struct {
	MIMEType      string
	Width, Height int    // in pixels, as it is seen: turned as its Exif data says
	Thumbnail     []byte // a JPEG; empty where decoding the picture would take too much
}

// Error says why a file is no picture, or none that is read here.
type Error struct{ Reason string }

func (e *Error) Error() string { return "picture: " + e.Reason }

func fault(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// format reads one kind of picture.
type format struct {
	header func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	cost   func(file []byte, w, h int64) cost
}

// formats are the pictures that Messenger shows, by MIME type.
var formats = map[string]format{
	"image/png":  {png.DecodeConfig, png.Decode, pngCost},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, jpegCost},
	"image/gif":  {gif.DecodeConfig, gif.Decode, gifCost}, // the first of its pictures
	"image/webp": {webp.DecodeConfig, webp.Decode, webpCost},
}

// errOverflow is how image/png refuses a size that does not fit an int of 32 bits.
var errOverflow error = png.UnsupportedError("dimension overflow")

// Read reads the file of a PNG, JPEG, GIF or WebP. Its error is an [*Error], or wraps that of ctx. The end of ctx ends
// waiting, and decoding between two pieces of the file. Scaling, and the pixels of a lossy WebP, are finished first:
// maxPixels bounds them.
func Read(ctx context.Context, file []byte) (Picture, error) {
	out := Picture{MIMEType: http.DetectContentType(file)}
	f, known := formats[out.MIMEType]
	if !known {
		return Picture{}, fault("looks like %s, and must be PNG, JPEG, GIF or WebP", out.MIMEType)
	}
	head, err := f.header(bytes.NewReader(file))
	if err == errOverflow { //nolint:errorlint // a value of image/png
		return Picture{}, fault("has more pixels than this machine can count: too large")
	}
	if err != nil {
		return Picture{}, fault("its header is damaged: %v", err)
	}
	w, h := head.Width, head.Height
	if w <= 0 || h <= 0 || w > maxSide || h > maxSide || w*h > maxPixels {
		return Picture{}, fault("of %d by %d pixels: too large; make it smaller, or send it as Data", w, h)
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

// thumbnail decodes a picture and makes it small, as one of few at the same time.
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
	if ctx.Err() != nil { // no piece was read at the end
		return nil, ended(ctx)
	}
	return small(picture, turn)
}

// pixels decodes. A decoder that panics has met a damaged file: it has no other input.
func (f format) pixels(ctx context.Context, file []byte) (_ image.Image, err error) {
	defer func() {
		if recover() != nil {
			err = fault("it is damaged: its decoder panics")
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

// pieces reads a file for as long as ctx lives. Its pieces are small: a scan of a JPEG that takes a tenth of a second
// may have 20 bytes.
type pieces struct {
	ctx   context.Context
	left  []byte
	ended bool // ctx is, and so is decoding
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
