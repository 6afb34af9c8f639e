package blaze_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// quarters is a picture of 40 by 20 pixels with a colour for each quarter.
func quarters() image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			c := color.NRGBA{A: 255}
			switch {
			case y < 10 && x < 20:
				c.R = 255
			case y < 10:
				c.G = 255
			case x < 20:
				c.B = 255
			default:
				c.R, c.G, c.B = 255, 255, 255
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// exifOf returns Exif data with this orientation, as cameras write it.
func exifOf(orientation byte) string {
	return "MM\x00*\x00\x00\x00\x08" + "\x00\x01" +
		"\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00" + "\x00\x00\x00\x00"
}

func turnedJPEG(t *testing.T, orientation byte) []byte {
	file := picture(t, asJPEG, quarters())
	data := "Exif\x00\x00" + exifOf(orientation)
	return []byte(string(file[:2]) + "\xff\xe1\x00" + string(rune(2+len(data))) + data + string(file[2:]))
}

func turnedPNG(t *testing.T, orientation byte) []byte {
	file := picture(t, png.Encode, quarters())
	const header = 8 + 25 // the signature and IHDR
	chunk := "eXIf" + exifOf(orientation)
	b := binary.BigEndian.AppendUint32(bytes.Clone(file[:header]), uint32(len(chunk)-4))
	b = binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE([]byte(chunk)))
	return append(b, file[header:]...)
}

// turnedWebP is a black picture: the pixels of aWebP need no bits, whatever its size.
func turnedWebP(t *testing.T, orientation byte) []byte {
	file, err := base64.StdEncoding.DecodeString(aWebP)
	require.NoError(t, err)
	const w, h = 40, 20
	pixels := file[12:]
	binary.LittleEndian.PutUint32(pixels[9:], binary.LittleEndian.Uint32(pixels[9:])&0xf0000000|(w-1)|(h-1)<<14)
	data := exifOf(orientation)
	body := "WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00" + string([]byte{w - 1, 0, 0, h - 1, 0, 0}) + string(pixels) +
		"EXIF" + string([]byte{byte(len(data)), 0, 0, 0}) + data
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// The colours follow Exif 2.32, tag 0x0112. In orientation 6, for example, row 0 is the visual right-hand side and
// column 0 the visual top.
func TestUploadImageIsTurned(t *testing.T) {
	seen := map[byte]string{
		0: "RGBW", 1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB", 9: "RGBW",
	}
	for orientation, want := range seen {
		for kind, file := range map[string][]byte{
			"JPEG": turnedJPEG(t, orientation), "PNG": turnedPNG(t, orientation), "WebP": turnedWebP(t, orientation),
		} {
			alone(t, kind+string('0'+rune(orientation)), nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
				got, err := c.UploadImage(t.Context(), bytes.NewReader(file))
				require.NoError(t, err)
				w, h := 40, 20
				if orientation >= 5 && orientation <= 8 {
					w, h = h, w
				}
				assert.Equal(t, []int{w, h}, []int{got.Width, got.Height})
				stored, err := download(t, c, got.Attachment)
				require.NoError(t, err)
				assert.Equal(t, string(file), stored, "the file stays as it is")
				small, err := base64.StdEncoding.DecodeString(got.Thumbnail)
				require.NoError(t, err)
				thumb, err := jpeg.Decode(bytes.NewReader(small))
				require.NoError(t, err)
				assert.Equal(t, image.Rect(0, 0, w, h), thumb.Bounds())
				if kind == "WebP" {
					return
				}
				var colours string
				for _, at := range []image.Point{
					{w / 4, h / 4}, {w * 3 / 4, h / 4}, {w / 4, h * 3 / 4}, {w * 3 / 4, h * 3 / 4},
				} {
					colours += colourOf(thumb.At(at.X, at.Y))
				}
				assert.Equal(t, want, colours)
			})
		}
	}
}

func colourOf(c color.Color) string {
	const half = 0x8000
	r, g, b, _ := c.RGBA()
	switch {
	case r > half && g > half && b > half:
		return "W"
	case r > half:
		return "R"
	case g > half:
		return "G"
	}
	return "B"
}
