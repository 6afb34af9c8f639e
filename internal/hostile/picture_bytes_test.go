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

// pngOf returns a PNG with that header, and data as zlib.
func pngOf(w, h uint32, depth, kind byte, data []byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, depth, kind, 0, 0, 0))...)
	return append(append(b, chunk("IDAT", data)...), chunk("IEND", nil)...)
}

// pngWith puts more chunks behind the header of a PNG.
func pngWith(png, more []byte) []byte {
	const head = 8 + 25
	return append(append(bytes.Clone(png[:head]), more...), png[head:]...)
}

// fixPNG corrects the checksum of a header.
func fixPNG(png []byte) []byte {
	binary.BigEndian.PutUint32(png[29:], crc32.ChecksumIEEE(png[12:29]))
	return png
}

// zlibZeros returns zlib of so many megabytes of zeros, in a few kilobytes each.
func zlibZeros(megabytes int) []byte {
	var block bytes.Buffer
	zw, _ := flate.NewWriter(&block, flate.BestCompression)
	zeros := make([]byte, mib)
	_, _ = zw.Write(zeros)
	_ = zw.Flush()
	b := append([]byte{0x78, 0xda}, bytes.Repeat(block.Bytes(), megabytes)...)
	b = append(b, 0x03, 0x00)
	// Of zeros, the first half of the checksum counts them, and the second one is 1.
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

// gifOf returns a GIF with frames of two colours, that are all of the first one. Source: the GIF89a specification.
func gifOf(w, h, frameW, frameH uint16, frames int) []byte {
	le := binary.LittleEndian.AppendUint16
	b := append([]byte("GIF89a"), le(le(nil, w), h)...)
	b = append(b, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff) // two colours
	frame := append([]byte{0x2c, 0, 0, 0, 0}, le(le(nil, frameW), frameH)...)
	frame = append(frame, 0, gifLiteral) // nothing local
	for data := gifZeros(int(frameW) * int(frameH)); len(data) > 0; {
		n := min(len(data), 0xff)
		frame = append(append(frame, byte(n)), data[:n]...)
		data = data[n:]
	}
	return append(append(b, bytes.Repeat(append(frame, 0), frames)...), 0x3b)
}

// gifLiteral is the fewest bits of a pixel that a GIF may have.
const gifLiteral = 2

// gifZeros returns so many pixels of the first colour as a GIF packs them.
func gifZeros(pixels int) []byte {
	var b bytes.Buffer
	zw := lzw.NewWriter(&b, lzw.LSB, gifLiteral)
	_, _ = zw.Write(make([]byte, pixels))
	_ = zw.Close()
	return b.Bytes()
}

// jpegHead returns the beginning of a progressive JPEG of one colour: tables, size, and the head of the first scan.
// Source: ITU-T T.81, annexes B and G.
func jpegHead(w, h uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	be := binary.BigEndian.AppendUint16
	b = append(b, 0xff, 0xc2, 0, 11, 8)
	b = append(be(be(b, h), w), 1, 1, 0x11, 0)
	table := func(class, symbol byte) []byte { // one code, of one bit
		t := append([]byte{0xff, 0xc4, 0, 20, class << 4, 1}, make([]byte, 15)...)
		return append(t, symbol)
	}
	b = append(b, table(0, 0)...)    // a difference of nothing
	b = append(b, table(1, 0xe0)...) // a run of 16,384 blocks of nothing, and 14 bits more
	return append(b, 0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 0, 0)
}

// jpegOf returns a progressive JPEG with so many scans. Each but the first says in a few bytes that all blocks stay as
// they are, and all have to be gone through.
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

// bits collects bits, the highest first. As the format wants it, a byte of ones is followed by a zero.
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

// webpOf returns a lossless WebP that claims a size, and ends. Source: the specification of WebP lossless, section 3.
func webpOf(w, h uint32) []byte {
	size := (w - 1) | (h-1)<<14 // 14 bits each
	body := append([]byte{0x2f}, binary.LittleEndian.AppendUint32(nil, size)...)
	body = append(body, make([]byte, 64)...)
	le := binary.LittleEndian.AppendUint32
	b := le([]byte("RIFF"), uint32(len(body)+13))
	b = le(append(b, "WEBPVP8L"...), uint32(len(body)))
	return append(append(b, body...), 0)
}
