package blaze_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// red is a red picture.
func red(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []byte{255, 0, 0, 255})
	}
	return m
}

func picture(t *testing.T, encode func(io.Writer, image.Image) error, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b, m))
	return b.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
func asGIF(w io.Writer, m image.Image) error  { return gif.Encode(w, m, nil) }

// aWebP is one black pixel, lossless: the smallest WebP file.
const aWebP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

func TestUploadImage(t *testing.T) {
	webp, err := base64.StdEncoding.DecodeString(aWebP)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		file       []byte
		mime       string
		w, h       int
		smallW, sH int
	}{
		"PNG":        {picture(t, png.Encode, red(200, 100)), "image/png", 200, 100, 48, 24},
		"JPEG":       {picture(t, asJPEG, red(30, 300)), "image/jpeg", 30, 300, 4, 48},
		"GIF":        {picture(t, asGIF, red(20, 10)), "image/gif", 20, 10, 20, 10},
		"WebP":       {webp, "image/webp", 1, 1, 1, 1},
		"a line":     {picture(t, png.Encode, red(1000, 1)), "image/png", 1000, 1, 48, 1},
		"48 exactly": {picture(t, png.Encode, red(48, 48)), "image/png", 48, 48, 48, 48},
	} {
		alone(t, name, nil, func(t *testing.T, _ *blazetest.Server, client *blaze.Client) {
			got, err := client.UploadImage(t.Context(), iotest.HalfReader(bytes.NewReader(c.file)))
			require.NoError(t, err)
			assert.Equal(t, c.mime, got.MimeType)
			assert.EqualValues(t, len(c.file), got.Size)
			assert.Equal(t, []int{c.w, c.h}, []int{got.Width, got.Height})
			file, err := download(t, client, got.Attachment)
			require.NoError(t, err)
			assert.Equal(t, string(c.file), file)
			small, err := base64.StdEncoding.DecodeString(got.Thumbnail)
			require.NoError(t, err)
			thumb, err := jpeg.Decode(bytes.NewReader(small))
			require.NoError(t, err)
			assert.Equal(t, image.Rect(0, 0, c.smallW, c.sH), thumb.Bounds())
			if name != "WebP" {
				r, g, b, _ := thumb.At(0, 0).RGBA()
				assert.Greater(t, r, uint32(0xe000))
				assert.Less(t, g+b, uint32(0x2000))
			}
			_, err = blaze.EncodePayload(got)
			assert.NoError(t, err, "it can be sent")
		})
	}
}

// Transparent pixels get the white of the chat.
func TestTransparentThumbnail(t *testing.T) {
	alone(t, "transparent", nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
		got, err := c.UploadImage(t.Context(),
			bytes.NewReader(picture(t, png.Encode, image.NewNRGBA(image.Rect(0, 0, 10, 10)))))
		require.NoError(t, err)
		small, err := base64.StdEncoding.DecodeString(got.Thumbnail)
		require.NoError(t, err)
		thumb, err := jpeg.Decode(bytes.NewReader(small))
		require.NoError(t, err)
		assert.Equal(t, color.Gray{Y: 255}, color.GrayModel.Convert(thumb.At(5, 5)))
	})
}

// claiming changes the size in the header of a PNG.
func claiming(file []byte, w, h uint32) []byte {
	file = bytes.Clone(file)
	binary.BigEndian.PutUint32(file[16:], w)
	binary.BigEndian.PutUint32(file[20:], h)
	binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
	return file
}

// progressive is the head of a JPEG that makes a decoder allocate 20 bytes per pixel before it decodes any.
func progressive(w, h uint16) []byte {
	b := []byte{
		0xff, 0xd8, 0xff, 0xc2, 0, 17, 8, byte(h >> 8), byte(h),
		byte(w >> 8), byte(w), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0,
	}
	return append(b, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0xff, 0xd9)
}

func TestUploadImageRejects(t *testing.T) {
	good := picture(t, png.Encode, red(20, 20))
	deep := picture(t, png.Encode, image.NewNRGBA64(image.Rect(0, 0, 20, 20)))
	alone(t, "rejected", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		for name, file := range map[string][]byte{
			"nothing": nil, "text": []byte("hello"), "SVG": []byte("<svg/>"),
			"cut in the header": good[:20], "cut": good[:len(good)-20],
			"a bomb": claiming(good, 50_000, 50_000), "a long line": claiming(good, 1<<30, 1),
			"a high line": claiming(good, 1, 16385), "16 bits": claiming(deep, 4097, 4097),
			"a progressive JPEG": progressive(8191, 8191),
		} {
			watch := gauge.WatchHeap(time.Millisecond)
			before := gauge.Heap()
			_, err := c.UploadImage(t.Context(), bytes.NewReader(file))
			var invalid *blaze.InvalidError
			require.ErrorAs(t, err, &invalid, name)
			assert.Equal(t, "picture", invalid.Field)
			if strings.Contains(name, "bomb") || strings.Contains(name, "line") || strings.Contains(name, "JPEG") {
				assert.Contains(t, invalid.Reason, "too large")
			}
			assert.Less(t, watch.Stop(), before+16<<20, name)
		}
		_, err := c.UploadImage(t.Context(), bytes.NewReader(append(bytes.Clone(good), make([]byte, 64<<20)...)))
		require.ErrorIs(t, err, blaze.ErrInvalid)
		_, err = c.UploadImage(t.Context(), iotest.ErrReader(assert.AnError))
		require.ErrorIs(t, err, assert.AnError)
		s.Intercept("POST /attachments",
			func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeForbidden) })
		_, err = c.UploadImage(t.Context(), bytes.NewReader(good))
		require.ErrorIs(t, err, blaze.CodeForbidden)
	})
}
