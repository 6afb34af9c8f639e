package blaze_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// echoes are the forms in which a server may repeat a token.
var echoes = map[string]func(token string) string{
	"raw": func(s string) string { return s }, "in capitals": strings.ToUpper,
	"in base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s)) },
	"percent-encoded": func(s string) string {
		h := hex.EncodeToString([]byte(s))
		var b strings.Builder
		for ; h != ""; h = h[2:] {
			b.WriteString("%" + h[:2])
		}
		return b.String()
	},
	"in lines": func(s string) string {
		var b strings.Builder
		for ; len(s) > 48; s = s[48:] {
			b.WriteString(s[:48] + "\r\n ")
		}
		return b.String() + s
	},
	"the signature": func(s string) string { return s[strings.LastIndex(s, ".")+1:] },
}

// assertNotEchoed checks that a text contains no 16 successive bytes of an echo.
func assertNotEchoed(t *testing.T, text, echo string) {
	t.Helper()
	for part := range strings.FieldsSeq(echo) {
		for i := 0; i+16 <= len(part); i++ {
			if !assert.False(t, strings.Contains(text, part[i:i+16]), "%s is in %s", part[i:i+16], text) {
				return
			}
		}
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	p, err := json.Marshal(v)
	require.NoError(t, err)
	return string(p)
}

// serverTexts returns the server's texts in an error.
func serverTexts(err error) string {
	var e *blaze.Error
	if !errors.As(err, &e) {
		return ""
	}
	return fmt.Sprintf("%#v\n%s\n%s\n%s", *e, e.Description, e.Extra, e.Action)
}

func rejectionWith(t *testing.T, echo string) string {
	t.Helper()
	return toJSON(t, map[string]any{
		"status": 202, "code": 403, "description": "you sent " + echo,
		"extra": map[string]any{"field": "x", "reason": echo, "list": []string{echo}},
	})
}

// A server receives a token with each request and may repeat it in any text.
func TestATokenThatTheWebsocketRepeatsIsNotShown(t *testing.T) {
	raw := func(status string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, echo string) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, strings.ReplaceAll(status, "%", strings.ReplaceAll(echo, "\r\n", "")))
				_ = c.Close()
			}
		}
	}
	handshakes := map[string]func(w http.ResponseWriter, echo string){
		"body": func(w http.ResponseWriter, echo string) { http.Error(w, "you sent "+echo, http.StatusForbidden) },
		"rejection": func(w http.ResponseWriter, echo string) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":`+rejectionWith(t, echo)+`}`)
		},
		"401": func(w http.ResponseWriter, echo string) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":`+strings.Replace(rejectionWith(t, echo), "403", "401", 1)+`}`)
		},
		"status line":    raw("HTTP/1.1 403 %\r\n\r\n"),
		"no status line": raw("HTTP/1.1 % x\r\n\r\n"), "no HTTP": raw("%\r\n\r\n"),
		"header":   raw("HTTP/1.1 200 OK\r\nX-Echo %\r\n\r\n"),
		"encoding": raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: %\r\n\r\n"),
	}
	frames := map[string]func(c *rawConn, echo string){
		"an error": func(c *rawConn, echo string) {
			c.json(`{"id":` + toJSON(t, echo) + `,"action":` + toJSON(t, echo) +
				`,"error":` + rejectionWith(t, echo) + `}`)
		},
		"an id": func(c *rawConn, echo string) {
			c.push(with(message("alice", "x"), map[string]any{"message_id": echo[:min(len(echo), 64)], "user_id": 5}))
		},
		"a 401": func(c *rawConn, echo string) {
			c.json(`{"id":"x","action":` + toJSON(t, echo) +
				`,"error":` + strings.Replace(rejectionWith(t, echo), "403", "401", 1) + `}`)
		},
		"close": func(c *rawConn, echo string) {
			_ = c.Send(wspeer.CloseFrame(1008, echo[:min(len(echo), 120)]))
		},
	}
	for form, echo := range echoes {
		for place, answer := range handshakes {
			bubble(t, form+" in handshake "+place, func(t *testing.T) {
				var repeated string
				s := newReplyingServer(t)
				s.handshake = func(w http.ResponseWriter, r *http.Request) bool {
					text := echo(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
					repeated += text + "\n"
					answer(w, text)
					return true
				}
				s.me = func(w http.ResponseWriter, r *http.Request) { s.handshake(w, r) }
				r := s.run(ok, nil)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				_, err := r.Send(ctx, r.ToUser(userID("alice"), blaze.Text("x")))
				require.Error(t, err)
				ended := r.stop()
				if place == "401" {
					require.ErrorIs(t, ended, blaze.CodeUnauthorized)
				} else {
					require.NoError(t, ended)
				}
				require.NotEmpty(t, r.disconnects.all())
				assertNotEchoed(t, r.reported(err, ended)+serverTexts(ended)+serverTexts(err), repeated)
			})
		}
		for place, write := range frames {
			bubble(t, form+" in frame "+place, func(t *testing.T) {
				var repeated string
				s := newReplyingServer(t)
				s.handshake = func(_ http.ResponseWriter, r *http.Request) bool {
					repeated = echo(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
					return false
				}
				s.me = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
				s.answer = func(r request) bool {
					if r.Action == actionSend {
						r.reply(`,"error":` + rejectionWith(t, repeated))
					}
					return r.Action == actionSend
				}
				r := s.run(ok, nil)
				synctest.Wait()
				_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("x")))
				require.ErrorIs(t, err, blaze.CodeForbidden)
				write(s.conn(), repeated)
				synctest.Wait()
				require.NoError(t, r.stop())
				require.NotEmpty(t, r.log.all())
				assertNotEchoed(t, r.reported(err)+serverTexts(err), repeated)
			})
		}
	}
}

// roundTrips is a function as an http.RoundTripper.
type roundTrips func(*http.Request) (*http.Response, error)

func (f roundTrips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestATokenThatTheAPIRepeatsIsNotShown(t *testing.T) {
	for form, echo := range echoes {
		for _, status := range []int{200, 202, 301, 403, 502} {
			for place, body := range map[string]func(echo string) string{
				"text":      func(echo string) string { return echo },
				"rejection": func(echo string) string { return `{"error":` + rejectionWith(t, echo) + `}` },
				"data":      func(echo string) string { return `{"data":` + toJSON(t, echo) + `}` },
			} {
				bubble(t, fmt.Sprint(form, " in ", place, " of ", status), func(t *testing.T) {
					var repeated string
					r := prepare(t, func(cfg *blaze.Config) {
						cfg.SendAttempts = 1
						transport := roundTrips(func(r *http.Request) (*http.Response, error) {
							repeated = echo(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
							return &http.Response{
								StatusCode: status, Status: fmt.Sprint(status, " ", repeated),
								Request: r, Body: io.NopCloser(strings.NewReader(body(repeated))),
								Header: http.Header{
									"Location":    {"https://elsewhere.test/" + repeated},
									"Retry-After": {repeated}, "Date": {repeated},
								},
							}, nil
						})
						cfg.HTTPClient = &http.Client{Transport: transport}
					})
					_, err := r.OpenConversation(t.Context(), userID("alice"))
					require.Error(t, err)
					assertNotEchoed(t, r.reported(err)+serverTexts(err), repeated)
				})
			}
		}
	}
}
