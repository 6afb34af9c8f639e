package blaze_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// claims are the contents of a token, unverified.
type claims struct {
	IssuedAt int64 `json:"iat"`
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

// gatekeeper rejects handshakes with 401 and answers GET /me.
type gatekeeper struct {
	t          *testing.T
	rejections int           // number of rejected handshakes
	gone       bool          // GET /me is rejected too
	ahead      time.Duration // of its clock
	drift      time.Duration // added to its clock at each response
	date       bool          // sends the time as Date
	mute       bool          // handshake responses have no time
	strict     bool          // rejects only tokens that are invalid by its clock

	mu      sync.Mutex
	tokens  []claims // of handshakes
	queried []claims // of GET /me
}

// guard puts g before a server.
func (g *gatekeeper) guard(s *rawServer) *gatekeeper {
	g.t, s.handshake, s.me = s.t, g.handshake, g.me
	return g
}

func (g *gatekeeper) handshake(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := claimsOf(g.t, r)
	g.tokens = append(g.tokens, token)
	now := g.writeTime(w)
	if g.mute {
		w.Header()["Date"] = nil
		w.Header().Del("X-Server-Time")
	}
	if g.rejections--; g.rejections < 0 && (!g.strict || g.inTime(token, now)) {
		return false
	}
	unauthorized(w)
	return true
}

func (g *gatekeeper) me(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := claimsOf(g.t, r)
	g.queried = append(g.queried, token)
	if now := g.writeTime(w); g.gone || g.strict && !g.inTime(token, now) {
		unauthorized(w)
		return
	}
	_, _ = w.Write([]byte(`{"data":{"type":"user","user_id":"` + botID + `"}}`))
}

// writeTime sends the time of its clock.
func (g *gatekeeper) writeTime(w http.ResponseWriter) time.Time {
	g.ahead += g.drift
	now := time.Now().Add(g.ahead)
	if g.date {
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	} else {
		w.Header().Set("X-Server-Time", strconv.FormatInt(now.UnixNano(), 10))
	}
	return now
}

func (g *gatekeeper) inTime(token claims, now time.Time) bool {
	return now.Sub(time.Unix(token.IssuedAt, 0)).Abs() < 5*time.Minute
}

// counts returns the numbers of handshakes and of GET /me requests.
func (g *gatekeeper) counts() (handshakes, queried int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tokens), len(g.queried)
}

func unauthorized(w http.ResponseWriter) {
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"error":{"status":202,"code":401,"description":"Unauthorized, maybe invalid token."}}`))
}

// After one 401 that did not recur, whatever GET /me answered, the client does not retry an ended session for ever.
func TestASessionThatEndedAfterATransient401(t *testing.T) {
	for name, answer := range map[string]blazetest.Answer{
		"accepted": {}, "silent": blazetest.Refuse(blaze.CodeServer),
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, nil)
			r.Intercept(handshake, rejected(blaze.CodeUnauthorized))
			answers(r.Server, getMe, answer)
			r.start(t.Context(), ok)
			r.say("alice", "hello")
			r.idle()
			time.Sleep(24 * time.Hour)
			assert.EqualValues(t, 1, r.Stats().Connects)

			always(r.Server, handshake, rejected401)
			always(r.Server, getMe, rejected401)
			began := time.Now()
			r.Cut()
			assert.ErrorIs(t, r.wait(), blaze.CodeUnauthorized)
			assert.LessOrEqual(t, time.Since(began), 500*time.Millisecond, "the wait after a lost link")
		})
	}
}

func TestAWrongClockIsCorrected(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute, 24 * time.Hour} {
		for name, g := range map[string]*gatekeeper{
			"nanoseconds": {}, "date": {date: true}, "only over HTTP": {mute: true},
		} {
			bubble(t, fmt.Sprint(ahead, " ", name), func(t *testing.T) {
				s := newReplyingServer(t)
				g.ahead, g.strict = ahead, true
				g.guard(s)
				start := time.Now()
				r := s.run(ok, nil)
				synctest.Wait()
				assert.True(t, r.Stats().Connected)
				assert.Zero(t, time.Since(start), "at once")
				assert.Len(t, g.tokens, 2)
				s.cut()
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Len(t, g.tokens, 3, "the correction is remembered")
			})
		}
	}
}

// A clock that could not be corrected is the reported cause. A corrected clock is not.
func TestAWrongClockIsNamedWhenRunEnds(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		bubble(t, fmt.Sprint(ahead), func(t *testing.T) {
			s := newReplyingServer(t)
			g := (&gatekeeper{rejections: 1000, gone: true, drift: ahead}).guard(s)
			err := s.run(ok, nil).wait()
			assert.ErrorIs(t, err, blaze.ErrClockSkew)
			assert.ErrorIs(t, err, blaze.CodeUnauthorized)
			assert.ErrorContains(t, err, ahead.String())
			assert.Len(t, g.tokens, 1)
			assert.Len(t, g.queried, 2, "once more, by the new time")
		})
		bubble(t, fmt.Sprint(ahead, " corrected"), func(t *testing.T) {
			s := newReplyingServer(t)
			g := (&gatekeeper{rejections: 1000, gone: true, ahead: ahead}).guard(s)
			err := s.run(ok, nil).wait()
			assert.NotErrorIs(t, err, blaze.ErrClockSkew)
			assert.ErrorIs(t, err, blaze.CodeUnauthorized)
			assert.Len(t, g.queried, 1)
		})
	}
}

// The rejection is a frame, which has no headers. Those of the handshake before it set the clock.
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
		s.me = (&gatekeeper{t: t, ahead: ahead}).me
		s.answer = func(r request) bool {
			if len(issued) > 1 || r.Action != actionList {
				return false
			}
			r.conn.json(`{"action":"ERROR","error":{"status":202,"code":401}}`)
			return true
		}
		r := s.run(ok, nil)
		time.Sleep(time.Second)
		assert.True(t, r.Stats().Connected)
		assert.Equal(t, []time.Duration{0, ahead}, issued)
	})
}
