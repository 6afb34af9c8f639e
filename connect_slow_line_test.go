package blaze_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// slowLine is a service behind a slow line. It pushes all pending messages with a pause before each, and only then
// writes replies and pongs.
type slowLine struct {
	*rawServer
	pending []map[string]any
	every   time.Duration

	mu     sync.Mutex
	queues map[*rawConn]chan func()
	acked  map[string]bool
	sent   map[string]bool
}

func newSlowLine(t *testing.T, pending int, every time.Duration) *slowLine {
	s := &slowLine{
		rawServer: newReplyingServer(t), every: every,
		queues: make(map[*rawConn]chan func()), acked: make(map[string]bool), sent: make(map[string]bool),
	}
	for i := range pending {
		s.pending = append(s.pending, message(fmt.Sprint("user", i%100), fmt.Sprint(i)))
	}
	s.answer = s.take
	return s
}

// take queues the reply to a request behind the pending messages. The connection's reader calls it.
func (s *slowLine) take(r request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[r.conn]
	if r.Action == actionList {
		q = make(chan func(), 1<<16)
		s.queues[r.conn] = q
		r.conn.onControl(func(f wspeer.Frame) bool {
			if f.Op() == wspeer.Ping {
				q <- func() { r.conn.write(wspeer.Pong, f.Payload) }
			}
			return f.Op() == wspeer.Ping
		})
		s.wg.Go(func() { s.speak(r.conn, q) })
	}
	for _, id := range r.ids() {
		if r.Action == actionSend {
			s.sent[id] = true
		} else {
			s.acked[id] = true
		}
	}
	q <- r.confirm
	return true
}

// speak pushes the pending messages and then writes replies and pongs until an hour passes without any.
func (s *slowLine) speak(c *rawConn, q <-chan func()) {
	for _, m := range s.pending {
		s.mu.Lock()
		done := s.acked[m["message_id"].(string)]
		s.mu.Unlock()
		if done {
			continue
		}
		time.Sleep(s.every)
		c.push(m)
	}
	for {
		select {
		case say := <-q:
			say()
		case <-time.After(time.Hour):
			return
		}
	}
}

// All replies and pongs follow the pending messages. However long these last, all messages are handled and
// acknowledged.
func TestRepliesBehindPushes(t *testing.T) {
	for _, tt := range []struct {
		pending  int
		lasts    time.Duration
		connects uint64
	}{
		{1000, 50 * time.Second, 1},
		{200, 10 * time.Minute, 3}, // a ping may be unanswered for 3 minutes, then 6, 12
		{200, time.Hour, 6},
	} {
		bubble(t, tt.lasts.String(), func(t *testing.T) {
			s := newSlowLine(t, tt.pending, tt.lasts/time.Duration(tt.pending))
			r := prepareWith(t, keyOf(botID), s.config(), nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				return r.Reply(ctx, m, blaze.Text("yes"))
			})
			time.Sleep(tt.lasts*4 + time.Hour)
			stats := r.Stats()
			assert.EqualValues(t, tt.pending, stats.Handled)
			assert.EqualValues(t, tt.pending, stats.Acked)
			assert.Len(t, s.acked, tt.pending)
			assert.Len(t, s.sent, tt.pending)
			assert.Equal(t, tt.connects, stats.Connects)
			assert.NoError(t, r.stop())
			s.cut()
		})
	}
}
