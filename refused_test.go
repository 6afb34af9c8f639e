package blaze_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// claims are what a token says, unverified.
type claims struct {
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
}

func claimsOf(t *testing.T, r *http.Request) (c claims) {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if assert.Len(t, parts, 3) {
		p, err := base64.RawURLEncoding.DecodeString(parts[1])
		assert.NoError(t, err)
		assert.NoError(t, json.Unmarshal(p, &c))
	}
	return c
}

// gatekeeper refuses the first handshakes with 401.
type gatekeeper struct {
	t        *testing.T
	refusals int
	ahead    time.Duration // its clock
	date     bool          // says the time as Date does
	strict   bool          // refuses what its clock says is wrong, and nothing else
	late     bool          // says no time with its first refusal

	mu     sync.Mutex
	tokens []claims
}

func (g *gatekeeper) handshake(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := claimsOf(g.t, r)
	g.tokens = append(g.tokens, token)
	now := time.Now().Add(g.ahead)
	switch {
	case g.late && len(g.tokens) == 1:
		w.Header()["Date"] = nil
	case g.date:
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("X-Server-Time", strconv.FormatInt(now.UnixNano(), 10))
	}
	if g.strict {
		if now.Sub(time.Unix(token.IssuedAt, 0)).Abs() < 5*time.Minute {
			return false
		}
	} else if g.refusals--; g.refusals < 0 {
		return false
	}
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"error":{"status":202,"code":401,"description":"Unauthorized, maybe invalid token."}}`))
	return true
}

func TestOne401IsTriedAgainWithANewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		g := &gatekeeper{t: t, refusals: 1}
		s.handshake = g.handshake
		start := time.Now()
		r := s.run(ok, nil)
		synctest.Wait()
		assert.True(t, r.Stats().Connected)
		assert.Zero(t, time.Since(start), "at once")
		require.Len(t, g.tokens, 2)
		assert.NotEqual(t, g.tokens[0].ID, g.tokens[1].ID)

		// Something was answered meanwhile, so the next one is the first again.
		g.mu.Lock()
		g.refusals = 1
		g.mu.Unlock()
		s.cut()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.True(t, r.Stats().Connected)
		assert.Len(t, g.tokens, 4)
	})
}

func TestTwo401EndRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		g := &gatekeeper{t: t, refusals: 2}
		s.handshake = g.handshake
		start := time.Now()
		r := s.run(ok, nil)
		err := r.wait()
		assert.ErrorIs(t, err, blaze.CodeUnauthorized)
		assert.NotErrorIs(t, err, blaze.ErrClockSkew)
		var refusal *blaze.Error
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, 202, refusal.Status)
		assert.Equal(t, "Unauthorized, maybe invalid token.", refusal.Description)
		assert.Zero(t, time.Since(start))
		assert.Len(t, g.tokens, 2)
		assert.Equal(t, 2, r.disconnects.len())
		assert.Zero(t, r.Stats().Connects)
	})
}

func TestAWrongClockIsCorrected(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute, 48 * time.Hour} {
		for _, date := range []bool{false, true} {
			bubble(t, fmt.Sprint(ahead, date), func(t *testing.T) {
				s := newReplyingServer(t)
				g := &gatekeeper{t: t, ahead: ahead, date: date, strict: true}
				s.handshake = g.handshake
				r := s.run(ok, nil)
				synctest.Wait()
				assert.True(t, r.Stats().Connected)
				assert.Len(t, g.tokens, 2)
				s.cut()
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Len(t, g.tokens, 3, "it remembers")
			})
		}
	}
}

// A clock that could not be corrected is the likely reason; one that was is not.
func TestAWrongClockIsNamedWhenRunEnds(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		bubble(t, fmt.Sprint(ahead), func(t *testing.T) {
			s := newReplyingServer(t)
			s.handshake = (&gatekeeper{t: t, refusals: 1000, ahead: ahead, late: true}).handshake
			err := s.run(ok, nil).wait()
			assert.ErrorIs(t, err, blaze.ErrClockSkew)
			assert.ErrorIs(t, err, blaze.CodeUnauthorized)
			assert.ErrorContains(t, err, ahead.String())
		})
		bubble(t, fmt.Sprint(ahead, " corrected"), func(t *testing.T) {
			s := newReplyingServer(t)
			s.handshake = (&gatekeeper{t: t, refusals: 1000, ahead: ahead}).handshake
			err := s.run(ok, nil).wait()
			assert.NotErrorIs(t, err, blaze.ErrClockSkew)
			assert.ErrorIs(t, err, blaze.CodeUnauthorized)
		})
	}
}

// The refusal comes in a frame, which has no headers. The handshake before it had some.
func TestAWrongClockIsCorrectedAfterAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 10 * time.Minute
		s := newReplyingServer(t)
		var issued []time.Duration
		s.handshake = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Server-Time", strconv.FormatInt(time.Now().Add(ahead).UnixNano(), 10))
			issued = append(issued, time.Until(time.Unix(claimsOf(t, r).IssuedAt, 0)).Round(time.Second))
			return false
		}
		refuse := refusing(actionList, blaze.CodeUnauthorized, false)
		s.answer = func(r request) bool { return len(issued) == 1 && refuse(r) }
		r := s.run(ok, nil)
		time.Sleep(time.Second)
		assert.True(t, r.Stats().Connected)
		assert.Equal(t, []time.Duration{0, ahead}, issued)
	})
}

// The status alone says it, whatever the body does.
func TestA401StatusWithAnotherError(t *testing.T) {
	for _, body := range []string{`{"error":{"status":401,"description":"no"}}`, `{"error":{"message":"no"}}`, `{"error":{"status":202,"code":10002}}`} {
		bubble(t, body, func(t *testing.T) {
			dials := 0
			s := newReplyingServer(t)
			s.handshake = func(w http.ResponseWriter, _ *http.Request) bool {
				dials++
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(body))
				return true
			}
			assert.ErrorIs(t, s.run(ok, nil).wait(), blaze.CodeUnauthorized)
			assert.Equal(t, 2, dials)
		})
	}
}

// refusing answers every request of an action with an error frame.
func refusing(action string, code blaze.Code, id bool) func(r request) bool {
	return func(r request) bool {
		if r.Action != action {
			return false
		}
		if !id {
			r.ID = ""
		}
		r.conn.json(fmt.Sprintf(`{"id":%q,"action":"ERROR","error":{"status":202,"code":%d,"description":"no"}}`, r.ID, code))
		return true
	}
}

func TestRefusedInAFrame(t *testing.T) {
	for _, id := range []bool{true, false} {
		for code, connects := range map[blaze.Code]uint64{blaze.CodeUnauthorized: 2, blaze.CodeUpdateRequired: 1} {
			bubble(t, fmt.Sprint(int(code), " with id ", id), func(t *testing.T) {
				s := newReplyingServer(t)
				s.answer = refusing(actionList, code, id)
				start := time.Now()
				r := s.run(ok, nil)
				err := r.wait()
				assert.ErrorIs(t, err, code)
				assert.EqualValues(t, connects, r.Stats().Connects)
				assert.Zero(t, time.Since(start))
			})
		}
	}
}

func TestRefusedAsOutdatedInTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Intercept(handshake, refused(blaze.CodeUpdateRequired))
		r.start(t.Context(), ok)
		assert.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
		assert.Equal(t, 1, r.disconnects.len())
	})
}

func TestA401LeavesTheRequestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		r.Intercept(actionSend, refused(blaze.CodeUnauthorized))
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		assert.NoError(t, err)
		fs := r.written.of(actionSend)
		require.Len(t, fs, 2)
		assert.Equal(t, fs[0], fs[1])
		assert.EqualValues(t, 2, r.Stats().Connects)
	})
}

// The list is answered on every connection, so that no 401 is the second one in a row.
func TestEndless401IsNoHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = refusing(actionSend, blaze.CodeUnauthorized, true)
		var r *rig
		var dials atomic.Int32
		s.handshake = func(http.ResponseWriter, *http.Request) bool {
			if dials.Add(1) == 1000 {
				go r.cancel() // the clock stands still in a hot loop
			}
			return false
		}
		r = s.run(ok, nil)
		go func() { _, _ = r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello"))) }()
		time.Sleep(10 * time.Minute)
		assert.Less(t, dials.Load(), int32(200))
		assert.Greater(t, dials.Load(), int32(5))
		_ = r.stop()
	})
}
