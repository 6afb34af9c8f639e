package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// detaching is a handler that detaches texts with "slow" and keeps their settle functions. It records all texts, with
// the attempt if it is not the first.
type detaching struct {
	diary
	mu     sync.Mutex
	settle map[string]func(error)
}

func (d *detaching) handle(_ context.Context, m *blaze.Message) error {
	text := textOf(m)
	if m.Attempt > 1 {
		text = fmt.Sprint(text, "/", m.Attempt)
	}
	d.add("%s", text)
	if textOf(m) == "slow" {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.settle = map[string]func(error){text: m.Detach()}
	}
	return nil
}

func (d *detaching) end(text string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle[text](err)
}

// The conversation and the only worker go on while a message is detached. It is in flight until it is settled.
func TestDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d detaching
		r := run(t, d.handle, func(cfg *blaze.Config) { cfg.Workers = 1 })
		slow := r.say("alice", "slow")
		r.say("alice", "next")
		synctest.Wait()
		r.say("bob", "other")
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"slow", "next", "other"}, d.all())
		assert.Equal(t, []string{slow}, r.Pending())
		s := r.Stats()
		assert.Equal(t, [3]int{0, 1, 0}, [3]int{s.HandlersRunning, s.InboxMessages, s.Waiting})
		assert.EqualValues(t, 2, s.Handled)
		assert.Zero(t, r.log.count(slog.LevelWarn, ""), "no warning about a slow handler")
		r.PushAgain()
		synctest.Wait()
		assert.EqualValues(t, 1, r.Stats().Duplicates)
		d.end("slow", nil)
		r.idle()
		assert.EqualValues(t, 3, r.Stats().Handled)
		assert.Len(t, d.all(), 3)
	})
}

// The first result of settle or of the handler ends the message, by the rules of Handler. A retry does not hold up the
// conversation.
func TestTheResultsOfADetachedMessage(t *testing.T) {
	nothing := func(context.Context, *blaze.Message, func(error)) error { return nil }
	settled := func(err error) func(context.Context, *blaze.Message, func(error)) error {
		return func(_ context.Context, _ *blaze.Message, settle func(error)) error {
			settle(err)
			return nil
		}
	}
	type want struct {
		attempts                           int
		pending                            bool
		handled, declined, failed, dropped uint64
	}
	for name, tt := range map[string]struct {
		handler func(ctx context.Context, m *blaze.Message, settle func(error)) error
		want    want
	}{
		"not settled":           {nothing, want{attempts: 1, pending: true}},
		"nil":                   {settled(nil), want{attempts: 1, handled: 1}},
		"declined":              {settled(blaze.ErrNotHandled), want{attempts: 1, declined: 1}},
		"dropped":               {settled(blaze.ErrDrop), want{attempts: 1, failed: 1, dropped: 1}},
		"an error, three times": {settled(errAny), want{attempts: 3, failed: 3, dropped: 1}},
		"an error of the handler": {func(context.Context, *blaze.Message, func(error)) error {
			return errAny
		}, want{attempts: 3, failed: 3, dropped: 1}},
		"a panic of the handler": {func(context.Context, *blaze.Message, func(error)) error {
			panic("at the disco")
		}, want{attempts: 3, failed: 3, dropped: 1}},
		"Goexit of the handler": {func(context.Context, *blaze.Message, func(error)) error {
			runtime.Goexit()
			return nil
		}, want{attempts: 3, failed: 3, dropped: 1}},
		"nil, then an error": {func(_ context.Context, _ *blaze.Message, settle func(error)) error {
			settle(nil)
			settle(errAny)
			return errAny
		}, want{attempts: 1, handled: 1}},
		"the handler fails before nil": {func(_ context.Context, m *blaze.Message, settle func(error)) error {
			time.AfterFunc(time.Millisecond, func() { settle(nil) })
			return blaze.ErrDrop
		}, want{attempts: 1, failed: 1, dropped: 1}},
		"the second Detach": {func(_ context.Context, m *blaze.Message, settle func(error)) error {
			m.Detach()(errAny)
			settle(nil)
			return nil
		}, want{attempts: 1, handled: 1}},
	} {
		bubble(t, name, func(t *testing.T) {
			var got diary
			r := run(t, func(ctx context.Context, m *blaze.Message) error {
				got.add("%s", textOf(m))
				if textOf(m) != "slow" {
					return nil
				}
				return tt.handler(ctx, m, m.Detach())
			}, func(cfg *blaze.Config) { cfg.HandlerAttempts, cfg.Drain = 3, -1 })
			id := r.say("alice", "slow")
			r.say("alice", "next")
			synctest.Wait()
			assert.Equal(t, []string{"slow", "next"}, got.all(), "the conversation goes on")
			time.Sleep(10 * time.Minute)
			s := r.Stats()
			assert.Equal(t, tt.want, want{
				got.len() - 1, len(r.Pending()) > 0, s.Handled - 1, s.Declined, s.Failed, s.Dropped,
			})
			if tt.want.pending {
				assert.Equal(t, []string{id}, r.Pending())
				require.ErrorIs(t, r.stop(), blaze.ErrDrain)
			}
		})
	}
}

// A message cannot be detached after its handler has returned, nor if it was constructed by hand.
func TestDetachIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		(&blaze.Message{}).Detach()(errAny)
		kept := make(chan *blaze.Message, 1)
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			kept <- m
			return nil
		}, nil)
		r.say("alice", "hi")
		r.idle()
		(<-kept).Detach()(errAny)
		synctest.Wait()
		assert.Zero(t, r.Stats().Failed)
		assert.Zero(t, r.Stats().InboxMessages)
	})
}

// Run waits for a detached message, which may still send and be acknowledged.
func TestRunWaitsForADetachedMessage(t *testing.T) {
	for name, err := range map[string]error{"done": nil, "fails": errAny} {
		bubble(t, name, func(t *testing.T) {
			var r *rig
			r = run(t, func(ctx context.Context, m *blaze.Message) error {
				settle := m.Detach()
				time.AfterFunc(20*time.Second, func() {
					assert.NoError(t, r.Reply(ctx, m, blaze.Text("at last")))
					settle(err)
				})
				return nil
			}, func(cfg *blaze.Config) { cfg.Drain = time.Minute })
			r.say("alice", "slow")
			time.Sleep(time.Second)
			began := time.Now()
			require.NoError(t, r.stop())
			assert.Equal(t, 19*time.Second, time.Since(began).Round(time.Second))
			assert.Len(t, r.Sent(), 1)
			assert.Equal(t, err != nil, len(r.Pending()) == 1, "a failed message is redelivered")
		})
	}
}

// A message that is not settled within Drain is redelivered on the next start. Its late result is discarded.
func TestADetachedMessageIsRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d detaching
		log := new(testkit.Ledger)
		edit := func(cfg *blaze.Config) { cfg.Drain, cfg.Ledger = 10*time.Second, log }
		r := run(t, d.handle, edit)
		id := r.say("alice", "slow")
		synctest.Wait()
		require.ErrorContains(t, r.stop(), "handlers still running: 1")
		d.end("slow", nil)
		assert.Empty(t, log.All())
		assert.Zero(t, r.Stats().Handled)
		next := prepareFor(t, r.Server, edit)
		next.start(t.Context(), d.handle)
		synctest.Wait()
		assert.Equal(t, []string{"slow", "slow"}, d.all())
		d.end("slow", nil)
		next.idle()
		assert.Equal(t, []string{id}, log.All())
	})
}

// With AckManual a settled message waits for Client.Ack. With AckReceived it is acknowledged before, and dropped if it
// fails at the end.
func TestDetachInOtherAckModes(t *testing.T) {
	bubble(t, "AckManual", func(t *testing.T) {
		var d detaching
		r := run(t, d.handle, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		id := r.say("alice", "slow")
		synctest.Wait()
		d.end("slow", nil)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{id}, r.Pending())
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id))
		assert.Empty(t, r.Pending())
	})
	bubble(t, "AckReceived", func(t *testing.T) {
		var d detaching
		r := run(t, d.handle, func(cfg *blaze.Config) { cfg.Ack = blaze.AckReceived })
		id := r.say("alice", "slow")
		r.idle()
		d.end("slow", errAny)
		time.Sleep(5 * time.Second)
		assert.Equal(t, []string{"slow", "slow/2"}, d.all())
		time.AfterFunc(time.Second, func() { d.end("slow/2", errAny) })
		require.NoError(t, r.stop())
		assert.Equal(t, []string{id + ": blaze: Run ended before another attempt: something went wrong"}, r.drops.all())
	})
}

// Replies of a detached message have the same ids at the next attempt.
func TestTheRepliesOfADetachedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			settle := m.Detach()
			go func() {
				err := r.Reply(ctx, m, blaze.Text("answer"))
				if m.Attempt == 1 && err == nil {
					err = errAny
				}
				settle(err)
			}()
			return nil
		}, nil)
		r.say("alice", "slow")
		r.idle()
		assert.Len(t, r.Sent(), 1)
		assert.EqualValues(t, 1, r.Stats().Failed)
	})
}

// A message that was detached and fails does not hold up its conversation, even while its next attempt runs.
func TestARetryOfADetachedMessageRunsBesideItsConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			got.add("%s %d", textOf(m), m.Attempt)
			switch {
			case textOf(m) != "slow":
			case m.Attempt == 1:
				m.Detach()(errAny)
			default:
				time.Sleep(time.Minute)
			}
			return nil
		}, nil)
		r.say("alice", "slow")
		time.Sleep(10 * time.Second)
		r.say("alice", "next")
		synctest.Wait()
		assert.Equal(t, []string{"slow 1", "slow 2", "next 1"}, got.all())
		assert.Equal(t, 1, r.Stats().HandlersRunning)
		r.idle()
	})
}

// Many messages are detached and settled on other goroutines, with every result, while handlers return.
func TestDetachConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			for i := range 3 {
				go func() {
					settle := m.Detach()
					if i == 0 && m.Attempt == 1 {
						settle(errAny)
					}
					settle(nil)
				}()
			}
			if len(textOf(m))%2 == 0 {
				runtime.Gosched()
			}
			return nil
		}, nil)
		for i := range 200 {
			r.say(fmt.Sprint("user", i%7), fmt.Sprint(i))
		}
		r.idle()
		s := r.Stats()
		assert.EqualValues(t, 200, s.Handled)
		assert.Zero(t, s.InboxMessages)
	})
}

// Run waits for a handler that runs on after its message was settled.
func TestRunWaitsForAHandlerThatDetached(t *testing.T) {
	for name, drain := range map[string]time.Duration{"in time": time.Minute, "too late": time.Second} {
		bubble(t, name, func(t *testing.T) {
			ended := make(chan struct{})
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				m.Detach()(nil)
				time.Sleep(20 * time.Second)
				close(ended)
				return nil
			}, func(cfg *blaze.Config) { cfg.Drain = drain })
			r.say("alice", "hi")
			time.Sleep(time.Second)
			err := r.stop()
			if drain < 20*time.Second {
				require.ErrorContains(t, err, "handlers still running: 1")
				<-ended
				return
			}
			require.NoError(t, err)
			select {
			case <-ended:
			default:
				assert.Fail(t, "the handler is running")
			}
		})
	}
}

// A Message that is kept does not keep the bytes that it was decoded from.
func TestAKeptMessageIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, size = 100, 60_000
		kept := make([]*blaze.Message, 0, n)
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			m.Payload, m.Data = nil, nil
			kept = append(kept, m)
			return nil
		}, nil)
		say := func() {
			for range n {
				r.say("alice", strings.Repeat("x", size))
			}
			r.idle()
			runtime.GC()
		}
		say()
		before := gauge.Heap()
		kept = kept[:0]
		say()
		clear(kept)
		runtime.GC()
		assert.Less(t, int64(before)-int64(gauge.Heap()), int64(n*size/2))
	})
}

// A detached message that fails is not reported as one that holds up its conversation.
func TestADetachedMessageHoldsUpNoConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m) == "detached" {
				m.Detach()(errAny)
				return nil
			}
			return errAny
		}, func(cfg *blaze.Config) { cfg.HandlerAttempts, cfg.Drain = -1, -1 })
		r.say("alice", "detached")
		time.Sleep(5 * time.Minute)
		assert.Zero(t, r.log.count(slog.LevelWarn, "conversations wait"))
		r.say("bob", "fails")
		time.Sleep(5 * time.Minute)
		assert.Positive(t, r.log.count(slog.LevelWarn, "conversations wait"))
	})
}
