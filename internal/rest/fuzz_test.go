package rest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// direct responds without a network.
type direct func(*http.Request) (*http.Response, error)

func (f direct) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A response is a success only if the HTTP status is one and the data fits. It is a rejection if its error is an object
// with a code or a status. Any other response is no response. No error contains text of a body.
func FuzzAnswer(f *testing.F) {
	for _, a := range []struct {
		status int
		body   string
	}{
		{200, `{"data":{"name":"x"}}`},
		{202, `{"error":{"status":202,"code":403,"description":"no"}}`},
		{200, `{}`},
		{200, `{"data":null}`},
		{200, `{"data":[]}`},
		{200, `"log in to the WiFi"`},
		{502, `<html>bad gateway</html>`},
		{401, `{"error":{"code":401}}`},
		{429, `{"error":{"code":429}}`},
		{500, `{"error":"oops"}`},
		{204, ``},
		{200, `{"data":{"name":"x"},"error":{}}`},
		{301, `{"data":{"name":"x"}}`},
		{200, `{"error":[1],"data":{}}`},
		{200, `{"data":{"name":5}}`},
		{200, `{"Data":{"name":"x"},"data":{}}`},
	} {
		f.Add(a.status, []byte(a.body), "7", "1772366400000000007")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter, serverTime string) {
		if status < 200 || status > 599 {
			return // net/http never returns such a response
		}
		asked := 0
		client := rest.New(rest.Config{
			Bases: []string{"https://api.example.org"}, Timeout: time.Minute, Attempts: 1,
			HTTP: &http.Client{Transport: direct(func(r *http.Request) (*http.Response, error) {
				asked++
				return &http.Response{
					StatusCode: status, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
					ProtoMajor: 1, ProtoMinor: 1,
					Header: http.Header{
						"Retry-After": {retryAfter}, "X-Server-Time": {serverTime},
						"Location":     {"https://elsewhere.example.org/"},
						"X-Request-Id": {r.Header.Get("X-Request-Id")},
					},
				}, nil
			})},
			Token:     func(string, string, []byte) (string, string, error) { return "t0ken", "id", nil },
			Temporary: func(*wire.Error) bool { return true },
			Rest:      func(int) time.Duration { return 0 },
		})
		var got thing
		err := client.Once(t.Context(), "GET", "/things", &got)
		require.LessOrEqual(t, asked, 2, "a 401 may be retried with another token")
		var want struct {
			Data, Error json.RawMessage
		}
		var data *thing
		fits := json.Unmarshal(body, &want) == nil
		whole := fits && json.Unmarshal(want.Data, &data) == nil
		if err == nil {
			require.True(t, whole)
			require.LessOrEqual(t, status, 299)
			require.Contains(t, []string{"", "null"}, string(want.Error))
			require.True(t, data == nil || *data == got)
			return
		}
		require.False(t, status <= 299 && len(want.Error) == 0 && whole && data != nil, "%v, and it fits", err)
		var rejection *rest.Error
		var silent *rest.NoAnswerError
		switch {
		case errors.As(err, &rejection):
			require.True(t, len(want.Error) > 0 && want.Error[0] == '{' || !fits)
		case errors.As(err, &silent):
			require.True(t, silent.Written)
			if text := string(body); len(text) >= 40 {
				require.NotContains(t, err.Error(), text)
			}
		default:
			t.Fatalf("another error: %v", err)
		}
		require.NotContains(t, err.Error(), "t0ken")
	})
}
