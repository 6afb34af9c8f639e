package blaze_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func TestAFullInboxLosesNothing(t *testing.T) {
	for _, tt := range []struct{ workers, messages, capacity int }{{1, 200, 16 << 10}, {16, 1000, 256 << 10}} {
		bubble(t, fmt.Sprintf("%d messages, %d workers", tt.messages, tt.workers), func(t *testing.T) {
			const conversations = 7
			messages, capacity := tt.messages, tt.capacity
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
			}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Workers = int64(capacity), tt.workers })
			for i := range messages {
				user := fmt.Sprint("user", i%conversations)
				r.say(user, fmt.Sprint(i))
				want[userID(user)] = append(want[userID(user)], fmt.Sprint(i))
			}
			r.idle()
			assert.Equal(t, want, got, "all, once, in order")
			assert.LessOrEqual(t, most, capacity/512)
			assert.Greater(t, most, capacity/512/2)
			lists := len(r.written.of(actionList))
			assert.Greater(t, lists, 2)
			assert.LessOrEqual(t, lists, 2+messages/(capacity/512/2), "not before half of it is free")
			assert.EqualValues(t, lists, r.Stats().Connects, "each list is the first of its link")
			assert.EqualValues(t, messages, r.Stats().Handled)
			assert.Len(t, r.Acked(), messages)
		})
	}
}

func TestAMessageLargerThanTheInboxIsAccepted(t *testing.T) {
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

func TestALargeMessageWaitsForCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 8 << 10
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if strings.HasPrefix(textOf(m), "slow") {
				time.Sleep(10 * time.Minute)
			}
			got.add("%.4s", textOf(m))
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = capacity })
		synctest.Wait()
		r.say("alice", "slow"+strings.Repeat("x", capacity/2)) // fills half of the inbox until it is handled
		for range 3 {
			r.say("bob", "little"+strings.Repeat("x", 400))
		}
		r.say("carol", "huge"+strings.Repeat("x", capacity-1000))
		r.say("carol", "more")
		time.Sleep(30 * time.Second)
		assert.EqualValues(t, 1, r.Stats().Connects, r.disconnects.String())
		time.Sleep(9 * time.Minute)
		assert.EqualValues(t, 1+9, r.Stats().Connects, "a resync each minute")
		r.idle()
		assert.Equal(t, []string{"litt", "litt", "litt", "slow", "huge", "more"}, got.all())
	})
}

// The name of a category comes from the network and counts in InboxBytes.
func TestALongCategoryUsesCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes = 64 << 10 })
		synctest.Wait()
		for i := range 10 {
			r.Deliver(userID("alice"),
				blaze.Outgoing{Payload: blaze.Raw{As: blaze.Category(fmt.Sprint(i, strings.Repeat("X", 30<<10)))}})
		}
		synctest.Wait()
		assert.Equal(t, 2, r.Stats().InboxMessages)
		r.idle()
		assert.EqualValues(t, 10, r.Stats().Handled)
	})
}

func TestANewLinkBeginsWithAnOpenInbox(t *testing.T) {
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

// streams is a service that answers a list by streaming the messages pending at that time, with the reply in the
// middle. Live messages are pushed at once, between those of the stream, unless the stream still has messages of the
// same conversation.
type streams struct {
	*rawServer
	every time.Duration // between two messages of a stream

	mu     sync.Mutex
	all    []map[string]any
	pushed map[string][]string // texts by user
	conn   *rawConn
	stream []map[string]any // remaining messages for conn
	ahead  map[string]int   // number of messages in stream, by user
}

func (s *streams) say(user string) {
	s.mu.Lock()
	id := userID(user)
	v := message(user, fmt.Sprint(len(s.pushed[id])))
	s.all = append(s.all, v)
	s.pushed[id] = append(s.pushed[id], fmt.Sprint(len(s.pushed[id])))
	conn := s.conn
	if s.ahead[id] > 0 {
		s.stream = append(s.stream, v)
		s.ahead[id]++
		conn = nil
	}
	s.mu.Unlock()
	if conn != nil {
		conn.push(v)
	}
}

func (s *streams) take(r request) bool {
	if r.Action != actionList {
		return false
	}
	acked := s.ackedIDs()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.stream, s.ahead = r.conn, nil, make(map[string]int)
	for _, v := range s.all {
		if !slices.Contains(acked, v["message_id"].(string)) {
			s.stream = append(s.stream, v)
			s.ahead[v["user_id"].(string)]++
		}
	}
	answerAt := len(s.stream) / 2
	s.wg.Go(func() {
		for i := 0; s.next(r.conn) || i <= answerAt; i++ {
			if i == answerAt {
				r.confirm()
			}
			time.Sleep(s.every)
		}
	})
	return true
}

// next pushes the next message of a stream.
func (s *streams) next(conn *rawConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != conn || len(s.stream) == 0 {
		return false
	}
	v := s.stream[0]
	s.stream = s.stream[1:]
	conn.push(v)
	s.ahead[v["user_id"].(string)]--
	return true
}

// Whatever arrives between a list, its reply and its messages, each conversation is handled in order and completely.
func TestMessagesBesideAList(t *testing.T) {
	for _, every := range []time.Duration{0, time.Millisecond} {
		bubble(t, every.String(), func(t *testing.T) {
			s := &streams{rawServer: newReplyingServer(t), every: every, pushed: make(map[string][]string)}
			s.answer = s.take
			for i := range 100 {
				s.say(fmt.Sprint("user", i%5))
			}
			var mu sync.Mutex
			got := make(map[string][]string)
			r := s.run(func(_ context.Context, m *blaze.Message) error {
				time.Sleep(time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				got[m.UserID] = append(got[m.UserID], textOf(m))
				return nil
			}, func(cfg *blaze.Config) { cfg.InboxBytes = 32 << 10 })
			for i := range 300 {
				time.Sleep(3 * time.Millisecond)
				s.say(fmt.Sprint("user", i%15))
			}
			time.Sleep(10 * time.Minute)
			assert.Equal(t, s.pushed, got, "all, once, in order")
			assert.Len(t, r.written.of(actionList), int(r.Stats().Connects))
		})
	}
}

// The close code of a resync shows that the session continues.
func TestCloseCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		var codes diary
		first := true
		s.answer = func(r request) bool {
			if r.Action != actionList {
				return false
			}
			r.conn.onControl(func(f wspeer.Frame) bool {
				if f.Op() == wspeer.Close {
					codes.add("%d", binary.BigEndian.Uint16(f.Payload))
				}
				return false
			})
			r.confirm()
			for i := range 20 {
				if first {
					r.conn.push(message("alice", fmt.Sprint(i)))
				}
			}
			first = false
			return true
		}
		r := s.run(ok, func(cfg *blaze.Config) { cfg.InboxBytes = 4 << 10 })
		time.Sleep(time.Minute)
		assert.NoError(t, r.stop())
		assert.Equal(t, []string{"1001", "1000"}, codes.all())
		assert.Equal(t, []time.Duration{0}, r.waits.durations(t), "without a backoff")
	})
}

// The end of Run does not wait for a peer that does not answer the close frame of a resync.
func TestTheEndDuringAResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		left, release := make(chan struct{}), make(chan struct{})
		s.answer = func(r request) bool {
			if r.Action != actionList {
				return false
			}
			r.conn.onControl(func(f wspeer.Frame) bool {
				if f.Op() == wspeer.Close {
					close(left)
					<-release
				}
				return f.Op() == wspeer.Close
			})
			r.confirm()
			for i := range 20 {
				r.conn.push(message("alice", fmt.Sprint(i)))
			}
			return true
		}
		r := s.run(ok, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Drain = 4<<10, -1 })
		<-left
		began := time.Now()
		r.cancel()
		_ = r.wait()
		assert.Zero(t, time.Since(began))
		close(release)
	})
}
