package picture

import "encoding/binary"

// Bounds of the memory for the trees of the lossless format, in bytes. The decoder accepts 2,600 groups of five trees.
// Each tree has a table, and two nodes of 8 bytes for each symbol. A group has at most 3,136 symbols, and a byte of the
// file at most 24.
const (
	tablesOfTrees = 2600 * 5 * 544
	nodesOfTrees  = 2600 * 3136 * 16
	nodesOfByte   = 24 * 16
)

// webpCost follows golang.org/x/image/webp. Source: RFC 9649, 2.3 and 2.7.
func webpCost(file []byte, w, h int64) (c cost) {
	for b := file[12:]; len(b) >= 8; {
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		switch string(b[:4]) {
		case "VP8 ":
			// Two planes of a quarter, and the file with its claimed size.
			c.memory += 3*(w+15)*(h+15)/2 + 64*(w+15) + (w+15)*(h+15)/16 + size
		case "VP8L":
			c.memory += lossless(w, h, min(size, int64(len(b)-8)))
		case "ALPH":
			c.memory += w*h + lossless(w, h, min(size, int64(len(b)-8)))
		}
		if size > int64(len(b)-8) {
			break
		}
		b = b[min(8+size+size%2, int64(len(b))):]
	}
	return c
}

// lossless returns the memory for pixels in the lossless format. The pixels are stored twice while indexes are replaced
// by colours. The pictures of the transforms have a sixteenth of the pixels. The number of trees is bounded by the size
// of the file.
func lossless(w, h, size int64) int64 {
	return 9*w*h + tablesOfTrees + min(nodesOfByte*size, nodesOfTrees)
}
