package blaze_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// An Ack may choose the plural action and then wait for a slot while another Ack finds that the action does not work.
func TestAnAckWaitsWhileThePluralActionTurnsOutUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool { return r.Action == actionAcks }
		r := s.run(ok, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		synctest.Wait()
		var confirmed atomic.Int32
		for i := range 5 {
			go func() {
				assert.NoError(t,
					r.Ack(t.Context(), blaze.StatusRead, userID(fmt.Sprint(i, "a")), userID(fmt.Sprint(i, "b"))))
				confirmed.Add(1)
			}()
		}
		time.Sleep(3 * time.Minute) // 20 s, 40 s and 80 s
		assert.EqualValues(t, 5, confirmed.Load())
		assert.Len(t, r.written.of(actionAcks), 3*5)
		assert.Len(t, r.written.of(actionAck), 10)
	})
}

// The next endpoint may run another version of the service, without the action.
func TestAPluralActionIgnoredAfterItWasConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		var ignore atomic.Bool
		s.answer = func(r request) bool { return ignore.Load() && r.Action == actionAcks }
		r := s.run(ok, nil)
		synctest.Wait()
		pushes := func(text string) {
			for i := range 10 {
				s.conn().push(message(fmt.Sprint("user", i), text))
			}
		}
		pushes("x")
		time.Sleep(time.Second)
		assert.EqualValues(t, 10, r.Stats().Acked)
		ignore.Store(true)
		pushes("y")
		time.Sleep(5 * time.Minute)
		assert.EqualValues(t, 20, r.Stats().Acked)
		assert.Len(t, r.written.of(actionAcks), 1+3, "three attempts, then id by id")
	})
}

// A rate-limited request does not mean that the action is missing.
func TestAPluralActionIsUsedAgainAfterARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		for range 5 {
			r.Intercept(actionAcks, rejected(blaze.CodeTooManyRequests))
		}
		r.crowdSays(10)
		r.idle()
		assert.Len(t, r.written.of(actionAck), 10)
		r.crowdSays(10)
		r.idle()
		assert.Len(t, r.written.of(actionAcks), 6)
		assert.Len(t, r.written.of(actionAck), 10)
	})
}
