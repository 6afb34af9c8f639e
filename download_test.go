package blaze_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// ways are the ways to download a file.
var ways = map[string]func(*testing.T, *blaze.Client, blaze.Attachment) (string, error){
	"Download":     download,
	"DownloadFile": downloadFile,
}

// downloadFile saves a file with DownloadFile. It checks that the directory has no other file, and that an error leaves
// the old file unchanged.
func downloadFile(t *testing.T, c *blaze.Client, a blaze.Attachment) (string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o600))
	err := c.DownloadFile(t.Context(), a, path)
	assert.Equal(t, []string{"file"}, namesIn(t, dir))
	file, readErr := os.ReadFile(path)
	require.NoError(t, readErr)
	if err != nil {
		assert.Equal(t, "before", string(file), "unchanged")
		return "", err
	}
	return string(file), nil
}

func tempDir(dir string) func(*blaze.Config) {
	return func(cfg *blaze.Config) { cfg.TempDir = dir }
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// storedFile uploads an encrypted file and returns the ciphertext in the storage.
func storedFile(t *testing.T, c *blaze.Client, file string) (a blaze.Attachment, ciphertext []byte) {
	t.Helper()
	a, err := c.UploadEncrypted(t.Context(), strings.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	all, err := download(t, c, blaze.Attachment{ID: a.ID})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(all))
	require.Equal(t, a.Digest, sum[:])
	return a, []byte(all)
}

// serveFile makes the storage answer the next GET of a file with this body.
func serveFile(s *blazetest.Server, body []byte) {
	s.Intercept("GET /files", func(blazetest.Frame) blazetest.Answer {
		head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
		return blazetest.Answer{Bytes: append(head, body...)}
	})
}

// If the storage changed a file anywhere, the client returns none of its bytes.
func TestAFileThatTheStorageChanged(t *testing.T) {
	for name, get := range ways {
		dir := t.TempDir()
		alone(t, name, tempDir(dir), func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
			a, ciphertext := storedFile(t, c, "twenty bytes of file")
			require.Len(t, ciphertext, 16+32+32)
			rejected := func(change string, body []byte) {
				for _, size := range []int64{a.Size, 0} {
					b := a
					b.Size = size
					serveFile(s, body)
					got, err := get(t, c, b)
					require.ErrorIs(t, err, blaze.ErrDamaged, change)
					require.ErrorContains(t, err, a.ID)
					require.Empty(t, got)
				}
			}
			for i := range ciphertext {
				flipped := bytes.Clone(ciphertext)
				flipped[i] ^= 0x80
				rejected(fmt.Sprint("byte ", i), flipped)
			}
			for n := range ciphertext {
				rejected(fmt.Sprint("truncated to ", n), ciphertext[:n])
			}
			rejected("longer", append(bytes.Clone(ciphertext), ciphertext[16:32]...))
			rejected("another file", bytes.Repeat([]byte{'x'}, len(ciphertext)))
			got, err := get(t, c, a)
			require.NoError(t, err)
			assert.Equal(t, "twenty bytes of file", got)
		})
		assert.Empty(t, namesIn(t, dir))
	}
}

// Download itself fails if the file was changed, even far behind its beginning.
func TestADownloadIsVerifiedBeforeItsFirstByte(t *testing.T) {
	dir := t.TempDir()
	alone(t, "long", tempDir(dir), func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		file := strings.Repeat("a long file ", 600_000)
		a, ciphertext := storedFile(t, c, file)
		for _, at := range []int{0, 15, 16, len(ciphertext) / 2, len(ciphertext) - 33, len(ciphertext) - 1} {
			flipped := bytes.Clone(ciphertext)
			flipped[at] ^= 1
			serveFile(s, flipped)
			r, err := c.Download(t.Context(), a)
			require.ErrorIs(t, err, blaze.ErrDamaged, at)
			require.Nil(t, r)
		}
		assert.Empty(t, namesIn(t, dir))
	})
}

// Temporary files have no name if the system supports that. They are gone after Close.
func TestTemporaryFiles(t *testing.T) {
	for _, n := range []int{10, 5 << 20} {
		for _, sized := range []bool{true, false} {
			dir := t.TempDir()
			alone(t, fmt.Sprint(n, sized), tempDir(dir), func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
				file := strings.Repeat("x", n)
				a, _ := storedFile(t, c, file)
				if !sized {
					a.Size = 0
				}
				r, err := c.Download(t.Context(), a)
				require.NoError(t, err)
				if runtime.GOOS != "windows" {
					assert.Empty(t, namesIn(t, dir))
				}
				require.NoError(t, r.Close(), "nothing was read")
				assert.Empty(t, namesIn(t, dir))

				ctx, cancel := context.WithCancel(t.Context())
				r, err = c.Download(ctx, a)
				require.NoError(t, err)
				cancel()
				got, err := io.ReadAll(r)
				require.NoError(t, err, "the context limits the download only")
				assert.Equal(t, file, string(got))
				require.NoError(t, r.Close())
				require.NoError(t, r.Close())
				_, err = r.Read(make([]byte, 1))
				require.ErrorIs(t, err, fs.ErrClosed)
				assert.Empty(t, namesIn(t, dir))

				r, err = c.Download(t.Context(), a)
				require.NoError(t, err)
				_, err = io.ReadFull(r, make([]byte, 5))
				require.NoError(t, err)
				require.NoError(t, r.Close())
				_, err = r.Read(make([]byte, 1))
				require.ErrorIs(t, err, fs.ErrClosed, "decrypted bytes are not returned after Close")
			})
		}
	}
}

func TestNoDirectoryForTemporaryFiles(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	alone(t, "missing", tempDir(missing), func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
		small, _ := storedFile(t, c, "small")
		got, err := download(t, c, small)
		require.NoError(t, err, "it is kept in memory")
		assert.Equal(t, "small", got)

		large, _ := storedFile(t, c, strings.Repeat("x", 5<<20))
		for _, fetch := range []func() error{
			func() error { _, err := download(t, c, large); return err },
			func() error { _, err := c.Reupload(t.Context(), large); return err },
		} {
			err := fetch()
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, missing)
			require.ErrorContains(t, err, "Config.TempDir")
			require.ErrorContains(t, err, large.ID)
		}
		got, err = downloadFile(t, c, large)
		require.NoError(t, err, "no other directory is needed")
		assert.Len(t, got, 5<<20)
		err = c.DownloadFile(t.Context(), small, filepath.Join(missing, "file"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, missing)
		require.ErrorIs(t, c.DownloadFile(t.Context(), small, ""), blaze.ErrInvalid)
	})
}

// A file larger than Config.MaxDownload is not requested if its size is known. Otherwise the client stops reading at
// the limit.
func TestMaxDownload(t *testing.T) {
	for name, get := range ways {
		for _, encrypt := range []bool{false, true} {
			var count countingTransport
			edit := func(cfg *blaze.Config) {
				counting(&count)(cfg)
				cfg.MaxDownload = 100
			}
			alone(t, fmt.Sprint(name, encrypt), edit, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
				upload := c.Upload
				if encrypt {
					upload = c.UploadEncrypted
				}
				for n := 98; n <= 200; n++ {
					file := strings.Repeat("x", n)
					a, err := upload(t.Context(), strings.NewReader(file), int64(n))
					require.NoError(t, err)
					before := count.downloads.Load()
					got, err := get(t, c, a)
					if n <= 100 {
						require.NoError(t, err)
						assert.Equal(t, file, got)
					} else {
						require.ErrorIs(t, err, blaze.ErrInvalid)
						require.ErrorContains(t, err, "Config.MaxDownload")
						assert.Equal(t, before, count.downloads.Load(), "nothing is requested")
					}
					a.Size = 0
					got, err = get(t, c, a)
					if n <= 100 {
						require.NoError(t, err)
						assert.Equal(t, file, got)
						continue
					}
					require.ErrorIs(t, err, blaze.ErrInvalid)
					require.ErrorContains(t, err, "100")
					require.ErrorContains(t, err, "Config.MaxDownload")
				}
				a, err := upload(t.Context(), strings.NewReader("x"), 1)
				require.NoError(t, err)
				var wrong *blaze.InvalidError
				for length, body := range map[string]string{
					"Content-Length: 1000000": "", "Connection: close": strings.Repeat("x", 1000),
				} {
					answer := func(blazetest.Frame) blazetest.Answer {
						text := "HTTP/1.1 200 OK\r\n" + length + "\r\n\r\n" + body
						return blazetest.Answer{Bytes: []byte(text), Hang: true}
					}
					s.Intercept("GET /files", answer)
					b := a
					b.Size = 0
					_, err := get(t, c, b)
					require.ErrorAs(t, err, &wrong, "without waiting")
					assert.Equal(t, "Config.MaxDownload", wrong.Field)
					s.Intercept("GET /files", answer)
					_, err = get(t, c, a)
					require.ErrorIs(t, err, blaze.ErrDamaged, "Attachment.Size is 1")
				}
			})
		}
	}
	_, err := blaze.New(keyOf(botID), &blaze.Config{MaxDownload: -1})
	require.ErrorContains(t, err, "Config.MaxDownload")
	c := newClient(t, keyOf(botID), blaze.Config{}, nil)
	for _, a := range []blaze.Attachment{
		{ID: userA, Size: 1<<30 + 1}, {ID: userA, Size: 1 << 60, Key: make([]byte, 64), Digest: make([]byte, 32)},
	} {
		_, err = c.Download(t.Context(), a)
		require.ErrorIs(t, err, blaze.ErrInvalid, "the default is 1 GiB")
	}
	a := blaze.Attachment{ID: userA, Size: 1 << 60, Key: make([]byte, 64), Digest: make([]byte, 32)}
	_, err = c.Reupload(t.Context(), a)
	require.ErrorIs(t, err, blaze.ErrInvalid)
}

// The end of the context ends a slow download. The error wraps the context's error.
func TestADownloadThatIsSlow(t *testing.T) {
	for name, get := range map[string]func(context.Context, *blaze.Client, blaze.Attachment, string) error{
		"Download": func(ctx context.Context, c *blaze.Client, a blaze.Attachment, _ string) error {
			_, err := c.Download(ctx, a)
			return err
		},
		"DownloadFile": func(ctx context.Context, c *blaze.Client, a blaze.Attachment, path string) error {
			return c.DownloadFile(ctx, a, path)
		},
		"Reupload": func(ctx context.Context, c *blaze.Client, a blaze.Attachment, _ string) error {
			_, err := c.Reupload(ctx, a)
			return err
		},
	} {
		dir := t.TempDir()
		alone(t, name, tempDir(dir), func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
			a, ciphertext := storedFile(t, c, strings.Repeat("x", 5<<20))
			s.Intercept("GET /files", func(blazetest.Frame) blazetest.Answer {
				head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(ciphertext))
				return blazetest.Answer{Bytes: append(head, ciphertext[:len(ciphertext)-1]...), Hang: true}
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			require.ErrorIs(t, get(ctx, c, a, filepath.Join(dir, "file")), context.DeadlineExceeded)
			assert.Equal(t, time.Hour, time.Since(began))
			assert.Empty(t, namesIn(t, dir))
		})
	}
}

// A partial response is not the file, whatever its headers claim.
func TestStatusOfADownload(t *testing.T) {
	for name, get := range ways {
		alone(t, name, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
			a, err := c.Upload(t.Context(), strings.NewReader("file"), 4)
			require.NoError(t, err)
			a.Size = 0
			for _, status := range []string{"204 No Content", "206 Partial Content", "203 Whatever", "202 Accepted"} {
				s.Intercept("GET /files", func(blazetest.Frame) blazetest.Answer {
					text := "HTTP/1.1 " + status + "\r\nContent-Range: bytes 0-1/4\r\nConnection: close\r\n\r\nfi"
					return blazetest.Answer{Bytes: []byte(text)}
				})
				got, err := get(t, c, a)
				require.ErrorIs(t, err, blaze.ErrNoAnswer, status)
				require.ErrorContains(t, err, status[:3])
				assert.Empty(t, got)
			}
		})
	}
}

// A response body may end with an error that wraps io.EOF. That is not the end of the file.
func TestABodyThatBreaksOffWithAnEOF(t *testing.T) {
	alone(t, "body", func(cfg *blaze.Config) {
		next := &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
		cfg.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && strings.HasPrefix(r.URL.Path, "/files/") && r.Method == http.MethodGet {
				resp.Body = &breaksOff{resp.Body}
			}
			return resp, err
		})}
	}, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
		a, err := c.Upload(t.Context(), strings.NewReader("file"), 4)
		require.NoError(t, err)
		a.Size = 0
		for name, get := range ways {
			_, err := get(t, c, a)
			require.ErrorContains(t, err, "failed: ", name)
		}
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type breaksOff struct{ io.ReadCloser }

func (b *breaksOff) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("gone: %w", io.EOF)
	}
	return n, err
}

// The status of the response confirms the upload. The body may never arrive.
func TestUploadDoesNotWaitForTheBodyOfAnAnswer(t *testing.T) {
	release := make(chan struct{})
	c := onLoopback(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			address := "http://" + r.Host + "/file"
			_, _ = fmt.Fprintf(w, `{"data":{"attachment_id":%q,"upload_url":%q}}`, userA, address)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}), nil)
	defer close(release)
	type way = func(context.Context, io.Reader, int64) (blaze.Attachment, error)
	for _, upload := range []way{c.Upload, c.UploadEncrypted} {
		a, err := upload(t.Context(), strings.NewReader("file"), 4)
		require.NoError(t, err)
		assert.Equal(t, userA, a.ID)
	}
	c.CloseIdleConnections()
}

// A file that fails verification is not uploaded, not even in part.
func TestReuploadUploadsNothingUnverified(t *testing.T) {
	var count countingTransport
	alone(t, "damaged", counting(&count), func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		a, ciphertext := storedFile(t, c, strings.Repeat("a long file ", 20_000))
		uploads := count.uploads.Load()
		ciphertext[len(ciphertext)-1] ^= 1
		serveFile(s, ciphertext)
		_, err := c.Reupload(t.Context(), a)
		require.ErrorIs(t, err, blaze.ErrDamaged)
		assert.Equal(t, uploads, count.uploads.Load())
		downloads := count.downloads.Load()
		a.Size = 0
		_, err = c.Reupload(t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, downloads+2, count.downloads.Load(), "the address and the file, once each")
	})
}
