package blaze_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// zeros reads as an endless file of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// storage is a service with one file. It keeps only the length of a plain file, and the whole of an encrypted one.
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

// The memory in use does not depend on the size of the file: 5 GB here, over a connection of the operating system.
func TestFiveGigabytes(t *testing.T) {
	size := int64(5e9)
	if raced {
		size = 6e7
	}
	s := new(storage)
	c := onLoopback(t, s, large)
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

// fileEncrypter encrypts files of zeros as the service's apps do: IV, AES-256-CBC with PKCS #7, HMAC-SHA256 over both.
type fileEncrypter struct{ key [64]byte }

// write writes an encrypted file of size bytes, a multiple of 16, to w.
func (s *fileEncrypter) write(w io.Writer, size int64) error {
	block, err := aes.NewCipher(s.key[:32])
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, s.key[32:])
	both := io.MultiWriter(w, mac)
	if _, err := both.Write(make([]byte, 16)); err != nil {
		return err
	}
	cbc := cipher.NewCBCEncrypter(block, make([]byte, 16))
	buf := make([]byte, 64<<10)
	for left := size; left > 0 && err == nil; left -= int64(len(buf)) {
		buf = buf[:min(left, int64(len(buf)))]
		clear(buf)
		cbc.CryptBlocks(buf, buf)
		_, err = both.Write(buf)
	}
	if err != nil {
		return err
	}
	last := bytes.Repeat([]byte{16}, 16)
	cbc.CryptBlocks(last, last)
	if _, err := both.Write(last); err != nil {
		return err
	}
	_, err = w.Write(mac.Sum(nil))
	return err
}

// An encrypted file of 5 GiB is verified on disk before its first byte is returned. That needs no more memory either.
func TestFiveGigabytesEncrypted(t *testing.T) {
	size := int64(5 << 30)
	if raced || strconv.IntSize == 32 {
		size = 6e7
	}
	var seal fileEncrypter
	digest := sha256.New()
	require.NoError(t, seal.write(digest, size))
	dir := t.TempDir()
	c := onLoopback(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file" {
			w.Header().Set("Content-Length", strconv.FormatInt(16+size+16+32, 10))
			_ = seal.write(w, size) // an error means that the client has gone
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":{"attachment_id":%q,"view_url":%q}}`, userA, "http://"+r.Host+"/file")
	}), func(cfg *blaze.Config) { large(cfg); cfg.TempDir = dir })
	a := blaze.Attachment{ID: userA, Size: size, Key: seal.key[:], Digest: digest.Sum(nil)}

	before := gauge.Heap()
	watch := gauge.WatchHeap(5 * time.Millisecond)
	r, err := c.Download(t.Context(), a)
	if errors.Is(err, syscall.ENOSPC) {
		t.Skip("the disk is full: ", err)
	}
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, size, n)
	peak := watch.Stop()
	t.Logf("%d MiB of heap at most", (peak-min(peak, before))>>20)
	assert.Less(t, peak, before+16<<20)
	assert.Empty(t, namesIn(t, dir))
}

// An encrypted upload streams too. The file is small because the server keeps it in the same process.
func TestAnEncryptedFileStreams(t *testing.T) {
	size := int64(200 << 20)
	if raced {
		size /= 10
	}
	s := new(storage)
	c := onLoopback(t, s, nil)
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

// large lets a client download the files of these tests.
func large(cfg *blaze.Config) { cfg.MaxDownload = 6 << 30 }

func onLoopback(t *testing.T, h http.Handler, edit func(*blaze.Config)) *blaze.Client {
	t.Helper()
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	return newClient(t, keyOf(botID), blaze.Config{API: ts.URL}, edit)
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
