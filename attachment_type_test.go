package blaze_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// ogg is the first page of an Ogg file with this packet. Source: RFC 3533, section 6.
func ogg(packet string) string {
	return "OggS\x00\x02" + strings.Repeat("\x00", 8) +
		"sernseq.sum." + "\x01" + string([]byte{byte(len(packet))}) + packet
}

func TestTheTypeOfOggFiles(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		// RFC 7845, section 5.1: version 1, a channel, the times, the rate of 48 kHz, the gain, the mapping family.
		"Opus":        {ogg("OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"), "audio/ogg"},
		"Vorbis":      {ogg("\x01vorbis" + strings.Repeat("\x00", 23)), "audio/ogg"},
		"Speex":       {ogg("Speex   1.2"), "audio/ogg"},
		"FLAC":        {ogg("\x7fFLAC\x01\x00"), "audio/ogg"},
		"film":        {ogg("\x80theora"), "application/ogg"},
		"cut":         {ogg("OpusHead")[:30], "application/ogg"},
		"only a name": {"OggS\x00", "application/ogg"},
		"a long head": {"OggS\x00\x02" + strings.Repeat("\x00", 20) + "\xffx", "application/ogg"},
	} {
		alone(t, name, nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			a, err := c.Upload(t.Context(), strings.NewReader(tt.file), int64(len(tt.file)))
			require.NoError(t, err)
			assert.Equal(t, tt.want, a.MimeType)
			a, err = c.UploadEncrypted(t.Context(), strings.NewReader(tt.file), int64(len(tt.file)))
			require.NoError(t, err)
			assert.Equal(t, tt.want, a.MimeType)
		})
	}
}
