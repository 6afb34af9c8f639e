package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func ok(context.Context, *blaze.Message) error { return nil }

// crowdSays delivers one message of each of n users.
func (r *rig) crowdSays(n int) (ids []string) {
	for i := range n {
		ids = append(ids, r.say(fmt.Sprint("user", i), "hello"))
	}
	return ids
}

func TestNoAckBeforeTheHandlerReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, nil)
		id := r.say("alice", "hello")
		time.Sleep(time.Minute - time.Millisecond)
		assert.Empty(t, r.written.of(actionAck))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		assert.Empty(t, r.written.of(actionAck), "it waits for more acknowledgements")
		assert.Equal(t, 1, r.Stats().AcksWaiting)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, []string{id}, r.Acked())
		assert.Zero(t, r.Stats().AcksWaiting)
		assert.EqualValues(t, 1, r.Stats().Acked)
	})
}

func TestAcksShareFrames(t *testing.T) {
	for _, tt := range []struct {
		batch, messages  int
		plural, singular []int
	}{
		{0, 200, []int{80, 80, 40}, nil},
		{0, 161, []int{80, 80}, []int{1}},
		{0, 1, nil, []int{1}},
		{0, 2, []int{2}, nil},
		{100, 200, []int{100, 100}, nil},
		{1, 5, nil, []int{1, 1, 1, 1, 1}},
	} {
		bubble(t, fmt.Sprintf("%d of %d", tt.messages, tt.batch), func(t *testing.T) {
			r := run(t, ok, func(cfg *blaze.Config) { cfg.AckBatch = tt.batch })
			ids := r.crowdSays(tt.messages)
			r.idle()
			assert.ElementsMatch(t, ids, r.Acked())
			assert.Equal(t, tt.plural, sizes(r.written.of(actionAcks)))
			assert.Equal(t, tt.singular, sizes(r.written.of(actionAck)))
		})
	}
}

func TestAckStatus(t *testing.T) {
	for status, want := range map[blaze.Status]string{
		"": "READ", blaze.StatusRead: "READ", blaze.StatusDelivered: "DELIVERED",
	} {
		bubble(t, want+" for "+string(status), func(t *testing.T) {
			r := run(t, ok, func(cfg *blaze.Config) { cfg.AckStatus = status })
			r.say("alice", "hello")
			r.idle()
			r.crowdSays(2)
			r.idle()
			assert.Equal(t, want, r.written.of(actionAck)[0].Params.Status)
			for _, m := range r.written.of(actionAcks)[0].Params.Messages {
				assert.Equal(t, want, m.Status)
			}
		})
	}
}

// ignored answers with bytes that are not a frame. The request is neither carried out nor answered.
func ignored(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Bytes: []byte("?")} }

func rejected(code blaze.Code) func(blazetest.Frame) blazetest.Answer {
	return func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(code) }
}

// If the server does not support the plural action, the client tests it with two ids after one minute, two minutes, and
// so on.
func TestAServerWithoutPluralAcks(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   func(request) bool
		attempts int // of a frame of several ids
	}{
		"unknown action": {func(r request) bool { r.reject(blaze.CodeNotFound, "no such action"); return true }, 1},
		"invalid action": {func(r request) bool { r.reject(blaze.CodeInvalidField, "action"); return true }, 1},
		"not answered":   {func(request) bool { return true }, 3},
	} {
		bubble(t, name, func(t *testing.T) {
			s := newReplyingServer(t)
			s.answer = func(r request) bool { return r.Action == actionAcks && tt.answer(r) }
			r := s.run(ok, nil)
			synctest.Wait()
			crowd := func() {
				for i := range 10 {
					s.conn().push(message(fmt.Sprint("user", i), fmt.Sprint(time.Now())))
				}
			}
			crowd()
			time.Sleep(time.Duration(tt.attempts-1)*70*time.Second + time.Second) // 140 s of silence for three attempts
			assert.EqualValues(t, 10, r.Stats().Acked)
			assert.Len(t, r.written.of(actionAcks), tt.attempts)
			assert.Len(t, r.written.of(actionAck), 10)
			for trial, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
				time.Sleep(pause - 5*time.Second)
				crowd()
				time.Sleep(time.Second)
				assert.Len(t, r.written.of(actionAcks), tt.attempts*(1+trial), "not used for %v", pause)
				time.Sleep(5 * time.Second)
				crowd()
				time.Sleep(time.Duration(tt.attempts-1)*70*time.Second + time.Second)
				frames := r.written.of(actionAcks)
				assert.Len(t, frames, tt.attempts*(2+trial))
				assert.Len(t, frames[len(frames)-1].Params.Messages, 2, "a trial")
			}
			stats := r.Stats()
			assert.EqualValues(t, 70, stats.Acked)
			assert.EqualValues(t, 1, stats.Connects)
			assert.Zero(t, stats.AcksForgotten)
		})
	}
}

func TestARejectedPluralAckIsSentSinglyOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		r.crowdSays(10)
		r.idle()
		r.Intercept(actionAcks, rejected(blaze.CodeInvalidField))
		second := r.crowdSays(10)
		r.idle()
		assert.ElementsMatch(t, second, idsOf(r.written.of(actionAck)))
		r.crowdSays(10)
		r.idle()
		assert.Equal(t, []int{10, 10, 10}, sizes(r.written.of(actionAcks)))
		assert.Len(t, r.Acked(), 30)
	})
}

func TestAnAckIsRetriedAfterATransientRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		r.Intercept(actionAcks, rejected(blaze.CodeBlazeServer))
		r.Intercept(actionAcks, rejected(blaze.CodeTooManyRequests))
		r.crowdSays(10)
		r.idle()
		fs := r.written.of(actionAcks)
		assert.Equal(t, []int{10, 10, 10}, sizes(fs))
		assert.Equal(t, fs[0], fs[2], "the same request")
		assert.Empty(t, r.written.of(actionAck))
		assert.EqualValues(t, 2, r.Stats().Resent)
	})
}

func TestAnAckLostWithItsConnectionIsConfirmedOnTheNext(t *testing.T) {
	for name, answer := range map[string]blazetest.Answer{
		"before it counted": {Cut: true}, "after it counted": {Cut: true, Hang: true},
	} {
		for action, messages := range map[string]int{actionAck: 1, actionAcks: 10} {
			bubble(t, fmt.Sprint(name, ", ", messages), func(t *testing.T) {
				var handled diary
				r := run(t, handled.texts(), nil)
				answers(r.Server, action, answer)
				ids := r.crowdSays(messages)
				time.Sleep(10 * time.Second)
				r.idle()
				assert.ElementsMatch(t, ids, r.Acked())
				assert.Equal(t, messages, handled.len())
				s := r.Stats()
				assert.EqualValues(t, 2, s.Connects)
				assert.EqualValues(t, messages, s.Acked)
				assert.Zero(t, s.AcksForgotten+uint64(s.AcksWaiting))
				if !answer.Hang {
					assert.EqualValues(t, messages, s.Duplicates, "they were redelivered while in flight")
				}
			})
		}
	}
}

func TestARejectedAckIsForgotten(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   func(blazetest.Frame) blazetest.Answer
		attempts int
	}{
		"rejected":           {rejected(blaze.CodeForbidden), 1},
		"always temporarily": {rejected(blaze.CodeServer), 3},
		"never answered":     {ignored, 3}, // 20 s, 40 s and 80 s
	} {
		bubble(t, name, func(t *testing.T) {
			var handled diary
			r := run(t, handled.texts(), func(cfg *blaze.Config) { cfg.SendAttempts = 3 })
			for range tt.attempts {
				r.Intercept(actionAck, tt.answer)
			}
			id := r.say("alice", "hello")
			time.Sleep(10 * time.Minute)
			assert.Len(t, r.written.of(actionAck), tt.attempts)
			assert.EqualValues(t, 1, r.Stats().AcksForgotten)
			assert.Zero(t, r.Stats().AcksWaiting)
			assert.EqualValues(t, 1, r.Stats().Connects)
			r.Cut()
			time.Sleep(time.Minute)
			assert.Equal(t, []string{id}, r.Acked(), "redelivered, it is in the Ledger")
			assert.Equal(t, 1, handled.len())
			assert.NotZero(t, r.Stats().Duplicates)
			assert.EqualValues(t, 1, r.Stats().Acked)
		})
	}
}

func TestAckReceivedAcknowledgesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		var order diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			order.add("attempt %d, recorded %d", m.Attempt, len(l.all()))
			if m.Attempt < 3 {
				time.Sleep(time.Minute)
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.Ack, cfg.Ledger = blaze.AckReceived, &l })
		id := r.say("alice", "hello")
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, []string{id}, r.Acked(), "while the handler runs")
		r.Cut()
		time.Sleep(5 * time.Minute)
		assert.Equal(t,
			[]string{"attempt 1, recorded 1", "attempt 2, recorded 1", "attempt 3, recorded 1"}, order.all())
		assert.Equal(t, []string{id}, l.all())
		assert.EqualValues(t, 1, r.Stats().Acked)
		assert.EqualValues(t, 1, r.Stats().Handled)
	})
}

func TestAckReceivedAcknowledgesWhenAWorkerStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.Ack = blaze.AckReceived })
		first, second := r.say("alice", "1"), r.say("alice", "2")
		time.Sleep(30 * time.Second)
		assert.Equal(t, []string{first}, r.Acked())
		time.Sleep(time.Minute)
		assert.Equal(t, []string{first, second}, r.Acked())
		time.Sleep(time.Minute)
	})
}

func TestAcksLeaveABoundedNumberOfFramesUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		var acks atomic.Int32
		s.answer = func(r request) bool {
			if r.Action == actionAck {
				acks.Add(1)
			}
			return r.Action == actionAck
		}
		r := s.run(ok, func(cfg *blaze.Config) { cfg.AckBatch = 1 })
		synctest.Wait()
		for i := range 600 {
			s.conn().push(message(fmt.Sprint("user", i), "hello"))
		}
		time.Sleep(19 * time.Second)
		assert.EqualValues(t, 512, acks.Load())
		assert.Equal(t, 600, r.Stats().AcksWaiting)
		assert.ErrorIs(t, r.stop(), blaze.ErrDrain)
	})
}

func TestAckErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		id := userID("a message")
		for _, status := range []blaze.Status{blaze.StatusSent, "", "SEEN"} {
			assert.ErrorIs(t, r.Ack(t.Context(), status, id), blaze.ErrInvalid)
		}
		assert.ErrorIs(t, r.Ack(t.Context(), blaze.StatusRead, id, ""), blaze.ErrInvalid)
		assert.ErrorIs(t, r.Ack(t.Context(), blaze.StatusRead, string(make([]byte, 65))), blaze.ErrInvalid)
		assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead))
		assert.Empty(t, r.written.of(actionAck))

		r.Intercept(actionAck, rejected(blaze.CodeForbidden))
		err := r.Ack(t.Context(), blaze.StatusRead, id)
		var rejection *blaze.Error
		assert.ErrorAs(t, err, &rejection)
		assert.ErrorIs(t, err, blaze.CodeForbidden)
		assert.Equal(t, id, rejection.MessageID)
		assert.Equal(t, actionAck, rejection.Action)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.Intercept(actionAck, ignored)
		assert.ErrorIs(t, r.Ack(ctx, blaze.StatusRead, id), context.DeadlineExceeded)
		assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id))
		assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id), "a second Ack is harmless")
	})
}

func TestAckSplits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		var ids []string
		for i := range 170 {
			ids = append(ids, userID(fmt.Sprint("message", i)))
		}
		assert.NoError(t, r.Ack(t.Context(), blaze.StatusDelivered, ids...))
		assert.Equal(t, []int{80, 80, 10}, sizes(r.written.of(actionAcks)))
		assert.Equal(t, ids, idsOf(r.written.of(actionAcks)))
		assert.Equal(t, "DELIVERED", r.written.of(actionAcks)[0].Params.Messages[0].Status)
		assert.Equal(t, ids, r.Acked())
		assert.EqualValues(t, 170, r.Stats().Acked)

		// If the frame is rejected, the ids are sent singly, and their errors are joined.
		r.Intercept(actionAcks, rejected(blaze.CodeInvalidField))
		r.Intercept(actionAck, rejected(blaze.CodeForbidden))
		r.Intercept(actionAck, rejected(blaze.CodeNotFound))
		err := r.Ack(t.Context(), blaze.StatusRead, ids[:5]...)
		assert.ErrorIs(t, err, blaze.CodeForbidden)
		assert.ErrorIs(t, err, blaze.CodeNotFound)
		assert.Equal(t, ids[:5], idsOf(r.written.of(actionAck)))
	})
}

func TestAckBeforeAndAfterRun(t *testing.T) {
	for name, mode := range ackModes {
		bubble(t, name, func(t *testing.T) {
			var l ledger
			r := prepare(t, func(cfg *blaze.Config) { cfg.Ack, cfg.Ledger = mode, &l })
			id := userID("a message")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := r.Ack(ctx, blaze.StatusRead, id)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorIs(t, err, blaze.ErrNotRunning)

			// Four Acks wait at once. The fifth waits for a slot.
			acked := make(chan error)
			for i := range 5 {
				go func() { acked <- r.Ack(t.Context(), blaze.StatusRead, userID(fmt.Sprint("message", i))) }()
			}
			synctest.Wait()
			r.start(t.Context(), ok)
			for range 5 {
				assert.NoError(t, <-acked)
			}
			assert.Len(t, r.Acked(), 5)
			assert.NoError(t, r.stop())
			assert.ErrorIs(t, r.Ack(t.Context(), blaze.StatusRead, id), blaze.ErrClosed)
			assert.Zero(t, r.log.count(slog.LevelWarn, "Ledger"), "it is never called without a context")
			if mode == blaze.AckManual {
				assert.Subset(t, l.all(), r.Acked())
			} else {
				assert.Empty(t, l.all())
			}
		})
	}
}

func TestAcksGoOutWhileClientAcksToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			return r.Ack(ctx, blaze.StatusRead, m.ID)
		}, func(cfg *blaze.Config) {
			cfg.AckStatus = blaze.StatusDelivered
		})
		ids := r.crowdSays(100)
		r.idle()
		assert.ElementsMatch(t, ids, r.Acked())
		time.Sleep(time.Second)
		assert.EqualValues(t, 200, r.Stats().Acked)
		assert.True(t, slices.Equal(sizes(r.written.of(actionAcks)), []int{80, 20}))
	})
}

// A server that rejects all frames of several acknowledgements as transient may accept single ones.
func TestPluralAcksAlwaysRejectedAsTransient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		always(r.Server, actionAcks, blazetest.Refuse(blaze.CodeServer))
		for range 3 {
			r.say("alice", "x")
		}
		r.idle()
		synctest.Wait()
		assert.EqualValues(t, 3, r.Stats().Acked)
		assert.Zero(t, r.Stats().AcksForgotten)
		assert.Len(t, r.written.of(actionAck), 3)
	})
}

// Without the plural action each acknowledgement is a frame of its own. No frame waits for more ids.
func TestSingleAcknowledgementsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		r.Intercept(actionAcks, rejected(blaze.CodeInvalidField))
		deliver := func() {
			for range 20 {
				r.say("alice", "hi")
			}
			r.idle()
		}
		deliver() // the client learns that the action is missing
		began := time.Now()
		deliver()
		assert.Less(t, time.Since(began), 100*time.Millisecond)
	})
}
