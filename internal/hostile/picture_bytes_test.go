package hostile

import (
	"bytes"
	"compress/flate"
	"compress/lzw"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
)

// chunk returns a chunk of a PNG. Source: the PNG specification, section 5.3.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngOf returns a PNG with a header and zlib data.
func pngOf(w, h uint32, depth, kind byte, data []byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, depth, kind, 0, 0, 0))...)
	return append(append(b, chunk("IDAT", data)...), chunk("IEND", nil)...)
}

// pngWith inserts chunks after the header of a PNG.
func pngWith(png, more []byte) []byte {
	const head = 8 + 25
	return append(append(bytes.Clone(png[:head]), more...), png[head:]...)
}

// fixPNG corrects the checksum of a header.
func fixPNG(png []byte) []byte {
	binary.BigEndian.PutUint32(png[29:], crc32.ChecksumIEEE(png[12:29]))
	return png
}

// zlibZeros returns zlib data of megabytes of zeros, compressed to about a kilobyte each.
func zlibZeros(megabytes int) []byte {
	var block bytes.Buffer
	zw, _ := flate.NewWriter(&block, flate.BestCompression)
	zeros := make([]byte, mib)
	_, _ = zw.Write(zeros)
	_ = zw.Flush()
	b := append([]byte{0x78, 0xda}, bytes.Repeat(block.Bytes(), megabytes)...)
	b = append(b, 0x03, 0x00)
	// Adler-32 of n zeros is n mod 65521 in the high half and 1 in the low half.
	const modulus = 65521
	sum := uint32(uint64(megabytes)*mib%modulus)<<16 | 1
	return binary.BigEndian.AppendUint32(b, sum)
}

func zlibBytes(p []byte) []byte {
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	_, _ = zw.Write(p)
	_ = zw.Close()
	return b.Bytes()
}

// gifOf returns a GIF with a palette of two colors. All pixels have the first. Source: the GIF89a specification.
func gifOf(w, h, frameW, frameH uint16, frames int) []byte {
	le := binary.LittleEndian.AppendUint16
	b := append([]byte("GIF89a"), le(le(nil, w), h)...)
	b = append(b, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff) // two colors
	frame := append([]byte{0x2c, 0, 0, 0, 0}, le(le(nil, frameW), frameH)...)
	frame = append(frame, 0, gifLiteral) // no local color table
	for data := gifZeros(int(frameW) * int(frameH)); len(data) > 0; {
		n := min(len(data), 0xff)
		frame = append(append(frame, byte(n)), data[:n]...)
		data = data[n:]
	}
	return append(append(b, bytes.Repeat(append(frame, 0), frames)...), 0x3b)
}

// gifLiteral is the smallest number of bits per pixel in GIF.
const gifLiteral = 2

// gifZeros returns pixels of the first color in LZW.
func gifZeros(pixels int) []byte {
	var b bytes.Buffer
	zw := lzw.NewWriter(&b, lzw.LSB, gifLiteral)
	_, _ = zw.Write(make([]byte, pixels))
	_ = zw.Close()
	return b.Bytes()
}

// jpegHead returns the start of a progressive grayscale JPEG: tables, size, and the header of the first scan. Source:
// ITU-T T.81, annexes B and G.
func jpegHead(w, h uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	be := binary.BigEndian.AppendUint16
	b = append(b, 0xff, 0xc2, 0, 11, 8)
	b = append(be(be(b, h), w), 1, 1, 0x11, 0)
	table := func(class, symbol byte) []byte { // one code of one bit
		t := append([]byte{0xff, 0xc4, 0, 20, class << 4, 1}, make([]byte, 15)...)
		return append(t, symbol)
	}
	b = append(b, table(0, 0)...)    // a difference of 0
	b = append(b, table(1, 0xe0)...) // a run of at least 16,384 empty blocks, with 14 more bits of length
	return append(b, 0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 0, 0)
}

// jpegOf returns a progressive JPEG. Each scan but the first is a few bytes that change no block, and the decoder must
// visit all blocks.
func jpegOf(w, h uint16, scans int) []byte {
	b := jpegHead(w, h)
	blocks := (int(w) + 7) / 8 * ((int(h) + 7) / 8)
	b = append(b, make([]byte, (blocks+7)/8)...)
	const run = 1 << 14
	var data bits
	for left := blocks; left > 0; left -= 2*run - 1 {
		data.add(0, 1)
		data.add(uint(min(max(left-run, 0), run-1)), 14)
	}
	scan := append([]byte{0xff, 0xda, 0, 8, 1, 1, 0x00, 1, 63, 0}, data.bytes()...)
	return append(append(b, bytes.Repeat(scan, scans-1)...), 0xff, 0xd9)
}

// bits collects bits, the highest first. It adds a zero byte after 0xff, as JPEG requires.
type bits struct {
	out  []byte
	last byte
	n    int
}

func (b *bits) add(value uint, n int) {
	for i := n - 1; i >= 0; i-- {
		b.last = b.last<<1 | byte(value>>i&1)
		if b.n++; b.n%8 == 0 {
			b.flush()
		}
	}
}

func (b *bits) flush() {
	b.out = append(b.out, b.last)
	if b.last == 0xff {
		b.out = append(b.out, 0)
	}
	b.last = 0
}

func (b *bits) bytes() []byte {
	for b.n%8 != 0 {
		b.add(1, 1)
	}
	return b.out
}

// webpOf returns a truncated lossless WebP with a size in its header. Source: the specification of WebP lossless,
// section 3.
func webpOf(w, h uint32) []byte {
	size := (w - 1) | (h-1)<<14 // 14 bits each
	body := append([]byte{0x2f}, binary.LittleEndian.AppendUint32(nil, size)...)
	body = append(body, make([]byte, 64)...)
	le := binary.LittleEndian.AppendUint32
	b := le([]byte("RIFF"), uint32(len(body)+13))
	b = le(append(b, "WEBPVP8L"...), uint32(len(body)))
	return append(append(b, body...), 0)
}
