package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// keepInflated is the largest buffer an Inflater keeps between frames, so that one large frame does not stay for ever.
const keepInflated = 64 << 10

// Errors of bytes that are not a frame.
var (
	ErrNotGzip  = errors.New("wire: not gzip")
	ErrInflated = fmt.Errorf("wire: more than %d bytes after gunzip", MaxInflated)
	ErrTrailing = errors.New("wire: bytes after the end of the gzip stream")
)

// Inflater inflates one frame after the other. It belongs to one goroutine. The zero value is ready.
type Inflater struct {
	src bytes.Reader
	zr  gzip.Reader
	buf []byte
}

// Inflate returns the JSON inside p, valid until the next call. It reads to the end of the stream, so that the checksum and
// the length are verified, and refuses a second member and anything else behind it.
func (z *Inflater) Inflate(p []byte) ([]byte, error) {
	z.src.Reset(p)
	if err := z.zr.Reset(&z.src); err != nil {
		return nil, ErrNotGzip
	}
	z.zr.Multistream(false)
	if cap(z.buf) > keepInflated {
		z.buf = nil
	}
	if err := z.readAll(); err != nil {
		z.buf = nil
		return nil, err
	}
	if z.src.Len() > 0 {
		return nil, ErrTrailing
	}
	return z.buf, nil
}

func (z *Inflater) readAll() error {
	b := z.buf[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := z.zr.Read(b[len(b):min(cap(b), MaxInflated+1)])
		b = b[:len(b)+n]
		z.buf = b
		switch {
		case len(b) > MaxInflated:
			return ErrInflated
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("wire: damaged gzip: %w", err)
		}
	}
}

// Deflater compresses one frame after the other. It belongs to one goroutine at a time, and is large: share it.
type Deflater struct {
	zw  *gzip.Writer
	dst []byte
}

// NewDeflater returns a Deflater.
func NewDeflater() *Deflater {
	d := new(Deflater)
	// BestSpeed cannot be refused as a level.
	d.zw, _ = gzip.NewWriterLevel(d, gzip.BestSpeed)
	return d
}

// Append appends the gzip of p to dst.
func (d *Deflater) Append(dst, p []byte) []byte {
	d.dst = dst
	d.zw.Reset(d)
	// Write and Close can only fail as d.Write does, which is never.
	_, _ = d.zw.Write(p)
	_ = d.zw.Close()
	dst, d.dst = d.dst, nil
	return dst
}

// Write implements [io.Writer] for the compressor.
func (d *Deflater) Write(p []byte) (int, error) {
	d.dst = append(d.dst, p...)
	return len(p), nil
}
