package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

const getMe = "GET /me"

// silences are responses to GET /me that do not concern the session.
var silences = map[string]blazetest.Answer{
	"500":          blazetest.Refuse(blaze.CodeServer),
	"429":          blazetest.Refuse(blaze.CodeTooManyRequests),
	"403":          blazetest.Refuse(blaze.CodeForbidden),
	"cut":          {Cut: true},
	"no answer":    {Hang: true},
	"HTML":         {Bytes: []byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")},
	"HTML and 401": {Bytes: []byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\n<html>")},
	"other JSON":   {Bytes: []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")},
}

func TestA401ToARequestIsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		always(r.Server, actionSend, blazetest.Refuse(blaze.CodeUnauthorized))
		out := r.ToUser(userID("alice"), blaze.Text("hello"))
		out.MessageID = messageA
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := r.Send(ctx, out)
		var rejection *blaze.Error
		require.ErrorAs(t, err, &rejection)
		assert.Equal(t, blaze.CodeUnauthorized, rejection.Code)
		assert.Equal(t, actionSend, rejection.Action)
		assert.Equal(t, messageA, rejection.MessageID)
		time.Sleep(time.Hour)
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.Len(t, r.written.of(actionSend), 1)
	})
}

// A 401 does not concern the message, so another attempt may succeed. An encrypted reply does not even fail: see
// TestAnEncryptedMessageOutlivesAnOutage.
func TestAHandlerIsRetriedAfterA401(t *testing.T) {
	for attempts, answered := range map[int]bool{3: false, 8: true} {
		bubble(t, fmt.Sprint(attempts), func(t *testing.T) {
			var r *rig
			n := 0
			r = run(t, func(ctx context.Context, m *blaze.Message) error {
				if n++; n == 4 {
					r.Intercept(actionSend, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{} })
				}
				return r.Reply(ctx, m, blaze.Text("yes"))
			}, func(cfg *blaze.Config) { cfg.HandlerAttempts = attempts })
			for range 3 {
				r.Intercept(actionSend, rejected(blaze.CodeUnauthorized))
			}
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
			time.Sleep(time.Hour)
			assert.EqualValues(t, 1, r.Stats().Connects)
			if answered {
				assert.Equal(t, 4, n)
				assert.Len(t, r.Sent(), 1)
				assert.Zero(t, r.drops.len())
			} else {
				assert.Equal(t, 3, n)
				assert.Empty(t, r.Sent())
				assert.Equal(t, 1, r.drops.len())
			}
		})
	}
}

// A 401 ends the link unless it has both the id and the action of a request.
func TestFramesWith401ThatEndTheLink(t *testing.T) {
	for name, tt := range map[string]struct {
		frame string // %s: the id of the Send
		ends  bool
		sent  bool // the Send keeps waiting
	}{
		"the request's own":     {`{"id":%q,"action":"CREATE_MESSAGE","error":{"code":401}}`, false, false},
		"ERROR with its id":     {`{"id":%q,"action":"ERROR","error":{"code":401}}`, true, true},
		"ERROR with another id": {`{"id":"x%.0s","action":"ERROR","error":{"code":401}}`, true, true},
		"ERROR without an id":   {`{"x":%q,"action":"ERROR","error":{"code":401}}`, true, true},
		"no id":                 {`{"x":%q,"action":"CREATE_MESSAGE","error":{"code":401}}`, true, true},
		"a list with another id": {
			`{"id":"x%.0s","action":"LIST_PENDING_MESSAGES","error":{"code":401}}`, true, true,
		},
		"an unknown request": {`{"id":"x%.0s","action":"CREATE_MESSAGE","error":{"code":401}}`, false, true},
		"an unknown ack": {
			`{"id":"x%.0s","action":"ACKNOWLEDGE_MESSAGE_RECEIPTS","error":{"code":401}}`, false, true,
		},
	} {
		bubble(t, name, func(t *testing.T) {
			s := newReplyingServer(t)
			g := new(gatekeeper).guard(s)
			first := true
			s.answer = func(r request) bool {
				if r.Action != actionSend || !first {
					return false
				}
				first = false
				r.conn.json(fmt.Sprintf(tt.frame, r.ID))
				return tt.ends || !tt.sent
			}
			r := s.run(ok, nil)
			_, err := r.Send(t.Context(), textA)
			synctest.Wait()
			if tt.sent {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, blaze.CodeUnauthorized)
			}
			handshakes, queried := g.counts()
			if tt.ends {
				assert.Equal(t, 2, handshakes)
				assert.Equal(t, 1, queried)
				fs := r.written.of(actionSend)
				require.Len(t, fs, 2)
				assert.Equal(t, fs[0], fs[1])
			} else {
				assert.Equal(t, 1, handshakes)
				assert.Zero(t, queried)
			}
		})
	}
}

// Authentication fails for two seconds after the session has worked for a day.
func TestATransientAuthenticationFailure(t *testing.T) {
	answers := map[string]blazetest.Answer{"accepted": {}}
	for name, a := range silences {
		answers[name] = a
	}
	for name, answer := range answers {
		bubble(t, name, func(t *testing.T) {
			r := run(t, ok, nil)
			time.Sleep(24 * time.Hour)
			recovers := time.Now().Add(2 * time.Second)
			var again func(blazetest.Frame) blazetest.Answer
			again = func(blazetest.Frame) blazetest.Answer {
				if time.Now().After(recovers) {
					return blazetest.Answer{}
				}
				r.Intercept(handshake, again)
				return blazetest.Refuse(blaze.CodeUnauthorized)
			}
			r.Intercept(handshake, again)
			always(r.Server, getMe, answer)
			r.Cut()
			time.Sleep(2 * time.Minute)
			assert.True(t, r.Stats().Connected)
			assert.EqualValues(t, 2, r.Stats().Connects)
			assert.Greater(t, r.disconnects.len(), 1, "rejected at least once")
		})
	}
}

// After a session has worked, the client retries without end, whatever GET /me returns except 401.
func TestA401WithoutAResponseOverHTTP(t *testing.T) {
	bubble(t, "after it worked", func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		always(r.Server, handshake, blazetest.Refuse(blaze.CodeUnauthorized))
		always(r.Server, getMe, blazetest.Refuse(blaze.CodeServer))
		r.Cut()
		time.Sleep(4 * time.Hour)
		attempts := r.disconnects.len()
		assert.Greater(t, attempts, 4*60, "the wait is at most 30 s")
		assert.Less(t, attempts, 4*60*10, "and 15 s on average")
	})
	for name, answer := range silences {
		bubble(t, name+" before it worked", func(t *testing.T) {
			r := prepare(t, nil)
			always(r.Server, handshake, blazetest.Refuse(blaze.CodeUnauthorized))
			always(r.Server, getMe, answer)
			start := time.Now()
			r.start(t.Context(), ok)
			assert.ErrorIs(t, r.wait(), blaze.CodeUnauthorized)
			assert.GreaterOrEqual(t, time.Since(start), 30*time.Second)
			// The last attempt begins in time, or after a wait of at most 30 s. GET /me may take 15 s each time.
			assert.LessOrEqual(t, time.Since(start), 30*time.Second+30*time.Second+2*15*time.Second)
			assert.Zero(t, r.log.count(slog.LevelError, ""))
		})
	}
}

func TestA401OfASessionThatTheHTTPAPIAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		always(r.Server, handshake, blazetest.Refuse(blaze.CodeUnauthorized))
		r.start(t.Context(), ok)
		time.Sleep(time.Hour)
		waits := r.waits.durations(t)
		assert.Greater(t, len(waits), 100)
		assert.Less(t, len(waits), 500, "15 s on average")
		bound := 500 * time.Millisecond
		for _, wait := range waits {
			assert.LessOrEqual(t, wait, bound)
			bound = min(2*bound, 30*time.Second)
		}
		reports := r.log.count(slog.LevelError, "GET /me accepts it")
		assert.LessOrEqual(t, reports, 61)
		assert.Greater(t, reports, 30)
	})
}

// GET /me uses the user's HTTP client. No fault of that client ends the supervisor.
func TestGETMeWithAFaultyHTTPClient(t *testing.T) {
	for name, f := range map[string]roundTripper{
		"panics": func() (*http.Response, error) { panic("boom") },
		"ends its goroutine": func() (*http.Response, error) {
			runtime.Goexit()
			return nil, nil
		},
		"fails": func() (*http.Response, error) { return nil, errAny },
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, func(cfg *blaze.Config) { cfg.HTTPClient = &http.Client{Transport: f} })
			r.Intercept(handshake, rejected(blaze.CodeUnauthorized))
			r.start(t.Context(), ok)
			time.Sleep(time.Second)
			assert.True(t, r.Stats().Connected)
		})
	}
	bubble(t, "ignores its context", func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		r := prepare(t, func(cfg *blaze.Config) {
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func() (*http.Response, error) {
				<-release
				return nil, errAny
			})}
		})
		r.Intercept(handshake, rejected(blaze.CodeUnauthorized))
		r.start(t.Context(), ok)
		time.Sleep(time.Minute)
		assert.True(t, r.Stats().Connected, "the wait is limited by ReplyTimeout")
		always(r.Server, handshake, blazetest.Refuse(blaze.CodeUnauthorized))
		r.Cut()
		time.Sleep(time.Second)
		assert.NoError(t, r.stop(), "while GET /me is unanswered")
	})
}

// A 10006 over HTTP ends Run in every state.
func TestOutdatedOverHTTP(t *testing.T) {
	upload := func(ctx context.Context, r *rig) error {
		_, err := r.Upload(ctx, strings.NewReader("x"), 1)
		return err
	}
	encrypted := func(ctx context.Context, r *rig) error {
		_, err := r.Send(ctx, encryptedText(r.Client, "alice", "hello"))
		return err
	}
	for name, tt := range map[string]struct {
		action string
		do     func(context.Context, *rig) error
		edit   func(*blaze.Config)
		server *blazetest.Answer // the answer to each handshake; nil: the usual one
	}{
		"an upload":      {action: "POST /attachments", do: upload},
		"a send":         {action: encryptedAction, do: encrypted},
		"a look-up":      {action: "POST /sessions/fetch", do: encrypted},
		"while it dials": {action: "POST /attachments", do: upload, edit: dialOnlyHTTP},
		"while it waits": {action: "POST /attachments", do: upload, server: &blazetest.Answer{
			Bytes: []byte("HTTP/1.1 503 Busy\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n"),
		}},
		"while GET /me is unanswered": {
			action: getMe, do: func(context.Context, *rig) error { return blaze.CodeUpdateRequired },
			server: &blazetest.Answer{Reply: blazetest.Refuse(blaze.CodeUnauthorized).Reply},
		},
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, tt.edit)
			r.Intercept(tt.action, rejected(blaze.CodeUpdateRequired))
			if tt.server != nil {
				always(r.Server, handshake, *tt.server)
			}
			start := time.Now()
			r.start(t.Context(), ok)
			synctest.Wait()
			assert.ErrorIs(t, tt.do(t.Context(), r), blaze.CodeUpdateRequired)
			err := r.wait()
			var rejection *blaze.Error
			require.ErrorAs(t, err, &rejection)
			assert.Equal(t, blaze.CodeUpdateRequired, rejection.Code)
			assert.Equal(t, tt.action, rejection.Action)
			assert.Zero(t, time.Since(start))
			_, err = r.Send(t.Context(), textA)
			assert.ErrorIs(t, err, blaze.ErrClosed)
			assert.ErrorIs(t, err, blaze.CodeUpdateRequired)
			r.Intercept(tt.action, rejected(blaze.CodeUpdateRequired))
			_ = upload(t.Context(), r) // has no effect after Run
		})
	}
	bubble(t, "before Run", func(t *testing.T) {
		r := prepare(t, nil)
		r.Intercept("POST /attachments", rejected(blaze.CodeUpdateRequired))
		assert.ErrorIs(t, upload(t.Context(), r), blaze.CodeUpdateRequired)
		r.start(t.Context(), ok)
		assert.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
	})
	bubble(t, "in a handler", func(t *testing.T) {
		var l ledger
		r := prepare(t, func(cfg *blaze.Config) { cfg.Ledger, cfg.HandlerAttempts = &l, 1 })
		r.Intercept(encryptedAction, rejected(blaze.CodeUpdateRequired))
		r.start(t.Context(), func(ctx context.Context, _ *blaze.Message) error { return encrypted(ctx, r) })
		r.say("alice", "hello")
		assert.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
		assert.Zero(t, r.drops.len(), "the next version of the program handles it")
		assert.Empty(t, l.all())
		assert.Len(t, r.Pending(), 1)
	})
}

// dialOnlyHTTP makes the dials of websockets hang.
func dialOnlyHTTP(cfg *blaze.Config) {
	dial := cfg.DialContext
	cfg.Endpoints = []string{"ws://127.0.0.1:7/"}
	cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "127.0.0.1:7" {
			return hangingDial(ctx, network, addr)
		}
		return dial(ctx, network, addr)
	}
}

// A healthy endpoint is reached almost at once, however long the other one has been down.
func TestTheNextEndpointIsReachedAtOnce(t *testing.T) {
	for name, first := range map[string]func() (net.Conn, error){
		"down":             func() (net.Conn, error) { return nil, errAny },
		"accepts and cuts": func() (net.Conn, error) { c, s := net.Pipe(); return c, s.Close() },
	} {
		bubble(t, name, func(t *testing.T) {
			var dials, healthy atomic.Int32
			r := prepare(t, func(cfg *blaze.Config) {
				dial := cfg.DialContext
				cfg.Endpoints = []string{"ws://localhost:1/", "ws://localhost:2/"}
				cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials.Add(1)
					switch {
					case addr == "localhost:1":
						return first()
					case healthy.Load() == 0:
						return nil, errAny
					}
					return dial(ctx, network, addr)
				}
			})
			healthy.Store(1)
			r.start(t.Context(), ok)
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
			assert.True(t, r.Stats().Connected)

			healthy.Store(0)
			dials.Store(0)
			before := len(r.waits.all())
			r.Cut()
			time.Sleep(time.Hour)
			assert.Less(t, dials.Load(), int32(2*500), "the average wait is 15 s")
			assert.Greater(t, dials.Load(), int32(2*120))
			// The first wait follows the lost link. Then come rounds that begin with its endpoint.
			for i, wait := range r.waits.durations(t)[before+1:] {
				if i%2 == 0 {
					assert.GreaterOrEqual(t, wait, 50*time.Millisecond)
					assert.LessOrEqual(t, wait, 250*time.Millisecond)
				}
			}
			healthy.Store(1)
			time.Sleep(31 * time.Second)
			assert.True(t, r.Stats().Connected, "in the next round")
		})
	}
}

// A send-only bot may have nothing to send for a day. Its session counts as having worked while it was connected.
func TestASessionThatOnlySendsHasWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Intercept(handshake, rejected(blaze.CodeUnauthorized))
		always(r.Server, getMe, blazetest.Refuse(blaze.CodeServer))
		r.start(t.Context(), nil)
		time.Sleep(24 * time.Hour)
		require.True(t, r.Stats().Connected)
		r.Intercept(handshake, rejected(blaze.CodeUnauthorized))
		r.Cut()
		time.Sleep(time.Minute)
		assert.True(t, r.Stats().Connected, r.disconnects.String())
	})
}
