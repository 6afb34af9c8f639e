package picture

import "encoding/binary"

// Bounds of the trees in the lossless coding, in bytes. The decoder takes 2,600 groups of five; each tree has a table,
// and two nodes of 8 bytes for a symbol. A group has 3,136 symbols at most, and a byte of the file makes 24 at most.
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
			// Two planes of a quarter, and the file, whatever size it claims.
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

// lossless returns the memory for pixels in the lossless coding: they are there twice while indexes become colours, the
// pictures of its transforms have a sixteenth of the pixels, and its trees are as many as the file has bits for.
func lossless(w, h, size int64) int64 {
	return 9*w*h + tablesOfTrees + min(nodesOfByte*size, nodesOfTrees)
}
