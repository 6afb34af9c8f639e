package blaze_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// A clock that is more than a day off is not corrected. Only the service's own header makes the clock the reported
// cause of the end of Run: the Date header may come from another server.
func TestAClockThatIsFarOff(t *testing.T) {
	for _, ahead := range []time.Duration{48 * time.Hour, -48 * time.Hour, 100 * 365 * 24 * time.Hour} {
		for _, date := range []bool{false, true} {
			bubble(t, fmt.Sprint(ahead, " ", date), func(t *testing.T) {
				s := newReplyingServer(t)
				g := (&gatekeeper{ahead: ahead, strict: true, date: date}).guard(s)
				err := s.run(ok, nil).wait()
				require.ErrorIs(t, err, blaze.CodeUnauthorized)
				if date {
					assert.NotErrorIs(t, err, blaze.ErrClockSkew)
				} else {
					assert.ErrorIs(t, err, blaze.ErrClockSkew)
				}
				for _, token := range append(g.tokens, g.queried...) {
					assert.LessOrEqual(t, time.Until(time.Unix(token.IssuedAt, 0)).Abs(), 24*time.Hour)
				}
			})
		}
	}
}

// The login page of a network has another clock and answers the handshake and GET /me with 401. That is no evidence
// against this machine's clock. The time in the service's own header counts once the service responds.
func TestTheClockOfAnotherServer(t *testing.T) {
	bubble(t, "its date", func(t *testing.T) {
		until := time.Now().Add(time.Hour)
		var tokens []claims
		s := newReplyingServer(t)
		portal := func(w http.ResponseWriter) {
			w.Header().Set("Date", time.Now().Add(-3*time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"data":{},"message":"log in to the WiFi"}`)
		}
		s.me = func(w http.ResponseWriter, _ *http.Request) {
			if time.Now().Before(until) {
				portal(w)
				return
			}
			_, _ = fmt.Fprint(w, `{"data":{"user_id":"`+botID+`"}}`)
		}
		s.handshake = func(w http.ResponseWriter, r *http.Request) bool {
			tokens = append(tokens, claimsOf(t, r))
			if time.Now().Before(until) && len(tokens) > 1 {
				portal(w)
				return true
			}
			if time.Until(time.Unix(tokens[len(tokens)-1].IssuedAt, 0)).Abs() > 5*time.Minute {
				w.Header().Set("X-Server-Time", strconv.FormatInt(time.Now().UnixNano(), 10))
				unauthorized(w)
				return true
			}
			return false
		}
		r := s.run(ok, nil)
		time.Sleep(2 * time.Minute) // the connection worked
		s.cut()
		time.Sleep(2 * time.Hour)
		assert.True(t, r.Stats().Connected)
		assert.EqualValues(t, 2, r.Stats().Connects)
	})
}
