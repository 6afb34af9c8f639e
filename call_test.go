package blaze_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// thing is the data of a response.
type thing struct{ Name string }

// oneResponse returns a client of an HTTP API with one response, which records the requests.
func oneResponse(t *testing.T, status int, body string, edit func(*blaze.Config)) (c *blaze.Client, seen *diary) {
	t.Helper()
	seen = new(diary)
	cfg := blaze.Config{HTTPClient: &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
		sent, _ := io.ReadAll(r.Body)
		seen.add("%s %s %s", r.Method, r.URL, sent)
		if status == 0 {
			return nil, errors.New("connection reset")
		}
		return &http.Response{
			StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{},
		}, nil
	})}}
	return newClient(t, keyOf(botID), cfg, edit), seen
}

func TestCall(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		in           any
		sent         string
	}{
		{"GET", "/things?limit=2&order=a%20b", nil, ""},
		{"POST", "/things", map[string]any{"html": "<a&b>"}, `{"html":"<a&b>"}`},
		{"PUT", "/things/1", json.RawMessage(`{"a":1}`), `{"a":1}`},
		{"PATCH", "/", []string{"x"}, `["x"]`},
		{"DELETE", "/things//1", nil, ""},
	} {
		var token string
		c := newClient(t, keyOf(botID), blaze.Config{HTTPClient: &http.Client{Transport: roundTrips(
			func(r *http.Request) (*http.Response, error) {
				sent, _ := io.ReadAll(r.Body)
				assert.Equal(t, tt.method+" https://api.mixin.one"+tt.path, r.Method+" "+r.URL.String())
				assert.Equal(t, tt.sent, string(sent))
				token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				return &http.Response{
					StatusCode: 200, Request: r, Body: io.NopCloser(strings.NewReader(`{"data":{"name":"x"}}`)),
				}, nil
			})}}, nil)
		var out thing
		require.NoError(t, c.Call(t.Context(), tt.method, tt.path, tt.in, &out))
		assert.Equal(t, "x", out.Name)
		require.NoError(t, c.Call(t.Context(), tt.method, tt.path, tt.in, nil))

		claims := jwt.MapClaims{}
		_, _, err := jwt.NewParser().ParseUnverified(token, claims)
		require.NoError(t, err)
		sum := sha256.Sum256([]byte(tt.method + tt.path + tt.sent))
		assert.Equal(t, hex.EncodeToString(sum[:]), claims["sig"], "with the query")
	}
}

// Nothing is sent, in particular not to another host.
func TestInvalidCalls(t *testing.T) {
	c, seen := oneResponse(t, 200, `{"data":{}}`, nil)
	var out thing
	var typed *thing
	for field, calls := range map[string][]func() error{
		"method": {
			func() error { return c.Call(t.Context(), "", "/x", nil, nil) },
			func() error { return c.Call(t.Context(), "get", "/x", nil, nil) },
			func() error { return c.Call(t.Context(), "CONNECT", "/x", nil, nil) },
			func() error { return c.Call(t.Context(), "GET /y HTTP/1.1\r\nHost: evil.test\r\n", "/x", nil, nil) },
		},
		"in": {func() error { return c.Call(t.Context(), "POST", "/x", make(chan int), nil) }},
		"out": {
			func() error { return c.Call(t.Context(), "GET", "/x", nil, out) },
			func() error { return c.Call(t.Context(), "GET", "/x", nil, typed) },
		},
	} {
		for _, call := range calls {
			var invalid *blaze.InvalidError
			require.ErrorAs(t, call(), &invalid)
			assert.Equal(t, field, invalid.Field)
		}
	}
	for _, path := range []string{
		"", "x", "https://evil.test/x", "//evil.test", "//evil.test/x", "///x", "@evil.test/x", ".evil.test/x",
		`/\evil.test`, "/a b", "/x?a=b c", "/x\n", "/x\r\nHost: evil.test", "/x#fragment", "/x?a#b", "/中", "/x?中",
		"/%zz",
		"/x\x00", "/\x7f", "/" + strings.Repeat("x", 8<<10),
	} {
		var invalid *blaze.InvalidError
		require.ErrorAs(t, c.Call(t.Context(), "GET", path, nil, nil), &invalid, "%.40q", path)
		assert.Equal(t, "path", invalid.Field)
	}
	assert.Empty(t, seen.all())
	require.NoError(t, c.Call(t.Context(), "GET", "/"+strings.Repeat("x", 8<<10-1), nil, nil))
}

// Only GET and DELETE are repeated. The others say that they may have been carried out.
func TestCallsThatAreNotConfirmed(t *testing.T) {
	for name, response := range map[string]struct {
		status int
		body   string
	}{"no response": {}, "a gateway's response": {502, "<html>"}, "another server's": {200, `{"data":"welcome"`}} {
		for method, attempts := range map[string]int{"GET": 3, "DELETE": 3, "POST": 1, "PUT": 1, "PATCH": 1} {
			bubble(t, name+" "+method, func(t *testing.T) {
				c, seen := oneResponse(t, response.status, response.body,
					func(cfg *blaze.Config) { cfg.SendAttempts = 3 })
				err := c.Call(t.Context(), method, "/things?secret=hunter2", nil, nil)
				require.ErrorIs(t, err, blaze.ErrNoAnswer)
				assert.Len(t, seen.all(), attempts)
				var unconfirmed *blaze.UnconfirmedError
				assert.Equal(t, attempts == 1, errors.As(err, &unconfirmed))
				if attempts == 1 {
					assert.Empty(t, unconfirmed.MessageID)
					assert.ErrorContains(t, err, "may have been carried out")
				}
				assert.ErrorContains(t, err, method+" /things:")
				assert.NotContains(t, err.Error(), "hunter2")
			})
		}
	}
}

// A request that was not written was certainly not carried out.
func TestACallThatWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Server.Close()
		err := r.Call(t.Context(), "POST", "/things", nil, nil)
		require.ErrorIs(t, err, blaze.ErrNoAnswer)
		assert.NotErrorAs(t, err, new(*blaze.UnconfirmedError))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = r.Call(ctx, "POST", "/things", nil, nil)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorAs(t, err, new(*blaze.UnconfirmedError))
	})
}

func TestRejectedCalls(t *testing.T) {
	for code, attempts := range map[blaze.Code]map[string]int{
		blaze.CodeForbidden: {"GET": 1, "POST": 1}, blaze.CodeServer: {"GET": 3, "DELETE": 3, "POST": 1},
		blaze.CodeTooManyRequests: {"GET": 3, "PUT": 1},
		blaze.CodeUnauthorized:    {"GET": 2, "POST": 2}, // signed again
	} {
		for method, want := range attempts {
			bubble(t, fmt.Sprint(int(code), method), func(t *testing.T) {
				r := prepare(t, func(cfg *blaze.Config) { cfg.SendAttempts = 3 })
				var queried atomic.Int64
				countRequests(r.Server, method+" /things", &queried, blazetest.Refuse(code))
				err := r.Call(t.Context(), method, "/things?page=2", nil, new(thing))
				var rejection *blaze.Error
				require.ErrorAs(t, err, &rejection)
				assert.Equal(t, code, rejection.Code)
				assert.Equal(t, method+" /things", rejection.Action)
				assert.EqualValues(t, want, queried.Load())
			})
		}
	}
}

func TestACallThatIsSignedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Errorf = func(string, ...any) {} // it reports the first token
		r.Clock(time.Hour)                 // the first 401 corrects the client's clock
		var c struct {
			ID string `json:"conversation_id"`
		}
		id := r.ConversationWith(userA)
		require.NoError(t, r.Call(t.Context(), "POST", "/conversations", map[string]any{
			"category": "CONTACT", "conversation_id": id, "participants": []map[string]string{{"user_id": userA}},
		}, &c))
		assert.Equal(t, id, c.ID)
	})
}

// A 10006 over HTTP ends Run.
func TestAnOutdatedCallEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		r.Intercept("GET /things", rejected(blaze.CodeUpdateRequired))
		require.ErrorIs(t, r.Call(t.Context(), "GET", "/things", nil, nil), blaze.CodeUpdateRequired)
		require.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
	})
}

func TestTheDataOfACall(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"name":"x"}}`: "x", `{"data":{}}`: "", `{"data":null}`: "", `{"data":{"name":null}}`: "",
	} {
		c, _ := oneResponse(t, 200, body, nil)
		var out thing
		require.NoError(t, c.Call(t.Context(), "GET", "/x", nil, &out))
		assert.Equal(t, want, out.Name)
	}
	for _, method := range []string{"GET", "POST"} {
		c, seen := oneResponse(t, 200, `{}`, nil)
		unchanged := thing{Name: "before"}
		require.ErrorIs(t, c.Call(t.Context(), method, "/x", nil, &unchanged), blaze.ErrNoAnswer)
		require.NoError(t, c.Call(t.Context(), method, "/x", nil, nil), "no data is wanted")
		assert.Equal(t, "before", unchanged.Name)
		assert.Len(t, seen.all(), 2, "the first was carried out, and is not repeated")
	}
	c, seen := oneResponse(t, 200, `{"data":[7]}`, nil)
	err := c.Call(t.Context(), "GET", "/x?secret=hunter2", nil, new(thing))
	var mismatch *json.UnmarshalTypeError
	require.ErrorAs(t, err, &mismatch, "the caller's mistake is no missing response")
	assert.NotErrorIs(t, err, blaze.ErrNoAnswer)
	assert.NotContains(t, err.Error(), "hunter2")
	assert.Len(t, seen.all(), 1)
}
