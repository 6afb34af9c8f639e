package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// strictServer is a server that rejects a message with 403 if it has stored the id already, or while blocked is set.
type strictServer struct {
	*rawServer
	mu      sync.Mutex
	blocked bool
	silent  int // this number of messages is stored without a reply
	written int
	stored  map[string]bool
}

func newStrictServer(t *testing.T) *strictServer {
	t.Helper()
	s := &strictServer{rawServer: newReplyingServer(t), stored: map[string]bool{}}
	s.answer = func(r request) bool {
		if r.Action != actionSend {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.written++
		if s.blocked || s.stored[r.Params.MessageID] {
			r.reject(blaze.CodeForbidden, "Forbidden")
			return true
		}
		s.stored[r.Params.MessageID] = true
		s.silent--
		return s.silent >= 0
	}
	return s
}

// pushAndWait pushes a message, pending or live, and waits until the bot has acknowledged it.
func (s *strictServer) pushAndWait(pending bool) {
	s.t.Helper()
	m := message("alice", "order 17")
	if pending {
		m["source"] = "LIST_PENDING_MESSAGES"
	}
	synctest.Wait()
	s.conn().push(m)
	time.Sleep(time.Hour)
	require.Len(s.t, s.ackedIDs(), 1)
}

// assertWritten checks the number of message writes and of stored messages.
func (s *strictServer) assertWritten(written, stored int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Equal(s.t, written, s.written, "written")
	assert.Len(s.t, s.stored, stored, "stored")
}

// If a handler fails after many replies, the first 256 are remembered. The others are written again.
func TestTheRepliesThatAreRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const replies = 300
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			for i := range replies {
				if err := r.Reply(ctx, m, blaze.Textf("part %d", i)); err != nil {
					return err
				}
			}
			if m.Attempt == 1 {
				return errAny
			}
			return nil
		}, nil)
		synctest.Wait()
		r.say("alice", "all of it")
		r.idle()
		assert.Len(t, r.written.of(actionSend), replies+replies-256)
		assert.Len(t, r.Sent(), replies)
	})
}

// replyFunc is a way to reply, such as Client.Reply.
type replyFunc func(ctx context.Context, c *blaze.Client, m *blaze.Message) error

const price = blaze.Text("the price is 7")

func replyPrice(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
	return c.Reply(ctx, m, price)
}

func quotePrice(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
	return c.Quote(ctx, m, price)
}

func sendPrice(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
	_, err := c.Send(ctx, m.NewReply(price))
	return err
}

// within limits reply to one second.
func within(reply replyFunc) replyFunc {
	return func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return reply(ctx, c, m)
	}
}

func isUnconfirmed(err error) bool { return errors.As(err, new(*blaze.UnconfirmedError)) }

func TestAReplyRepeatedInOneAttempt(t *testing.T) {
	for name, reply := range map[string]replyFunc{"Reply": replyPrice, "Quote": quotePrice} {
		bubble(t, name, func(t *testing.T) {
			var r *rig
			r = run(t, func(ctx context.Context, m *blaze.Message) error {
				assert.True(t, isUnconfirmed(within(reply)(ctx, r.Client, m)))
				assert.True(t, isUnconfirmed(within(reply)(ctx, r.Client, m)))
				return within(reply)(ctx, r.Client, m)
			}, nil)
			answers(r.Server, actionSend, hang, hang) // stored
			r.say("alice", "price?")
			r.idle()
			assert.Len(t, r.Sent(), 1)
			assert.Len(t, r.written.of(actionSend), 3)
			assert.Zero(t, r.failures.len())
		})
	}
	bubble(t, "all are counted", func(t *testing.T) {
		var want []string
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			var ids []string // by ordinal
			again := blaze.Message{
				ID: m.ID, BotID: m.BotID, ConversationID: m.ConversationID, UserID: m.UserID, Category: m.Category,
			}
			for range 5 {
				ids = append(ids, again.NewReply(price).MessageID)
			}
			want = []string{ids[0], ids[1], ids[3], ids[2]}

			assert.True(t, isUnconfirmed(within(replyPrice)(ctx, r.Client, m)))
			assert.True(t, isUnconfirmed(within(sendPrice)(ctx, r.Client, m)))
			other := m.NewReply(price)
			assert.NoError(t, replyPrice(ctx, r.Client, m))
			assert.NoError(t, replyPrice(ctx, r.Client, m))
			assert.Equal(t, ids[4], m.NewReply(price).MessageID)
			_, err := r.Send(ctx, other)
			return err
		}, nil)
		answers(r.Server, actionSend, hang, hang)
		r.say("alice", "price?")
		r.idle()
		var got []string
		for _, out := range r.Sent() {
			got = append(got, out.MessageID)
		}
		assert.Equal(t, want, got)
		assert.Zero(t, r.failures.len())
	})
	bubble(t, "an unwritten reply is written later", func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if m.Attempt == 1 {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				assert.ErrorIs(t, r.Reply(ended, m, price), context.Canceled)
			}
			if err := r.Reply(ctx, m, price); err != nil {
				return err
			}
			if m.Attempt == 1 {
				return errAny
			}
			return nil
		}, nil)
		r.say("alice", "price?")
		r.idle()
		assert.Len(t, r.Sent(), 1)
	})
	bubble(t, "after a rejection it is a new reply", func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			assert.ErrorIs(t, r.Reply(ctx, m, price), blaze.CodeForbidden)
			return r.Reply(ctx, m, price)
		}, nil)
		answers(r.Server, actionSend, blazetest.Refuse(blaze.CodeForbidden))
		synctest.Wait() // otherwise the message counts as pending
		r.say("alice", "price?")
		r.idle()
		sends := r.written.of(actionSend)
		require.Len(t, sends, 2)
		assert.NotEqual(t, sends[0].Params.MessageID, sends[1].Params.MessageID)
	})
}

func TestAConfirmedReplyIsNotWrittenAgain(t *testing.T) {
	bubble(t, "the handler fails twice", func(t *testing.T) {
		s := newStrictServer(t)
		var r *rig
		r = s.run(func(ctx context.Context, m *blaze.Message) error {
			if err := r.Reply(ctx, m, blaze.Text("working on it")); err != nil {
				return err
			}
			if m.Attempt < 3 {
				return errAny
			}
			return nil
		}, nil)
		s.pushAndWait(false)
		s.assertWritten(1, 1)
		assert.Equal(t, 2, r.failures.len(), "failed attempts")
		assert.EqualValues(t, 1, r.Stats().Handled)
		assert.Zero(t, r.drops.len())
	})
	bubble(t, "each attempt has one more reply", func(t *testing.T) {
		s := newStrictServer(t)
		var r *rig
		r = s.run(func(ctx context.Context, m *blaze.Message) error {
			for range m.Attempt {
				if err := errors.Join(r.Reply(ctx, m, blaze.Text("a")), r.Quote(ctx, m, blaze.Text("a"))); err != nil {
					return err
				}
			}
			if m.Attempt < 4 {
				return errAny
			}
			return nil
		}, nil)
		s.pushAndWait(false)
		s.assertWritten(8, 8)
		assert.EqualValues(t, 1, r.Stats().Handled)
	})
	bubble(t, "many goroutines", func(t *testing.T) {
		s := newStrictServer(t)
		var r *rig
		r = s.run(func(ctx context.Context, m *blaze.Message) error {
			errs := make([]error, 100)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() { errs[i] = r.Reply(ctx, m, blaze.Text(fmt.Sprint(i%10))) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil || m.Attempt == 3 {
				return err
			}
			return errAny
		}, nil)
		s.pushAndWait(false)
		s.assertWritten(100, 100)
		assert.EqualValues(t, 1, r.Stats().Handled)
	})
	bubble(t, "the answer comes after the end of the attempt", func(t *testing.T) {
		s := newRawServer(t)
		replied := make(chan error, 1)
		var r *blaze.Client
		r = s.start(botID, func(ctx context.Context, m *blaze.Message) error {
			if m.Attempt == 1 {
				go func() { replied <- r.Reply(ctx, m, blaze.Text("a")) }()
				return errAny
			}
			return r.Reply(ctx, m, blaze.Text("a"))
		}, nil)
		s.next().confirm() // confirms the list
		s.conn().push(message("alice", "hi"))
		first := s.next()
		require.Equal(t, actionSend, first.Action)
		first.confirm()
		require.NoError(t, <-replied)
		ack := s.next()
		assert.Contains(t, []string{actionAck, actionAcks}, ack.Action, "the second attempt writes nothing")
		ack.confirm()
	})
}

// A 403 may mean that the server has stored the message already.
func TestARejectedReplyThatMayBeStored(t *testing.T) {
	for name, c := range map[string]struct {
		pending bool
		reply   replyFunc
		want    []bool // by attempt: whether the error is an UnconfirmedError
	}{
		"live":              {false, replyPrice, []bool{false}},
		"Backlog, Reply":    {true, replyPrice, []bool{true, false}},
		"Backlog, Quote":    {true, quotePrice, []bool{true, false}},
		"Backlog, NewReply": {true, sendPrice, []bool{false}},
	} {
		bubble(t, "a user who blocked the bot: "+name, func(t *testing.T) {
			s := newStrictServer(t)
			s.blocked = true
			var got []bool
			var r *rig
			r = s.run(func(ctx context.Context, m *blaze.Message) error {
				err := c.reply(ctx, r.Client, m)
				assert.ErrorIs(t, err, blaze.CodeForbidden)
				got = append(got, isUnconfirmed(err))
				return err
			}, nil)
			s.pushAndWait(c.pending)
			assert.Equal(t, c.want, got)
			assert.Equal(t, 1, r.drops.len())
			s.assertWritten(len(c.want), 0)
		})
	}
	bubble(t, "without an answer before", func(t *testing.T) {
		s := newStrictServer(t)
		s.silent = 1
		var got []bool
		var r *rig
		r = s.run(func(ctx context.Context, m *blaze.Message) error {
			err := within(replyPrice)(ctx, r.Client, m)
			if m.Attempt == 1 {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				err = replyPrice(ctx, r.Client, m)
			}
			assert.ErrorIs(t, err, blaze.CodeForbidden)
			got = append(got, isUnconfirmed(err))
			if m.Attempt == 3 {
				return nil // this handler assumes that the reply was sent
			}
			return err
		}, nil)
		s.pushAndWait(false)
		assert.Equal(t, []bool{true, true, true}, got)
		assert.EqualValues(t, 1, r.Stats().Handled)
		s.assertWritten(4, 1)
	})
	bubble(t, "encrypted", func(t *testing.T) {
		r := prepare(t, nil)
		reject := func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeForbidden) }
		r.Intercept(encryptedAction, reject)
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("order 17"), Encrypted: true})
		var got []bool
		r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
			err := r.Reply(ctx, m, price)
			got = append(got, isUnconfirmed(err))
			return err
		})
		r.idle()
		assert.Equal(t, []bool{true, false}, got, "rejected, confirmed")
		assert.Len(t, r.Sent(), 1)
	})
}
