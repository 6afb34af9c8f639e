package faults_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// untilEnd runs a client in a bubble until Run returns, at most a day, and returns the error of Run.
func untilEnd(t *testing.T, edit func(b *bench)) (b *bench, err error) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		b = newBench(t, s)
		edit(b)
		b.run(context.Background(), blaze.On(nothing))
		select {
		case <-b.ended:
		case <-time.After(24 * time.Hour):
			assert.Fail(t, "Run has not returned")
		}
		b.lived = time.Since(b.born)
		b.cancel()
		<-b.ended
		b.look()
		s.Close()
		b.peers.Wait()
	})
	return b, b.err
}

// unauthorized lists the forms of a 401, each with a function that makes the server send one.
var unauthorized = map[string]struct {
	row int
	arm func(s *blazetest.Server)
}{
	"status": {6, func(s *blazetest.Server) {
		s.Intercept(handshake, raw("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
	}},
	"status of another error": {6, func(s *blazetest.Server) {
		s.Intercept(handshake, raw(inJSON("HTTP/1.1 401 Unauthorized", 10002)))
	}},
	"status of an error without a code": {6, func(s *blazetest.Server) {
		s.Intercept(handshake, raw("HTTP/1.1 401 Unauthorized\r\nContent-Length: 22\r\n\r\n"+`{"error":{"x":"no"}}  `))
	}},
	"error in 202": {
		6, func(s *blazetest.Server) { s.Intercept(handshake, raw(inJSON("HTTP/1.1 202 Accepted", 401))) },
	},
	"handshake": {6, func(s *blazetest.Server) { s.Intercept(handshake, testkit.Answer(blazetest.Refuse(401))) }},
	"reply":     {7, func(s *blazetest.Server) { s.Intercept(list, testkit.Answer(blazetest.Refuse(401))) }},
	"ERROR reply": {7, func(s *blazetest.Server) {
		rejection := blazetest.Refuse(401)
		rejection.Reply.Action = "ERROR"
		s.Intercept(list, testkit.Answer(rejection))
	}},
	"ERROR frame": {7, func(s *blazetest.Server) {
		s.Intercept(list, frame(`{"id":"0","action":"ERROR","error":{"code":401}}`))
	}},
	"without an id": {7, func(s *blazetest.Server) {
		s.Intercept(list, frame(`{"action":"ERROR","error":{"status":202,"code":401}}`))
	}},
}

func raw(text string) func(blazetest.Frame) blazetest.Answer {
	return testkit.Answer(blazetest.Answer{Bytes: []byte(text)})
}

func frame(text string) func(blazetest.Frame) blazetest.Answer {
	return testkit.Answer(blazetest.Answer{Bytes: wspeer.Gzip(text)})
}

func inJSON(status string, code int) string {
	body := fmt.Sprintf(`{"error":{"status":202,"code":%d,"description":"no"}}`, code)
	return fmt.Sprintf("%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func TestFault06Unauthorized(t *testing.T)      { unauthorizedRow(t, 6) }
func TestFault07UnauthorizedFrame(t *testing.T) { unauthorizedRow(t, 7) }

// unauthorizedRow checks that the client requests GET /me after a 401. If that succeeds, the client reconnects with a
// new token; if it is 401 too, Run ends.
func unauthorizedRow(t *testing.T, row int) {
	for name, test := range unauthorized {
		if test.row != row {
			continue
		}
		connected := 0 // 1: the client also requests its profile after the connection, again after a 401
		if row == 7 {
			connected = 1
		}
		t.Run(name+" of a valid session", func(t *testing.T) {
			bubble(t, blaze.On(nothing),
				func(b *bench) { test.arm(b.s) }, func(t *testing.T, b *bench) {
					b.deliver("hello")
					b.settled()
					require.Len(t, b.failures(), 1)
					assert.ErrorContains(t, b.failures()[0], "401")
					tokens := b.allTokens()
					require.Len(t, tokens, 3+connected, "handshake, GET /me, handshake")
					assert.NotEqual(t, tokens[0], tokens[2+connected])
					test.arm(b.s)
					b.s.Cut()
					b.deliver("again")
					b.settled()
					firedN(t, row, 2)
				})
		})
		for worked, handshakes := range map[time.Duration]int{0: 1, 12 * time.Hour: 2} {
			t.Run(fmt.Sprint(name, " of a session that worked for ", worked), func(t *testing.T) {
				b, err := untilEnd(t, func(b *bench) {
					reject := func() { testkit.Always(b.s, "GET /me", testkit.Answer(blazetest.Refuse(401))) }
					if worked == 0 {
						test.arm(b.s)
						reject()
						return
					}
					time.AfterFunc(worked, func() {
						test.arm(b.s)
						reject()
						b.s.Cut()
					})
				})
				var rejected *blaze.Error
				require.ErrorAs(t, err, &rejected)
				assert.Equal(t, blaze.CodeUnauthorized, rejected.Code)
				if name == "handshake" {
					assert.Equal(t, "Unauthorized", rejected.Description)
					assert.Equal(t, 401, rejected.Status)
				}
				assert.NotErrorIs(t, err, blaze.ErrClockSkew)
				profile := 2 * connected // rejected twice
				if worked > 0 {
					profile = 1
				}
				tokens := len(b.allTokens()) - handshakes
				assert.GreaterOrEqual(t, tokens, 1, "GET /me after the 401")
				assert.LessOrEqual(t, tokens, 1+profile, "and the request for the profile, if Run did not end before")
				assert.Len(t, b.failures(), handshakes)
				assert.LessOrEqual(t, b.lived-worked, 500*time.Millisecond, "the wait after a lost connection")
				fired(t, row)
			})
		}
	}
}

// Fault 8: the client retries after a rejected handshake, with growing waits. It follows no redirect, because the token
// is for this host.
func TestFault08Rejected(t *testing.T) {
	const times = 10
	for _, status := range []string{
		"403 Forbidden", "404 Not Found", "426 Upgrade Required", "302 Found", "301 Moved", "400 Bad Request", "200 OK",
		"429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable",
	} {
		t.Run(status, func(t *testing.T) {
			var hosts []string
			bubble(t, nil, func(b *bench) {
				for range times {
					b.rejectHandshake("HTTP/1.1 " + status +
						"\r\nLocation: ws://elsewhere.test/\r\nX-Header: canary\r\nContent-Length: 7\r\n\r\n<html>\n")
				}
				b.dials = func(n int, addr string) func(*wspeer.Peer) {
					if n < times+1 { // the next is for GET /me
						hosts = append(hosts, addr)
					}
					return nil
				}
			}, func(t *testing.T, b *bench) {
				_, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.failures(), times)
				assert.ErrorContains(t, b.failures()[0], "status "+status[:3]+`, body "<html>\n"`)
				assert.NotContains(t, b.log.String(), "canary")
				assert.NotContains(t, b.log.String(), "elsewhere")
				assert.Equal(t, slices.Repeat([]string{"localhost:80"}, times+1), hosts)
				bound, sum := 500*time.Millisecond, time.Duration(0)
				for _, wait := range b.retries() {
					assert.LessOrEqual(t, wait, bound)
					bound = min(2*bound, 30*time.Second)
					sum += wait
				}
				assert.Greater(t, sum, time.Second, "not a hot loop")
				fired(t, 8)
			})
		})
	}
	for name, arm := range map[string]func(s *blazetest.Server){
		"handshake": func(s *blazetest.Server) { s.Intercept(handshake, raw(inJSON("HTTP/1.1 202 Accepted", 10006))) },
		"reply":     func(s *blazetest.Server) { s.Intercept(list, testkit.Answer(blazetest.Refuse(10006))) },
		"frame without an id": func(s *blazetest.Server) {
			s.Intercept(list, frame(`{"action":"ERROR","error":{"status":202,"code":10006}}`))
		},
	} {
		t.Run("update required in "+name, func(t *testing.T) {
			b, err := untilEnd(t, func(b *bench) { arm(b.s) })
			assert.ErrorIs(t, err, blaze.CodeUpdateRequired)
			assert.LessOrEqual(t, len(b.allTokens()), 2, "a handshake, and at most the request for the profile")
			assert.Len(t, b.failures(), 1)
			assert.Zero(t, b.lived)
			fired(t, 8)
		})
	}
}

// Fault 9: the client waits as long as the server requests, at most five minutes, plus a random part.
func TestFault09RetryAfter(t *testing.T) {
	tests := []struct {
		status, after string
		least         time.Duration
	}{
		{"429 Too Many Requests", "120", 2 * time.Minute},
		{"503 Service Unavailable", "86400", 5 * time.Minute},
		{"503 Service Unavailable", "-1", 0},
		{"503 Service Unavailable", "soon", 0},
		{"503 Service Unavailable", "99999999999999999999", 5 * time.Minute},
		{
			"503 Service Unavailable", "Sat, 01 Jan 2000 00:02:00 GMT\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT",
			2 * time.Minute,
		},
		{"500 Internal Server Error", "", 0},
		{"502 Bad Gateway", "0", 0},
		{"504 Gateway Timeout", "7", 7 * time.Second},
	}
	spread := make(map[time.Duration]bool)
	for _, test := range tests {
		t.Run(test.status+" "+test.after, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				b.rejectHandshake("HTTP/1.1 " + test.status +
					"\r\nRetry-After: " + test.after + "\r\nContent-Length: 0\r\n\r\n")
			}, func(t *testing.T, b *bench) {
				_, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.retries(), 1)
				assert.GreaterOrEqual(t, b.retries()[0], test.least)
				assert.LessOrEqual(t, b.retries()[0], test.least+500*time.Millisecond)
				spread[b.retries()[0]-test.least] = true
				b.mu.Lock()
				assert.Equal(t, b.waits[0], b.times[1].Sub(b.times[0]))
				b.mu.Unlock()
				fired(t, 9)
			})
		})
	}
	assert.Greater(t, len(spread), 1, "jitter")
}

// Fault 10: an invalid response to the handshake does not end Run, is read up to a limit, and is not logged as it is.
func TestFault10NoAnswer(t *testing.T) {
	page := "<html>\x1b[2J\n" + strings.Repeat("sign in here ", 1000)
	tests := map[string]string{
		"captive portal": "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " + strconv.Itoa(len(page)) +
			"\r\n\r\n" + page,
		"garbage": "\x00\x01\x02 SSH-2.0 \x1b[31m" + strings.Repeat("x", 10000),
		"headers": "HTTP/1.1 101 Switching Protocols\r\n" +
			strings.Repeat("X-Header: "+strings.Repeat("x", 1000)+"\r\n", 10_000),
		"one header": "HTTP/1.1 101 " + strings.Repeat("x", 10<<20),
		"no key":     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"nothing":    "\r\n",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) { _ = c.Refuse(answer) })
			}, func(t *testing.T, b *bench) {
				_, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.failures(), 1)
				assertTame(t, b.failures()[0])
				first := b.allTaps()[0]
				first.mu.Lock()
				assert.LessOrEqual(t, first.down, int64(1<<20), "bytes read")
				first.mu.Unlock()
				fired(t, 10)
			})
		})
	}
}

// assertTame checks that an error is short and printable.
func assertTame(t *testing.T, err error) {
	t.Helper()
	assert.Less(t, len(err.Error()), 1<<10)
	assert.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }), "%q", err)
}

// Faults 11 and 12: the client disconnects if the server selects a subprotocol or an extension that was not requested.
// No subprotocol is valid.
func TestFault11Subprotocol(t *testing.T) {
	answerWith(t, 11, "Sec-WebSocket-Protocol: Mixin-Blaze-2", "another subprotocol")
	t.Run("none", func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
				if c.Accept() == nil {
					c.Drain()
				}
			})
		}, func(t *testing.T, b *bench) {
			assert.Equal(t, 1, b.connects())
			assert.Empty(t, b.failures())
			fired(t, 11)
			_ = b.allTaps()[0].Close()
		})
	})
}

func TestFault12UnaskedCompression(t *testing.T) {
	answerWith(t, 12, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover", "compression")
	answerWith(t, 12, "Sec-WebSocket-Extensions: x-unknown", "compression")
}

func answerWith(t *testing.T, row int, header, reason string) {
	t.Run(header, func(t *testing.T) {
		bubble(t, nil, func(b *bench) {
			b.dials = onlyFirst(3, func(_ int, c *wspeer.Peer) {
				if c.Accept(header) == nil {
					c.Drain()
					fired(t, row)
				}
			})
		}, func(t *testing.T, b *bench) {
			_, err := b.send(t.Context(), "hello")
			require.NoError(t, err)
			require.Len(t, b.failures(), 3)
			assert.ErrorContains(t, b.failures()[0], reason)
			assert.Equal(t, 1, b.connects())
		})
	})
}

// validMe returns a response to GET /me without the time.
func validMe(b *bench) string {
	body := `{"data":{"user_id":"` + b.s.Key.AppID + `","identity_number":"7000000001"}}`
	return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// Fault 55: the local clock is wrong, and is corrected later. Each time the next token has the time from the 401.
func TestFault55ClockSkew(t *testing.T) {
	skews := []time.Duration{10 * time.Minute, 0} // of the server's clock, relative to this one
	bubble(t, blaze.On(nothing), func(b *bench) {
		b.dials = onlyFirst(6, func(n int, c *wspeer.Peer) {
			if n%3 == 1 {
				_ = c.Refuse(validMe(b))
				return
			}
			if n%3 == 0 { // the clock of this token is wrong now
				at := time.Now().Add(skews[n/3])
				_ = c.Refuse("HTTP/1.1 401 Unauthorized\r\nX-Server-Time: " + strconv.FormatInt(at.UnixNano(), 10) +
					"\r\nContent-Length: 0\r\n\r\n")
				return
			}
			if c.Accept() != nil {
				return
			}
			if r, err := c.Next(); err == nil && c.Reply(r, "") == nil && n == 5 {
				c.Drain()
			}
		})
	}, func(t *testing.T, b *bench) {
		time.Sleep(5 * time.Second)
		assert.Equal(t, 2, b.connects())
		tokens := b.allTokens()
		require.Len(t, tokens, 6)
		for n, skew := range []time.Duration{0, skews[0], skews[0], skews[0], 0, 0} {
			assert.InDelta(t, float64(skew), float64(issued(t, tokens[n]).Sub(b.born)),
				float64(10*time.Second), "token %d", n)
		}
		require.Len(t, b.failures(), 3, "a rejection, a lost connection, a rejection")
		firedN(t, 55, 2)
		_ = b.allTaps()[5].Close()
	})
}

// issued returns the time of issue of a token.
func issued(t *testing.T, token string) time.Time {
	part, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	require.NoError(t, json.Unmarshal(part, &claims))
	return time.Unix(claims.IssuedAt, 0)
}
