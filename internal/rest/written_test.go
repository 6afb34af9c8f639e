package rest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// transport is a RoundTripper made of a function.
type transport func(r *http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over returns a client of a transport, for requests that need no server.
func over(rt http.RoundTripper) *rest.Client {
	return rest.New(rest.Config{
		Bases: []string{"http://127.0.0.1:1"},
		HTTP:  &http.Client{Transport: rt}, Timeout: 20 * time.Second, Attempts: 1,
		Token:     func(string, string, []byte) (string, string, error) { return "token", "id", nil },
		Temporary: func(*wire.Error) bool { return false },
		Rest:      func(int) time.Duration { return 0 },
	})
}

// A request counts as written unless it certainly was not. A transport that reports no events may have written it,
// whatever its error says.
func TestWritten(t *testing.T) {
	rejected := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	lost := errors.New("the answer was lost")
	dials := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, rejected
	}}
	hangsUp := &http.Transport{DisableKeepAlives: true}
	hangsUp.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Read(make([]byte, 1))
			_ = theirs.Close()
		}()
		return ours, nil
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx     context.Context
		rt      http.RoundTripper
		written bool
	}{
		"net/http cannot dial": {t.Context(), dials, false},
		"net/http is cut off":  {t.Context(), hangsUp, true},
		"a wrapper of net/http": {
			t.Context(), transport(func(r *http.Request) (*http.Response, error) {
				return dials.RoundTrip(r.Clone(r.Context()))
			}), false,
		},
		"a wrapper that lost an answer before": {
			t.Context(), transport(func(r *http.Request) (*http.Response, error) {
				_, _ = hangsUp.RoundTrip(r)
				return dials.RoundTrip(r)
			}), true,
		},
		"another transport": {
			t.Context(), transport(func(*http.Request) (*http.Response, error) { return nil, lost }), true,
		},
		"another transport that dials once more": {
			t.Context(), transport(func(*http.Request) (*http.Response, error) { return nil, rejected }), true,
		},
		"nothing was called": {
			ended, transport(func(*http.Request) (*http.Response, error) { return nil, lost }), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := over(c.rt).Do(c.ctx, "GET", "/x", nil, nil)
			var silent *rest.NoAnswerError
			require.ErrorAs(t, err, &silent)
			assert.Equal(t, c.written, silent.Written)
		})
	}
}

// slow responds to each request after a delay, unless its context ends before.
func slow(after time.Duration, attempts *[]time.Duration) transport {
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		began := time.Now()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			*attempts = append(*attempts, time.Since(began))
		}()
		select {
		case <-time.After(after):
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// A patient request waits longer after each attempt that timed out, so that it succeeds with a slow service.
func TestTheTimeOfATryDoubles(t *testing.T) {
	const s = time.Second
	for after, want := range map[time.Duration][]time.Duration{
		19 * s:  {19 * s},
		25 * s:  {20 * s, 25 * s},
		299 * s: {20 * s, 40 * s, 80 * s, 160 * s, 299 * s},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			var attempts []time.Duration
			_, err := over(slow(after, &attempts)).Make(ctx, rest.Request{Method: "GET", Path: "/x", Patient: true})
			require.NoError(t, err)
			assert.Equal(t, want, attempts)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute+s)
		defer cancel()
		var attempts []time.Duration
		_, err := over(slow(time.Hour, &attempts)).Make(ctx, rest.Request{Method: "GET", Path: "/x", Patient: true})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []time.Duration{20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s, 300 * s, s}, attempts)
	})
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Duration
		c := over(slow(time.Hour, &attempts))
		for range 2 {
			require.Error(t, c.Do(t.Context(), "GET", "/x", nil, nil))
		}
		assert.Equal(t, []time.Duration{20 * s, 20 * s}, attempts, "a request that is not patient")
	})
}

// A request that a gateway rejects three times in a row is returned.
func TestDenials(t *testing.T) {
	no, busy, done := answers(403, "<h1>denied</h1>"), answers(502, "<html>"), answers(200, `{}`)
	slowDown, late := answers(429, "<html>"), answers(408, "<html>")
	signIn := answers(202, `{"error":{"status":202,"code":401}}`)
	for name, c := range map[string]struct {
		steps    []http.HandlerFunc
		attempts int // until it is denied; 0: it is not
	}{
		"three":              {[]http.HandlerFunc{no, no, no, done}, 3},
		"of any kind":        {[]http.HandlerFunc{answers(400, ""), answers(413, "x"), answers(499, "{}"), done}, 3},
		"two":                {[]http.HandlerFunc{no, no, done}, 0},
		"not in a row":       {[]http.HandlerFunc{no, no, busy, no, no, signIn, no, no, done}, 0},
		"in a row, later":    {[]http.HandlerFunc{no, busy, no, no, no, done}, 5},
		"an outage":          {[]http.HandlerFunc{busy, busy, busy, busy, done}, 0},
		"at the wrong time":  {[]http.HandlerFunc{slowDown, late, slowDown, late, done}, 0},
		"the first 401 then": {[]http.HandlerFunc{no, no, signIn, no, done}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.steps...)
			request := rest.Request{Method: "GET", Path: "/x", Patient: true, Denials: 3}
			unconfirmed, err := s.client(nil).Make(t.Context(), request)
			if c.attempts == 0 {
				require.NoError(t, err)
				assert.Len(t, s.all(), len(c.steps))
				return
			}
			require.ErrorIs(t, err, rest.ErrDenied)
			assert.True(t, unconfirmed)
			var silent *rest.NoAnswerError
			require.ErrorAs(t, err, &silent)
			assert.True(t, silent.Written)
			assert.Len(t, s.all(), c.attempts)
		})
	}
}
