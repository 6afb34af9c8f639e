package picture

import (
	"bytes"
	"encoding/binary"
)

// cost is an upper bound of the cost of decoding.
type cost struct {
	memory int64 // bytes
	scans  int   // of a JPEG: number of passes over its pixels
}

func (c cost) plus(more cost) cost { return cost{c.memory + more.memory, c.scans + more.scans} }

func (c cost) tooMuch() bool {
	//mutant:picture-scans
	return c.memory > maxMemory || c.scans > maxScans
}

// scaling returns the cost of scaling a picture down. golang.org/x/image/draw scales the width first, with four 64-bit
// numbers for each pixel, and has at most two weights for each row and column. The rest is for tables and buffers,
// including those of the decoders.
func scaling(w, h int) cost {
	narrow, _ := fit(w, h)
	return cost{memory: 32*int64(narrow)*int64(h) + 64*int64(w+h) + 256<<10}
}

// pngCost follows image/png. Transparency may be declared after the header, and turns grey and RGB into four channels.
// The passes of an interlaced picture are decoded separately. Source: PNG, third edition, 11.2.1.
func pngCost(file []byte, w, h int64) cost {
	const depth, colour, interlace, palette = 24, 25, 28, 3
	bytes := int64(4)
	switch {
	case file[colour] == palette:
		bytes = 1
	case file[depth] == 16:
		bytes = 8
	}
	rows := 2 * (1 + bytes*w)
	if file[interlace] != 0 {
		bytes *= 2
	}
	return cost{memory: bytes*w*h + rows + skippedChunks(file)}
}

// skippedChunks returns the memory that image/png allocates for chunks that it ignores: a buffer for each. A normal
// picture has a few. Source: PNG, third edition, 5.3.
func skippedChunks(file []byte) (memory int64) {
	const signature, head, checksum, buffer = 8, 8, 4, 4 << 10
	for b := file[signature:]; len(b) >= head; {
		size := int64(binary.BigEndian.Uint32(b))
		if string(b[4:head]) != "IDAT" {
			//mutant:picture-chunks
			memory += buffer
		}
		if size > int64(len(b))-head-checksum {
			break
		}
		b = b[head+size+checksum:]
	}
	return memory
}

// gifCost follows image/gif, which reorders an interlaced picture in a copy.
func gifCost(_ []byte, w, h int64) cost { return cost{memory: 2 * w * h} }

// jpegCost follows the main loop of image/jpeg to find the segments. Source: ITU T.81, B.1.1 and B.2.2.
func jpegCost(file []byte, w, h int64) (c cost) {
	const soi, first, last, restart, restarted, eoi, sos, adobe = 0xd8, 0xc0, 0xc2, 0xd0, 0xd7, 0xd9, 0xda, 0xee
	rgb := false
	for b := file; ; {
		i := bytes.IndexByte(b, 0xff)
		if i < 0 {
			break
		}
		for b = b[i:]; len(b) > 0 && b[0] == 0xff; { // fill bytes may be repeated
			b = b[1:]
		}
		if len(b) < 3 || b[0] == eoi {
			break
		}
		marker, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		b = b[1:]
		if marker == 0 || marker == soi || marker >= restart && marker <= restarted {
			continue
		}
		if size < 2 || size > len(b) {
			break
		}
		segment := b[2:size]
		b = b[size:]
		switch {
		case marker >= first && marker <= last && c.memory == 0:
			c.memory = frameMemory(segment, marker == last, w, h)
			rgb = rgb || named(segment, "RGB")
		case marker == adobe && len(segment) >= 12:
			rgb = rgb || segment[11] == 0
		case marker == sos:
			c.scans++
		}
	}
	if rgb {
		c.memory += 4 * w * h
	}
	return c
}

// frameMemory returns the memory for the components of a JPEG. The segment has three bytes for each, after the first
// six.
func frameMemory(segment []byte, progressive bool, w, h int64) int64 {
	if len(segment) < 9 {
		return 1 // the decoder rejects it
	}
	const block = 64
	components := segment[6:]
	factors := func(i int) (int64, int64) { return int64(components[i+1] >> 4), int64(components[i+1] & 15) }
	h0, v0 := factors(0)
	if len(components) < 9 { // the factors of a single component are ignored
		h0, v0 = 1, 1
	}
	if h0 == 0 || v0 == 0 {
		return 1
	}
	units := ((w + 8*h0 - 1) / (8 * h0)) * ((h + 8*v0 - 1) / (8 * v0))
	var blocks int64
	for i := 0; i+3 <= len(components); i += 3 {
		hi, vi := factors(i)
		if len(components) < 9 {
			hi, vi = 1, 1
		}
		blocks += units * hi * vi
	}
	memory := blocks * block
	if progressive {
		//mutant:picture-coefficients
		memory += 4 * blocks * block
	}
	if len(components) >= 12 { // four channels are combined in a copy
		memory += 4 * w * h
	}
	return memory
}

// named reports whether the components of a JPEG have these names.
func named(segment []byte, names string) bool {
	for i := range len(names) {
		if at := 6 + 3*i; at >= len(segment) || segment[at] != names[i] {
			return false
		}
	}
	return true
}
