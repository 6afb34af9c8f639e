package blaze_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// A link that is cut after 250 messages counts as healthy and is replaced soon. With a fixed wait of 3 s only 80
// messages per second would arrive.
func TestALinkThatIsCutAgainAndAgain(t *testing.T) {
	bubble(t, "after 250 messages", func(t *testing.T) {
		s := newReplyingServer(t)
		var links atomic.Int64
		s.answer = func(r request) bool {
			if r.Action != actionList {
				return false
			}
			r.confirm()
			link := links.Add(1)
			s.wg.Go(func() {
				for i := range 250 {
					time.Sleep(500 * time.Microsecond)
					r.conn.push(message("alice", fmt.Sprintf("%d %d", link, i)))
				}
				_ = r.conn.Close()
			})
			return true
		}
		r := s.run(ok, nil)
		time.Sleep(5 * time.Second)
		for _, wait := range r.waits.durations(t) {
			assert.LessOrEqual(t, wait, 500*time.Millisecond)
		}
		assert.Greater(t, r.Stats().Handled, uint64(5*80))
		_ = r.stop() // some acknowledgements may be unconfirmed
	})
}

// Confirmed sends and acknowledgements make a link healthy, too. The list, a duplicate, and a message with a failing
// handler do not.
func TestALinkThatIsCutAtOnce(t *testing.T) {
	fails := func(context.Context, *blaze.Message) error { return errAny }
	for name, tt := range map[string]struct {
		handler blaze.Handler
		capital bool // the id of the reply to the list is in capitals
		push    bool // each link pushes the same message
		acks    bool // acknowledgements are confirmed
		grows   bool
	}{
		"the list is answered":             {handler: ok, grows: true},
		"the list is answered in capitals": {handler: ok, capital: true, grows: true},
		"a message that is not new":        {handler: ok, push: true, grows: true},
		"a message with a failing handler": {handler: fails, push: true, grows: true},
		"a message with a confirmed ack":   {handler: ok, push: true, acks: true},
	} {
		bubble(t, name, func(t *testing.T) {
			s := newReplyingServer(t)
			cut := func(r request) {
				time.Sleep(time.Millisecond)
				_ = r.conn.Close()
			}
			s.answer = func(r request) bool {
				if r.Action != actionList {
					if tt.acks {
						r.confirm()
					}
					cut(r)
					return true
				}
				if tt.capital {
					r.ID = strings.ToUpper(r.ID)
				}
				r.confirm()
				if tt.push {
					r.conn.push(message("alice", "hello"))
				}
				if !tt.acks {
					cut(r)
				}
				return true
			}
			r := s.run(tt.handler, func(cfg *blaze.Config) { cfg.HandlerAttempts, cfg.Drain = -1, -1 })
			time.Sleep(5 * time.Minute)
			longest := time.Duration(0)
			for _, wait := range r.waits.durations(t) {
				longest = max(longest, wait)
			}
			if tt.grows {
				assert.Greater(t, longest, 10*time.Second)
				assert.Less(t, r.connects.len(), 60)
			} else {
				assert.LessOrEqual(t, longest, 500*time.Millisecond)
			}
			_ = r.stop() // the acknowledgement may be unconfirmed
		})
	}
}
