package blaze_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// A JPEG of 20 KB with 500 scans takes seconds to decode. One of 16 million pixels takes 300 MB. The size of both can
// be read and both can be sent, without a thumbnail.
func TestUploadImageThatIsNotDecoded(t *testing.T) {
	scan := []byte{0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0, 0}
	head := progressive(800, 600)
	for name, file := range map[string][]byte{
		"many scans":  append(head[:len(head)-2:len(head)-2], bytes.Repeat(scan, 500)...),
		"many pixels": progressive(4096, 4096),
	} {
		alone(t, name, nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			got, err := c.UploadImage(t.Context(), bytes.NewReader(file))
			require.NoError(t, err)
			assert.Empty(t, got.Thumbnail)
			assert.Positive(t, got.Width*got.Height)
			assert.Equal(t, "image/jpeg", got.MimeType)
			stored, err := download(t, c, got.Attachment)
			require.NoError(t, err)
			assert.Equal(t, string(file), stored)
			_, err = blaze.EncodePayload(got)
			assert.NoError(t, err, "it can be sent")
		})
	}
}
