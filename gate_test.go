package blaze_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

func TestAFullInboxLosesNothing(t *testing.T) {
	for _, tt := range []struct{ workers, messages, room int }{{1, 200, 16 << 10}, {16, 1000, 256 << 10}} {
		bubble(t, fmt.Sprintf("%d messages, %d workers", tt.messages, tt.workers), func(t *testing.T) {
			const conversations = 7
			messages, room := tt.messages, tt.room
			var mu sync.Mutex
			got := make(map[string][]string)
			want := make(map[string][]string)
			var most int
			var r *rig
			r = run(t, func(_ context.Context, m *blaze.Message) error {
				time.Sleep(time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				got[m.UserID] = append(got[m.UserID], textOf(m))
				most = max(most, r.Stats().InboxMessages)
				return nil
			}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Workers = int64(room), tt.workers })
			for i := range messages {
				user := fmt.Sprint("user", i%conversations)
				r.say(user, fmt.Sprint(i))
				want[userID(user)] = append(want[userID(user)], fmt.Sprint(i))
			}
			r.idle()
			assert.Equal(t, want, got, "all, once, in order")
			assert.LessOrEqual(t, most, room/512)
			assert.Greater(t, most, room/512/2)
			lists := len(r.written.of(actionList))
			assert.Greater(t, lists, 2)
			assert.LessOrEqual(t, lists, 2+messages/(room/512/2), "not before half of it is free")
			assert.EqualValues(t, 1, r.Stats().Connects)
			assert.EqualValues(t, messages, r.Stats().Handled)
			assert.Len(t, r.Acked(), messages)
		})
	}
}

func TestAMessageLargerThanTheInboxIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			got.add("%d", len(m.Data))
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = 1 << 10 })
		r.say("alice", "first")
		r.say("alice", strings.Repeat("x", 100_000))
		r.say("alice", "second")
		r.say("bob", strings.Repeat("x", 50_000))
		r.idle()
		assert.ElementsMatch(t, []string{"5", "100000", "6", "50000"}, got.all())
	})
}

func TestAGateThatDoesNotOpenReplacesTheLink(t *testing.T) {
	for name, gone := range map[string]bool{"the message is still there": false, "the message is gone": true} {
		bubble(t, name, func(t *testing.T) {
			const messages = 20
			var lists atomic.Int32
			var vanished atomic.Value
			vanished.Store("")
			s := newReplyingServer(t)
			s.answer = func(r request) bool {
				// Only the first list of a connection is honoured.
				if r.Action != actionList || lists.Add(1) == 2 {
					return false
				}
				r.confirm()
				acked := s.ackedIDs()
				for i := range messages {
					v := message("alice", fmt.Sprint(i))
					id := v["message_id"].(string)
					if slices.Contains(acked, id) {
						continue
					}
					// The first one not acknowledged is what the gate waits for.
					if gone && lists.Load() == 3 {
						vanished.CompareAndSwap("", id)
					}
					if vanished.Load() != id {
						r.conn.push(v)
					}
				}
				return true
			}
			var got diary
			r := s.run(got.texts(), func(cfg *blaze.Config) { cfg.InboxBytes = 4 << 10 })
			time.Sleep(20*time.Second - time.Millisecond)
			assert.EqualValues(t, 2, lists.Load())
			assert.EqualValues(t, 1, r.Stats().Connects)
			var want []string
			for i := range messages {
				if !gone || i != got.len() {
					want = append(want, fmt.Sprint(i))
				}
			}
			assert.Less(t, got.len(), messages)
			time.Sleep(time.Second) // it listed when the acknowledgements had made room
			assert.EqualValues(t, 2, r.Stats().Connects)
			assert.Equal(t, []time.Duration{0}, r.waits.durations(t), "without a backoff")
			time.Sleep(5 * time.Minute)
			assert.Equal(t, want, got.all(), "in order")
		})
	}
}

// What was asked for again may still not fit, because it is large. The server has done its part.
func TestAGateStaysClosedForALargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 8 << 10
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(10 * time.Minute)
			}
			got.add("%.4s", textOf(m))
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = room })
		synctest.Wait()
		r.say("alice", "slow")
		for range 7 {
			r.say("bob", "little"+strings.Repeat("x", 400))
		}
		r.say("carol", "huge"+strings.Repeat("x", room-1000))
		r.say("carol", "more")
		time.Sleep(9 * time.Minute)
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.Zero(t, r.disconnects.len(), r.disconnects.String())
		r.idle()
		assert.Equal(t, []string{"litt", "litt", "litt", "litt", "litt", "litt", "litt", "slow", "huge", "more"}, got.all())
	})
}

// The name of a category comes from the network, too, and is held.
func TestALongCategoryTakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = 64 << 10 })
		synctest.Wait()
		for i := range 10 {
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: blaze.Category(fmt.Sprint(i, strings.Repeat("X", 30<<10)))}})
		}
		synctest.Wait()
		assert.Equal(t, 2, r.Stats().InboxMessages)
		r.idle()
		assert.EqualValues(t, 10, r.Stats().Handled)
	})
}

func TestANewLinkBeginsWithAnOpenGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			time.Sleep(time.Second)
			got.add("%s", textOf(m))
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = 4 << 10 })
		var want []string
		for i := range 30 {
			r.say("alice", fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		for range 10 {
			time.Sleep(2500 * time.Millisecond)
			r.Cut()
		}
		r.idle()
		assert.Equal(t, want, got.all())
		assert.Greater(t, r.Stats().Connects, uint64(5))
	})
}

// A server may push what is pending before it answers the request: the message at the gate has then come too early, and only
// another connection brings it again.
func TestAListThatIsAnsweredLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 100
		s := newReplyingServer(t)
		s.answer = func(r request) bool {
			if r.Action != actionList {
				return false
			}
			acked := s.ackedIDs()
			for i := range messages {
				if v := message("alice", fmt.Sprint(i)); !slices.Contains(acked, v["message_id"].(string)) {
					r.conn.push(v)
				}
			}
			r.confirm()
			return true
		}
		var got diary
		r := s.run(got.texts(), func(cfg *blaze.Config) { cfg.InboxBytes = 8 << 10 })
		time.Sleep(15 * time.Second)
		var want []string
		for i := range messages {
			want = append(want, fmt.Sprint(i))
		}
		assert.Equal(t, want, got.all(), "in order, and without waiting for ReplyTimeout")
		assert.Greater(t, r.Stats().Connects, uint64(1))
	})
}
