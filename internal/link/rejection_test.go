package link_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// reject dials a peer that responds with text, and returns the HandshakeError.
func reject(t *testing.T, text string) *link.HandshakeError {
	t.Helper()
	_, err := reply(t, text)
	var rejection *link.HandshakeError
	require.ErrorAs(t, err, &rejection)
	return rejection
}

func TestRejections(t *testing.T) {
	const json = `{"error":{"status":202,"code":401,"description":"Unauthorized, maybe invalid token.",` +
		`"extra":{"x":1}}}`
	for _, status := range []int{200, 202, 301, 302, 400, 401, 403, 404, 426, 429, 500, 503} {
		bubble(t, func(t *testing.T) {
			head := fmt.Sprintf("HTTP/1.1 %d %s\r\nLocation: ws://elsewhere.test/\r\n", status, http.StatusText(status))
			e := reject(t, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(json), json))
			assert.Equal(t, status, e.Status)
			require.NotNil(t, e.Rejection)
			assert.Equal(t, 401, e.Rejection.Code)
			assert.Equal(t, 202, e.Rejection.Status)
			assert.Equal(t, "Unauthorized, maybe invalid token.", e.Rejection.Description)
			assert.JSONEq(t, `{"x":1}`, string(e.Rejection.Extra))
			assert.Empty(t, e.Body)
			assert.EqualError(t, e, fmt.Sprintf("handshake rejected with status %d, code 401", status))

			e = reject(t, head+"\r\n")
			assert.Equal(t, link.HandshakeError{Status: status}, *e)
			assert.EqualError(t, e, fmt.Sprintf("handshake rejected with status %d", status))
		})
	}
}

func TestARejectionWithOddTypes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := reject(t,
			"HTTP/1.1 403 Forbidden\r\n\r\n"+`{"error":{"status":"202","code":401.0,"description":{"en":"no"}}}`)
		require.NotNil(t, e.Rejection)
		assert.Equal(t, wire.Error{Status: 202, Code: 401}, *e.Rejection)
	})
}

func TestOtherBodiesAreShortAndEscaped(t *testing.T) {
	for body, shown := range map[string]string{
		"<html>\r\n\x1b[31m\x00\xFF\u202e login": `<html>\r\n\x1b[31m\x00\xff\u202e login`,
		strings.Repeat("long ", 1_000_000):       strings.Repeat("long ", 40)[:197] + "...",
		`{"error":null}`:                         `{"error":null}`, `{"error":"text"}`: `{"error":"text"}`,
		`{"error":{"status":401}}`: `{"error":{"status":401}}`, `{"data":1}`: `{"data":1}`, "null": "null",
	} {
		bubble(t, func(t *testing.T) {
			e := reject(t, "HTTP/1.1 200 OK\r\n\r\n"+body)
			assert.Equal(t, shown, e.Body)
			assert.Nil(t, e.Rejection)
			assertPlain(t, e)
		})
	}
}

// assertPlain requires that an error is suitable for a log: short, one line, without control characters, and without a
// secret for any formatting verb.
func assertPlain(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	assert.NotEmpty(t, text)
	assert.Less(t, len(text), 1000)
	for _, r := range text {
		assert.True(t, r >= ' ' && r < 0x7F, "%q in %q", r, text)
	}
	for ; err != nil; err = unwrap(err) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			assert.NotContains(t, fmt.Sprintf(verb, err), token[:20])
		}
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

func TestTheServersClock(t *testing.T) {
	const date = "Tue, 06 Feb 2024 07:08:09 GMT"
	at := time.Date(2024, 2, 6, 7, 8, 9, 0, time.UTC)
	tests := []struct {
		headers string
		time    time.Time
		after   time.Duration
	}{
		{"X-Server-Time: 1707203289123456789", at.Add(123456789), 0},
		{"Date: " + date, at, 0},
		{"Date: Tue, 06 Feb 2001 07:08:09 GMT\r\nX-Server-Time: 1707203289000000000", at, 0},
		{"Date: " + date + "\r\nX-Server-Time: soon", at, 0},
		{"Date: " + date + "\r\nX-Server-Time: -5", at, 0},
		{"Date: today", time.Time{}, 0},
		{"Retry-After: 120", time.Time{}, 2 * time.Minute},
		{"Retry-After: 0", time.Time{}, 0},
		{"Retry-After: -7", time.Time{}, 0},
		{"Retry-After: soon", time.Time{}, 0},
		{"Date: " + date + "\r\nRetry-After: Tue, 06 Feb 2024 07:09:09 GMT", at, time.Minute},
		{"Date: " + date + "\r\nRetry-After: Tue, 06 Feb 2024 07:00:00 GMT", at, 0},
		{"Retry-After: Tue, 06 Feb 2024 07:09:09 GMT", time.Time{}, 0},
	}
	for _, test := range tests {
		bubble(t, func(t *testing.T) {
			e := reject(t, "HTTP/1.1 503 Service Unavailable\r\n"+test.headers+"\r\n\r\n")
			assert.True(t, test.time.Equal(e.ServerTime), "%s: %v", test.headers, e.ServerTime)
			assert.Equal(t, test.after, e.RetryAfter, test.headers)
		})
	}
	// A wait that overflows a Duration is still long.
	for _, s := range []string{"9223372037", "18446744074", "9223372036854775807"} {
		bubble(t, func(t *testing.T) {
			e := reject(t, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: "+s+"\r\n\r\n")
			assert.Greater(t, e.RetryAfter, time.Hour, s)
		})
	}
}

func TestGarbage(t *testing.T) {
	for _, text := range []string{
		"", "\r\n", "\x00\x01\x02", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/9.9.9 101 x\r\n\r\n",
		"HTTP/1.1 abc x\r\n\r\n", "HTTP/1.1 101\r\n", "HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\x1b[31m\u202e\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: wrong\r\n\r\n",
		strings.Repeat("x", 100_000) + "\r\n", "HTTP/1.1 200 OK\r\n" + strings.Repeat("y", 100_000) + "\r\n\r\n",
	} {
		bubble(t, func(t *testing.T) {
			_, err := reply(t, text)
			require.Error(t, err)
			assertPlain(t, err)
		})
	}
}

// Some servers repeat the request, which contains the token, in their response.
func TestTheTokenIsNotRepeated(t *testing.T) {
	long := token + strings.Repeat("x", 1200)
	for _, token := range []string{token, long} {
		for _, text := range []string{
			"HTTP/1.1 400 Bad Request\r\n\r\nAuthorization: Bearer " + token + "\r\n",
			"HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat(" ", 150) + token + token,
			"HTTP/1.1 200 OK\r\n\r\n" + `{"error":{"status":202,"code":401,"description":"bad token ` + token +
				`","extra":"` + token + `"}}`,
			"HTTP/1.1 200 OK\r\nno colon Bearer " + token + "\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + token + "\r\n\r\n",
			"HTTP/1.1 " + token + "\r\n\r\n",
			token + "\r\n",
			token + " 200 OK\r\n\r\n",
		} {
			bubble(t, func(t *testing.T) {
				client, server := pipe()
				p := wspeer.New(server)
				go func() {
					if p.ReadHead() == nil {
						_, _ = io.WriteString(p, text)
					}
					_ = p.Close()
				}()
				_, err := link.Dial(t.Context(),
					link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(client)})
				require.Error(t, err)
				assertPlain(t, err)
				if e, ok := err.(*link.HandshakeError); ok { //nolint:errorlint // it is not wrapped
					assert.NotContains(t, e.Body, token[:20])
					if e.Rejection != nil {
						assert.Equal(t, 401, e.Rejection.Code)
						assert.NotContains(t, e.Rejection.Description+string(e.Rejection.Extra), token[:20])
					}
				}
			})
		}
	}
}
