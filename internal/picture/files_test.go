package picture_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
)

func segment(marker byte, data ...byte) []byte {
	return append([]byte{0xff, marker, byte((len(data) + 2) >> 8), byte(len(data) + 2)}, data...)
}

// frame returns the frame header of a JPEG: marker 0xc0 is baseline, 0xc2 progressive. factors has one element for each
// component.
func frame(marker byte, w, h int, factors ...byte) []byte {
	data := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(len(factors))}
	for i, f := range factors {
		data = append(data, byte(i+1), f, 0)
	}
	return append([]byte{0xff, 0xd8}, segment(marker, data...)...)
}

// scan returns the header of a scan of the first n components.
func scan(n int) []byte {
	data := []byte{byte(n)}
	for i := range n {
		data = append(data, byte(i+1), 0)
	}
	return segment(0xda, append(data, 0, 0, 0)...)
}

// scans returns a grey progressive JPEG of n scans, the first of the brightness, each other one of 16,384 blocks in 15
// bits. Source: ITU T.81, B.2 and G.1.2.
func scans(w, h, n int) []byte {
	blocks := (w + 7) / 8 * ((h + 7) / 8)
	lengths := func(class byte, symbol byte) []byte { // a code of one bit, 0
		return segment(0xc4, append([]byte{class << 4, 1}, append(make([]byte, 15), symbol)...)...)
	}
	file := frame(0xc2, w, h, 0x11)
	file = append(file, lengths(0, 0)...)
	file = append(file, lengths(1, 0xe0)...)
	file = append(file, scan(1)...)
	file = append(file, make([]byte, (blocks+7)/8)...)
	for range n - 1 {
		file = append(file, segment(0xda, 1, 1, 0, 1, 63, 0)...)
		file = append(file, make([]byte, 2*((blocks+16383)/16384))...)
	}
	return append(file, 0xff, 0xd9)
}

func chunk(name string, data ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngOf returns a PNG that ends before its pixels.
func pngOf(w, h int, depth, colour, interlace byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(w))
	head = append(binary.BigEndian.AppendUint32(head, uint32(h)), depth, colour, 0, 0, interlace)
	file := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", head...)...)
	if colour == 3 {
		file = append(file, chunk("PLTE", make([]byte, 768)...)...)
	}
	if colour == 0 || colour == 2 {
		file = append(file, chunk("tRNS", make([]byte, 2+2*colour)...)...)
	}
	return append(file, chunk("IDAT", 0x78, 0x01)...)
}

// gifOf returns a GIF that ends before its pixels.
func gifOf(w, h int) []byte {
	size := []byte{byte(w), byte(w >> 8), byte(h), byte(h >> 8)}
	file := append([]byte("GIF89a"), size...)
	file = append(append(file, 0x80, 0, 0), make([]byte, 6)...)
	return append(append(append(file, 0x2c, 0, 0, 0, 0), size...), 0x40, 2, 1, 0)
}

func riff(name string, size int, data ...byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(name), uint32(size)), data...)
}

func webpOf(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(riff("RIFF", 1<<30), body...)
}

// lossy returns the header of a lossy WebP, which claims a partition.
func lossy(w, h, claimed int) []byte {
	return riff("VP8 ", claimed, append([]byte{0x10, 2, 0, 0x9d, 1, 0x2a, byte(w), byte(w >> 8), byte(h), byte(h >> 8)},
		make([]byte, 100)...)...)
}

// lossless returns the header of a lossless WebP with four colours: one of each tree, and no bits for a pixel.
func lossless(w, h int) []byte {
	size := binary.LittleEndian.AppendUint32([]byte{0x2f}, uint32(w-1)|uint32(h-1)<<14)
	return riff("VP8L", 20, append(size, make([]byte, 15)...)...)
}

func noise(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	x := uint32(1)
	for i := range m.Pix {
		x = x*1664525 + 1013904223
		m.Pix[i] = byte(x >> 24)
	}
	return m
}

// pictures returns small pictures made by the encoders of the standard library.
func pictures(t testing.TB) map[string][]byte {
	t.Helper()
	var asPNG, asJPEG, asGIF, grey bytes.Buffer
	m := noise(70, 50)
	require.NoError(t, png.Encode(&asPNG, m))
	require.NoError(t, jpeg.Encode(&asJPEG, m, nil))
	require.NoError(t, gif.Encode(&asGIF, m, nil))
	g := image.NewGray16(m.Rect)
	for i := range g.Bounds().Dx() {
		g.SetGray16(i, i%50, color.Gray16{Y: uint16(i * 900)})
	}
	require.NoError(t, png.Encode(&grey, g))
	return map[string][]byte{
		"PNG": asPNG.Bytes(), "JPEG": asJPEG.Bytes(), "GIF": asGIF.Bytes(), "grey": grey.Bytes(),
		"progressive": scans(70, 50, 5),
		"WebP": []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00" +
			"\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"),
	}
}
