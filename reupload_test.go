package blaze_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// countingTransport counts the bytes of uploaded and downloaded files.
type countingTransport struct {
	next                http.RoundTripper
	uploaded, downloads atomic.Int64
	uploads             atomic.Int64
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.Method {
	case http.MethodPut:
		if c.uploads.Add(1); r.Body == http.NoBody {
			break
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, c), r.Body}
	case http.MethodGet:
		c.downloads.Add(1)
	}
	return c.next.RoundTrip(r)
}

func (c *countingTransport) Write(p []byte) (int, error) {
	c.uploaded.Add(int64(len(p)))
	return len(p), nil
}

// counting makes a client count its files' bytes.
func counting(count *countingTransport) func(*blaze.Config) {
	return func(cfg *blaze.Config) {
		count.next = &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
		cfg.HTTPClient = &http.Client{Transport: count}
	}
}

func TestReupload(t *testing.T) {
	for name, file := range map[string]string{
		"empty": "", "one byte": "x", "a block": strings.Repeat("x", 16),
		"long": strings.Repeat("a long file ", 20_000),
	} {
		var count countingTransport
		alone(t, name, counting(&count), func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			withKey, err := c.UploadEncrypted(t.Context(), strings.NewReader(file), int64(len(file)))
			require.NoError(t, err)
			withKey.MimeType = "application/x-of-the-sender"
			for _, edit := range []func(*blaze.Attachment){
				func(*blaze.Attachment) {}, func(a *blaze.Attachment) { a.Size = 0 },
				func(a *blaze.Attachment) { a.Size = -1 },
			} {
				a := withKey
				edit(&a)
				plain, err := c.Reupload(t.Context(), a)
				require.NoError(t, err)
				assert.NotEqual(t, withKey.ID, plain.ID)
				assert.Equal(t,
					blaze.Attachment{ID: plain.ID, MimeType: withKey.MimeType, Size: int64(len(file))}, plain)
				got, err := download(t, c, plain)
				require.NoError(t, err)
				assert.Equal(t, file, got)
			}
			a := withKey
			a.MimeType = ""
			plain, err := c.Reupload(t.Context(), a)
			require.NoError(t, err)
			assert.Equal(t, http.DetectContentType([]byte(file)), plain.MimeType)

			before := count.uploads.Load() + count.downloads.Load()
			same, err := c.Reupload(t.Context(), plain)
			require.NoError(t, err)
			assert.Equal(t, plain, same, "already plain")
			assert.Equal(t, before, count.uploads.Load()+count.downloads.Load())
		})
	}
}

// A file that fails verification is not stored: the storage never receives its last byte.
func TestReuploadOfADamagedFile(t *testing.T) {
	file := strings.Repeat("a long file ", 20_000)
	for name, edit := range map[string]func(*blaze.Attachment){
		"digest":                func(a *blaze.Attachment) { a.Digest = make([]byte, 32) },
		"MAC":                   func(a *blaze.Attachment) { a.Key = append(bytes.Clone(a.Key[:63]), a.Key[63]^1) },
		"longer than Size":      func(a *blaze.Attachment) { a.Size-- },
		"shorter than Size":     func(a *blaze.Attachment) { a.Size++ },
		"digest, and no size":   func(a *blaze.Attachment) { a.Digest, a.Size = make([]byte, 32), 0 },
		"much longer than Size": func(a *blaze.Attachment) { a.Size = 1 },
	} {
		var count countingTransport
		alone(t, name, counting(&count), func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			a, err := c.UploadEncrypted(t.Context(), strings.NewReader(file), int64(len(file)))
			require.NoError(t, err)
			edit(&a)
			count.uploaded.Store(0)
			got, err := c.Reupload(t.Context(), a)
			require.ErrorIs(t, err, blaze.ErrDamaged)
			assert.Zero(t, got)
			assert.Less(t, count.uploaded.Load(), max(a.Size, 1))
		})
	}
}

func TestReuploadRejected(t *testing.T) {
	alone(t, "rejected", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		a, err := c.UploadEncrypted(t.Context(), strings.NewReader("hello"), 5)
		require.NoError(t, err)
		for _, edit := range []func(*blaze.Attachment){
			func(a *blaze.Attachment) { a.Key = nil },
			func(a *blaze.Attachment) { a.Digest = nil }, func(a *blaze.Attachment) { a.ID = "x" },
			func(a *blaze.Attachment) { a.Key = a.Key[:63] },
		} {
			b := a
			edit(&b)
			_, err := c.Reupload(t.Context(), b)
			require.ErrorIs(t, err, blaze.ErrInvalid)
		}
		for _, size := range []int64{5, 0} {
			b := a
			b.Size = size
			s.Intercept("GET /files",
				func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeNotFound) })
			_, err = c.Reupload(t.Context(), b)
			require.ErrorIs(t, err, blaze.CodeNotFound)
		}
		s.Intercept("PUT /files",
			func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeForbidden) })
		_, err = c.Reupload(t.Context(), a)
		require.ErrorIs(t, err, blaze.CodeForbidden)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Reupload(ctx, a)
		require.ErrorIs(t, err, context.Canceled)
	})
}
