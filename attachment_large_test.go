package blaze_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// zeros is a file of as many zeros as are asked for.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// storage is a service with one file, of which it keeps the length, or, of an encrypted one, all.
type storage struct {
	stored atomic.Int64
	keep   bool
	file   []byte
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPut && s.keep:
		s.file, _ = io.ReadAll(r.Body)
	case r.Method == http.MethodPut:
		n, _ := io.Copy(io.Discard, r.Body)
		s.stored.Store(n)
	case r.URL.Path == "/file" && s.keep:
		_, _ = w.Write(s.file)
	case r.URL.Path == "/file":
		w.Header().Set("Content-Length", strconv.FormatInt(s.stored.Load(), 10))
		_, _ = io.CopyN(w, zeros{}, s.stored.Load())
	default:
		address := "http://" + r.Host + "/file"
		_, _ = fmt.Fprintf(w, `{"data":{"attachment_id":%q,"upload_url":%q,"view_url":%q}}`, userA, address, address)
	}
}

// A file of any size takes the same memory: here one of 5 GB, on a connection of the operating system.
func TestFiveGigabytes(t *testing.T) {
	size := int64(5e9)
	if raced {
		size = 2e8
	}
	s := new(storage)
	c := onLoopback(t, s)
	before := gauge.Heap()
	watch := gauge.WatchHeap(5 * time.Millisecond)
	a, err := c.Upload(t.Context(), io.LimitReader(zeros{}, size), size)
	require.NoError(t, err)
	assert.Equal(t, size, s.stored.Load())
	assert.Equal(t, size, readAll(t, c, a))
	peak := watch.Stop()
	t.Logf("%d MiB of heap at most", (peak-min(peak, before))>>20)
	assert.Less(t, peak, before+32<<20)
}

// An encrypted one takes no more. (The file itself is kept by the server in the same process, so it is small.)
func TestAnEncryptedFileStreams(t *testing.T) {
	size := int64(200 << 20)
	if raced {
		size /= 10
	}
	s := new(storage)
	c := onLoopback(t, s)
	before := gauge.Heap()
	watch := gauge.WatchHeap(5 * time.Millisecond)
	_, err := c.UploadEncrypted(t.Context(), io.LimitReader(zeros{}, size), size)
	require.NoError(t, err)
	assert.Less(t, watch.Stop(), before+32<<20)

	s.keep = true
	a, err := c.UploadEncrypted(t.Context(), io.LimitReader(zeros{}, size/10), size/10)
	require.NoError(t, err)
	before = gauge.Heap()
	watch = gauge.WatchHeap(5 * time.Millisecond)
	assert.Equal(t, size/10, readAll(t, c, a))
	assert.Less(t, watch.Stop(), before+32<<20)
}

func onLoopback(t *testing.T, h http.Handler) *blaze.Client {
	t.Helper()
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	return newClient(t, keyOf(botID), blaze.Config{API: ts.URL}, nil)
}

func readAll(t *testing.T, c *blaze.Client, a blaze.Attachment) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := c.Download(ctx, a)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return n
}
