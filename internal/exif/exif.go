// Package exif reads the orientation of a picture. It reads one tag of the Exif data of JPEG, PNG and WebP files,
// accepts any bytes and does not allocate.
package exif

import (
	"bytes"
	"encoding/binary"
)

// Upright is the orientation of a picture that is displayed as it is stored.
const Upright Orientation = 1

// Orientation is the displayed position of the first row and the first column of a picture. Source: Exif 2.32, tag
// 0x0112.
//
//	1: top, left     2: top, right     3: bottom, right  4: bottom, left
//	5: left, top     6: right, top     7: right, bottom  8: left, bottom
type Orientation uint8

// Turned reports whether width and height are exchanged.
func (o Orientation) Turned() bool { return o >= 5 }

// At returns the stored pixel that is displayed at x and y. w and h are the size of the stored picture.
func (o Orientation) At(x, y, w, h int) (storedX, storedY int) {
	if o.Turned() {
		x, y = y, x
	}
	//mutant:exif-mirror
	if o == 2 || o == 3 || o == 7 || o == 8 {
		x = w - 1 - x
	}
	if o == 3 || o == 4 || o == 6 || o == 7 {
		y = h - 1 - y
	}
	return x, y
}

// Of returns the orientation of a picture file, Upright if it is missing or unclear.
func Of(file []byte) Orientation {
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xd8")):
		return tiff(inJPEG(file[2:]))
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return tiff(inPNG(file[8:]))
	case len(file) >= 12 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WEBP":
		return tiff(inWebP(file[12:]))
	}
	return Upright
}

// head precedes the Exif data in a JPEG, and in some WebP files.
var head = []byte("Exif\x00\x00")

// inJPEG returns the Exif data in the segments of a JPEG. Source: ITU T.81, B.1.1.
func inJPEG(b []byte) []byte {
	const app1, scan = 0xe1, 0xda
	for len(b) >= 4 && b[0] == 0xff {
		marker := b[1]
		if marker == 0xff { // fill byte
			b = b[1:]
			continue
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		if marker == scan || size < 2 || size > len(b)-2 {
			return nil
		}
		if data, ok := bytes.CutPrefix(b[4:2+size], head); ok && marker == app1 {
			return data
		}
		b = b[2+size:]
	}
	return nil
}

// inPNG returns the data of the chunk eXIf. Source: PNG, third edition, 5.3 and 11.3.4.5.
func inPNG(b []byte) []byte {
	for len(b) >= 12 {
		size := binary.BigEndian.Uint32(b)
		if int64(size) > int64(len(b)-12) {
			return nil
		}
		if string(b[4:8]) == "eXIf" {
			return b[8 : 8+size]
		}
		b = b[12+size:]
	}
	return nil
}

// inWebP returns the data of the chunk EXIF. Source: RFC 9649, 2.3 and 2.7.
func inWebP(b []byte) []byte {
	for len(b) >= 8 {
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		if size > int64(len(b)-8) {
			return nil
		}
		if string(b[:4]) == "EXIF" {
			return bytes.TrimPrefix(b[8:8+size], head)
		}
		b = b[min(8+size+size%2, int64(len(b))):]
	}
	return nil
}

// tiff returns the orientation in the first directory of Exif data. Source: TIFF 6.0, section 2.
func tiff(b []byte) Orientation {
	const entry, orientation, short, long = 12, 0x0112, 3, 4
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return Upright
	}
	if len(b) < 8 {
		return Upright
	}
	at := uint64(order.Uint32(b[4:]))
	if at > uint64(len(b)) || len(b[at:]) < 2 {
		return Upright
	}
	left := order.Uint16(b[at:])
	for b = b[at+2:]; left > 0 && len(b) >= entry; left-- {
		if order.Uint16(b) == orientation {
			value := uint32(order.Uint16(b[8:]))
			switch order.Uint16(b[2:]) {
			case short:
			case long:
				value = order.Uint32(b[8:])
			default:
				return Upright
			}
			if value >= 1 && value <= 8 {
				return Orientation(value)
			}
			return Upright
		}
		b = b[entry:]
	}
	return Upright
}
