package rest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
)

func TestPut(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, 100_000} {
		file := strings.Repeat("x", n)
		for name, src := range map[string]io.Reader{
			"at once": strings.NewReader(file), "byte by byte": iotest.OneByteReader(strings.NewReader(file)),
			"end with the last": iotest.DataErrReader(strings.NewReader(file)),
		} {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				assert.EqualValues(t, n, r.ContentLength, name)
				assert.Equal(t, "application/octet-stream", r.Header.Get("Content-Type"))
				assert.Equal(t, "public-read", r.Header.Get("X-Amz-Acl"))
				assert.Empty(t, r.Header.Get("Authorization"))
				w.WriteHeader(http.StatusNoContent)
			})
			require.NoError(t, s.client(nil).Put(t.Context(), s.URL+"/file?sig=1", src, int64(n)), name)
			assert.Equal(t, []string{"PUT /file?sig=1 " + file}, s.all())
		}
	}
}

// A source with another size is an error, and the storage never receives a complete body.
func TestPutOfAnotherSize(t *testing.T) {
	for name, c := range map[string]struct {
		has  int
		size int64
		want error
	}{
		"nothing": {0, 1, rest.ErrShort}, "one less": {99, 100, rest.ErrShort}, "one more": {101, 100, rest.ErrLong},
		"more than nothing": {1, 0, rest.ErrLong}, "much less": {1000, 1_000_000, rest.ErrShort},
		"much more": {1_000_000, 1000, rest.ErrLong},
	} {
		for way, as := range map[string]func(io.Reader) io.Reader{
			"at once":      func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader, "end with the last": iotest.DataErrReader,
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				stored := make(chan bool, 1)
				ts := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					stored <- err == nil
				}))
				defer ts.Close()
				s := &server{Server: ts}
				err := s.client(nil).Put(t.Context(), ts.URL, as(bytes.NewReader(make([]byte, c.has))), c.size)
				require.ErrorIs(t, err, c.want)
				ts.Close()
				select {
				case whole := <-stored:
					assert.False(t, whole)
				default:
				}
			})
		}
	}
}

// A response before the whole file was sent does not confirm the upload.
func TestPutThatIsAnsweredEarly(t *testing.T) {
	s := &server{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}))}
	t.Cleanup(s.CloseClientConnections)
	err := s.client(nil).Put(t.Context(), s.URL, bytes.NewReader(make([]byte, 50<<20)), 100<<20)
	require.Error(t, err)
}

// The storage closes the connection after a part of the file.
func TestPutCutInTheMiddle(t *testing.T) {
	s := &server{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 10<<20)
		cuts(w, r)
	}))}
	defer s.Close()
	err := s.client(nil).Put(t.Context(), s.URL, bytes.NewReader(make([]byte, 50<<20)), 50<<20)
	var silent *rest.NoAnswerError
	require.ErrorAs(t, err, &silent)
}

// answer is a body that records whether it was closed.
type answer struct {
	io.Reader
	closed bool
}

func (a *answer) Close() error {
	a.closed = true
	return nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A body that is not returned to the caller is closed; otherwise its connection would stay open.
func TestBodiesAreClosed(t *testing.T) {
	for _, status := range []int{200, 404, 500} {
		body := &answer{Reader: strings.NewReader(`{"data":{}}`)}
		s := &server{Server: httptest.NewServer(nil)}
		c := s.client(func(cfg *rest.Config) {
			cfg.Attempts = 1
			cfg.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Body != nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: body, Request: r}, nil
			})}
		})
		_ = c.Do(t.Context(), "GET", "/x", nil, nil)
		assert.True(t, body.closed)
		body.closed = false
		_ = c.Put(t.Context(), s.URL, strings.NewReader("x"), 1)
		assert.True(t, body.closed)
		body.closed = false
		_, err := c.Get(t.Context(), s.URL, 100)
		assert.Equal(t, err != nil, body.closed)
		s.Close()
	}
}

func TestPutThatFails(t *testing.T) {
	s := serve(t, answers(403, "<Error>expired</Error>"))
	err := s.client(nil).Put(t.Context(), s.URL+"/secret", strings.NewReader("x"), 1)
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected)
	assert.Equal(t, 403, rejected.Rejection.Code)
	assert.Len(t, s.all(), 1, "the source is read once")

	s = serve(t, cuts)
	err = s.client(nil).Put(t.Context(), s.URL+"/secret", strings.NewReader("x"), 1)
	var silent *rest.NoAnswerError
	require.ErrorAs(t, err, &silent)
	assert.NotContains(t, err.Error(), "secret")

	err = s.client(nil).Put(t.Context(), s.URL, iotest.ErrReader(assert.AnError), 1)
	require.ErrorIs(t, err, assert.AnError)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.client(nil).Put(ctx, s.URL, strings.NewReader("x"), 1), context.Canceled)
}

func TestGet(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"))
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		_, _ = io.WriteString(w, "file")
	})
	body, err := s.client(nil).Get(t.Context(), s.URL+"/file", 100)
	require.NoError(t, err)
	file, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, "file", string(file))

	for _, status := range []int{404, 403, 302} {
		s := serve(t, answers(status, "no"))
		_, err := s.client(nil).Get(t.Context(), s.URL, 100)
		var rejected *rest.Error
		require.ErrorAs(t, err, &rejected)
		assert.Equal(t, status, rejected.Rejection.Code)
	}
}

// Files are transferred over TLS, unless the API itself is on this machine and has none.
func TestAddresses(t *testing.T) {
	ts := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer ts.Close()
	plain := serve(t, answers(200, ""))
	overTLS := (&server{Server: ts}).client(nil)
	withoutTLS := plain.client(func(cfg *rest.Config) {
		cfg.HTTP = &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ts.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
		}}
	})
	for address, want := range map[string][2]bool{
		ts.URL: {true, true}, plain.URL: {false, true}, "http://example.com/": {},
		"ftp://localhost/": {}, "": {}, "file:///etc/passwd": {}, "://": {},
	} {
		for i, c := range []*rest.Client{overTLS, withoutTLS} {
			_, err := c.Get(t.Context(), address, 100)
			assert.Equal(t, want[i], err == nil, "%s, %d: %v", address, i, err)
			err = c.Put(t.Context(), address, strings.NewReader("x"), 1)
			assert.Equal(t, want[i], err == nil, "%s, %d: %v", address, i, err)
		}
	}
}
