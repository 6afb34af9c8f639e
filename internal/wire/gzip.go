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

// keep is the largest buffer that is kept from one frame to the next, so that a huge one does not stay for ever. It is
// enough for the service's largest message.
const keep = 512 << 10

// Errors of bytes that are not a frame.
var (
	ErrNotGzip  = errors.New("wire: not gzip")
	ErrInflated = fmt.Errorf("wire: more than %d bytes after gunzip", MaxInflated)
	ErrTrailing = errors.New("wire: bytes after the end of the gzip stream")
	ErrClaim    = errors.New("wire: damaged gzip: longer than its last bytes say, or something behind it")
)

// Inflater inflates one frame after the other. It belongs to one goroutine. The zero value is ready.
type Inflater struct {
	src bytes.Reader
	zr  gzip.Reader
	buf []byte
}

// Inflate returns the JSON inside p, valid until the next call. It reads to the end of the stream, so that the checksum
// and the length are verified, and refuses a second member and anything else behind it.
func (z *Inflater) Inflate(p []byte) ([]byte, error) {
	z.src.Reset(p)
	defer z.src.Reset(nil)
	if err := z.zr.Reset(&z.src); err != nil {
		return nil, ErrNotGzip
	}
	z.zr.Multistream(false)
	z.Trim()
	claimed := Claimed(p)
	z.buf = slices.Grow(z.buf[:0], 1+claimed) // one more, in which the end is noticed
	if err := z.readAll(claimed); err != nil {
		z.buf = nil
		return nil, err
	}
	if z.src.Len() > 0 {
		return nil, ErrTrailing
	}
	return z.buf, nil
}

// Trim lets go of a buffer that only a huge frame needed.
func (z *Inflater) Trim() {
	if cap(z.buf) > keep {
		z.buf = nil
	}
}

// Claimed returns how many bytes p says that it becomes, and never more than deflate can make of it, or than Inflate
// returns. Inflate refuses what becomes more.
func Claimed(p []byte) int {
	const ratio = 1032
	if len(p) < 4 {
		return 0
	}
	//mutant:inflate-limit
	return int(min(int64(binary.LittleEndian.Uint32(p[len(p)-4:])), int64(len(p))*ratio, MaxInflated))
}

// readAll stops where there is more than was claimed: who lies about that gets no memory for it.
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

// storeBelow is from how many bytes on a frame is compressed. Measured with Go 1.26 on two cores, BenchmarkDeflate: to
// store 1000 bytes takes 0.06 µs; to compress 1100 takes 6 and saves 285 bytes, 6000 takes 20 and saves 1800 of text,
// two thirds of a frame of acknowledgements.
const storeBelow = 1 << 10

// Deflater compresses one frame after the other. It belongs to one goroutine at a time. Once it has compressed
// something it is large: share it. The zero value is ready.
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
		// BestSpeed cannot be refused as a level.
		d.zw, _ = gzip.NewWriterLevel(d, gzip.BestSpeed)
	}
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

// mostStored is how many bytes one stored block of deflate has at most.
const mostStored = 1<<16 - 1

// AppendStored appends the gzip of p (RFC 1952) in stored blocks (RFC 1951, section 3.2.4), which is p itself and
// little more.
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
