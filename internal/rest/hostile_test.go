package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/address"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// stored returns a client of a storage without a network. It reads the whole file, then responds with status and body.
func stored(status int, body io.Reader, asked func(*http.Request)) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if asked != nil {
			asked(r)
		}
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
		}
		length, err := strconv.ParseInt(r.URL.Query().Get("length"), 10, 64)
		if err != nil {
			length = -1
		}
		return &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: length, Request: r,
		}, nil
	})}
}

func files(hc *http.Client, edit func(*rest.Config)) *rest.Client {
	cfg := rest.Config{
		Bases: []string{"https://api.example.com"}, Files: hc,
		HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			panic("for the API only")
		})},
	}
	if edit != nil {
		edit(&cfg)
	}
	return rest.New(cfg)
}

// Only 200 has the whole file: 206 has a part of it, and 204 nothing.
func TestStatusOfFiles(t *testing.T) {
	for status := 200; status <= 299; status++ {
		c := files(stored(status, strings.NewReader("file"), nil), nil)
		body, err := c.Get(t.Context(), "https://example.com/", 100)
		assert.Equal(t, status == 200, err == nil, status)
		var silent *rest.NoAnswerError
		if err != nil {
			require.ErrorAs(t, err, &silent)
			assert.Nil(t, body)
		}
		err = c.Put(t.Context(), "https://example.com/", strings.NewReader("file"), 4)
		assert.Equal(t, status == 200 || status == 201 || status == 204, err == nil, status)
		if err != nil {
			require.ErrorAs(t, err, &silent)
		}
	}
}

// stalls is a body that blocks until Close.
type stalls struct{ closed chan struct{} }

func (s stalls) Read([]byte) (int, error) {
	<-s.closed
	return 0, io.ErrClosedPipe
}

// The status confirms that a file is stored. The body may never arrive.
func TestPutDoesNotWaitForABody(t *testing.T) {
	for _, status := range []int{200, 403} {
		synctest.Test(t, func(t *testing.T) {
			body := stalls{make(chan struct{})}
			defer close(body.closed)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			late := time.AfterFunc(time.Minute, func() { assert.Fail(t, "it waits") })
			err := files(stored(status, body, nil), nil).Put(ctx, "https://example.com/", strings.NewReader("file"), 4)
			assert.True(t, late.Stop())
			assert.Equal(t, status == 200, err == nil)
		})
	}
}

// endless is a file without an end that counts the bytes read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestGetOfAtMost(t *testing.T) {
	for n, want := range map[int64]error{0: nil, 99: nil, 100: nil, 101: rest.ErrTooLarge, 200: rest.ErrTooLarge} {
		body := strings.NewReader(strings.Repeat("x", int(n)))
		c := files(stored(200, body, nil), nil)
		r, err := c.Get(t.Context(), "https://example.com/", 100)
		require.NoError(t, err)
		file, err := io.ReadAll(r)
		require.ErrorIs(t, err, want)
		assert.LessOrEqual(t, len(file), 100)

		at := "https://example.com/?length=" + strconv.FormatInt(n, 10)
		_, err = files(stored(200, body, nil), nil).Get(t.Context(), at, 100)
		require.ErrorIs(t, err, want, "by Content-Length")
	}
	var e endless
	r, err := files(stored(200, &e, nil), nil).Get(t.Context(), "https://example.com/", 100_000)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, rest.ErrTooLarge)
	assert.LessOrEqual(t, e.read, 100_001)
	_, err = r.Read(make([]byte, 10))
	require.ErrorIs(t, err, rest.ErrTooLarge, "the error stays")
}

// No request goes to a private address, with any HTTP client.
func TestAddressesThatAreNotPublic(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "localhost", "localhost.", "[::1]", "[::ffff:10.0.0.1]", "10.0.0.1", "169.254.169.254", "0x7f.1",
		"127.1", "2130706433", "[fe80::1%25eth0]", "[64:ff9b::7f00:1]", "0.0.0.0", "a.localhost:443", "１２７.0.0.1",
	} {
		var asked []string
		count := func(r *http.Request) { asked = append(asked, r.URL.Host) }
		for _, c := range []struct {
			edit func(*rest.Config)
			want int
		}{
			{nil, 0},
			{func(cfg *rest.Config) { cfg.Bases = []string{"https://127.0.0.1", "https://api.example.com"} }, 0},
			{func(cfg *rest.Config) { cfg.Private = true }, 2},
			{func(cfg *rest.Config) { cfg.Bases = []string{"https://127.0.0.1:8443"} }, 2},
		} {
			asked = nil
			files := files(stored(200, strings.NewReader(""), count), c.edit)
			at := "https://" + host + "/file?sig=secret"
			_, err := files.Get(t.Context(), at, 100)
			put := files.Put(t.Context(), at, strings.NewReader("x"), 1)
			assert.Len(t, asked, c.want, host)
			if c.want > 0 {
				continue
			}
			for _, err := range []error{err, put} {
				var private *address.Error
				require.ErrorAs(t, err, &private, host)
				assert.NotContains(t, err.Error(), "secret")
			}
		}
	}
}

// net/http would send userinfo in the address of a file as a header.
func TestUserinfoIsNotSent(t *testing.T) {
	for _, user := range []*url.Userinfo{url.User("alice"), url.UserPassword("alice", "password")} {
		asked := 0
		c := files(stored(200, strings.NewReader(""), func(r *http.Request) {
			asked++
			assert.Empty(t, r.Header.Get("Authorization"))
			assert.Nil(t, r.URL.User)
			assert.Equal(t, "https://example.com/a%2Fb?sig=a%2Bb", r.URL.String())
		}), nil)
		at := "https://" + user.String() + "@example.com/a%2Fb?sig=a%2Bb"
		_, err := c.Get(t.Context(), at, 100)
		require.NoError(t, err)
		require.NoError(t, c.Put(t.Context(), at, strings.NewReader("x"), 1))
		assert.Equal(t, 2, asked)
	}
}
