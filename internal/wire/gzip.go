package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// reusable is the size of the largest buffer that is reused for the next frame, so that the memory of a huge frame is
// freed. It suffices for the service's largest message.
const reusable = 512 << 10

// Errors of bytes that are not a valid frame.
var (
	ErrNotGzip  = errors.New("wire: not gzip")
	ErrInflated = fmt.Errorf("wire: more than %d bytes after gunzip", MaxInflated)
	ErrTrailing = errors.New("wire: bytes after the end of the gzip stream")
	ErrClaim    = errors.New("wire: damaged gzip: size does not match the trailer, or trailing data")
)

// Inflater decompresses frames. It belongs to one goroutine. The zero value is ready for use.
type Inflater struct {
	src bytes.Reader
	zr  gzip.Reader
	buf []byte
}

// Inflate returns the JSON in p, valid until the next call. It reads to the end of the stream, so that checksum and
// length are verified, and rejects a second member and any other trailing data.
func (z *Inflater) Inflate(p []byte) ([]byte, error) {
	z.src.Reset(p)
	defer z.src.Reset(nil)
	if err := z.zr.Reset(&z.src); err != nil {
		return nil, ErrNotGzip
	}
	z.zr.Multistream(false)
	z.Trim()
	claimed := Claimed(p)
	z.buf = slices.Grow(z.buf[:0], 1+claimed) // one byte more, so that the end is detected
	if err := z.readAll(claimed); err != nil {
		z.buf = nil
		return nil, err
	}
	if z.src.Len() > 0 {
		return nil, ErrTrailing
	}
	return z.buf, nil
}

// Trim frees a buffer that only a huge frame needed.
func (z *Inflater) Trim() {
	if cap(z.buf) > reusable {
		z.buf = nil
	}
}

// Claimed returns the decompressed size according to the trailer of p. It is at most MaxInflated, and at most the size
// that deflate can produce from p. Inflate rejects a frame that gets larger.
func Claimed(p []byte) int {
	const ratio = 1032
	if len(p) < 4 {
		return 0
	}
	//mutant:inflate-limit
	return int(min(int64(binary.LittleEndian.Uint32(p[len(p)-4:])), int64(len(p))*ratio, MaxInflated))
}

// readAll stops at the claimed size, so that a false claim does not cost memory.
func (z *Inflater) readAll(claimed int) error {
	b := z.buf[:0]
	for {
		n, err := z.zr.Read(b[len(b) : claimed+1])
		b = b[:len(b)+n]
		z.buf = b
		switch {
		case len(b) > claimed && claimed == MaxInflated:
			return ErrInflated
		case len(b) > claimed:
			return ErrClaim
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("wire: damaged gzip: %w", err)
		}
	}
}

// storeBelow is the size in bytes from which on a frame is compressed. BenchmarkDeflate measured, with Go 1.26 on two
// cores: storing 1000 bytes takes 0.06 µs. Compressing 1100 takes 6 µs and saves 285 bytes; compressing 6000 takes
// 20 µs and saves 1800 bytes of text, or two thirds of a frame of acknowledgements.
const storeBelow = 1 << 10

// Deflater compresses frames. It belongs to one goroutine at a time. It is large after it has compressed a frame, so it
// should be shared. The zero value is ready for use.
type Deflater struct {
	zw  *gzip.Writer
	dst []byte
}

// Append appends the gzip of p to dst.
func (d *Deflater) Append(dst, p []byte) []byte {
	if len(p) < storeBelow {
		return AppendStored(dst, p)
	}
	if d.zw == nil {
		// BestSpeed is a valid level, so there is no error.
		d.zw, _ = gzip.NewWriterLevel(d, gzip.BestSpeed)
	}
	d.dst = dst
	d.zw.Reset(d)
	// Write and Close return only errors of d.Write, and it returns none.
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

// mostStored is the maximum size of a stored block of deflate in bytes.
const mostStored = 1<<16 - 1

// AppendStored appends the gzip of p (RFC 1952) in stored blocks (RFC 1951, section 3.2.4): p itself with a small
// overhead.
func AppendStored(dst, p []byte) []byte {
	const header = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff" // deflate, no time, the fastest, an unknown system
	sum, size := crc32.ChecksumIEEE(p), uint32(len(p))        //nolint:gosec // G115: by RFC 1952 its lowest 32 bits
	dst = append(dst, header...)
	for len(p) > mostStored {
		dst = appendBlock(dst, 0, p[:mostStored])
		p = p[mostStored:]
	}
	dst = appendBlock(dst, 1, p)
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return binary.LittleEndian.AppendUint32(dst, size)
}

// appendBlock appends one stored block; last is 1 for the last one.
func appendBlock(dst []byte, last byte, p []byte) []byte {
	size := uint16(len(p)) //nolint:gosec // G115: at most mostStored
	dst = append(dst, last)
	dst = binary.LittleEndian.AppendUint16(dst, size)
	dst = binary.LittleEndian.AppendUint16(dst, ^size)
	return append(dst, p...)
}
