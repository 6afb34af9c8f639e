package faults_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// counter is a handler that records message ids.
type counter struct {
	testkit.Diary
	after blaze.Handler
}

func (c *counter) handle(ctx context.Context, m *blaze.Message) error {
	c.Add("%s", m.ID)
	if c.after != nil {
		return c.after(ctx, m)
	}
	return nil
}

// Fault 32: the server pushes a message several times.
func TestFault32DuplicatePush(t *testing.T) {
	var c counter
	bubble(t, c.handle, nil, func(t *testing.T, b *bench) {
		id := b.deliver("hello")
		for range 5 {
			b.s.Deliver(alice, blaze.Outgoing{MessageID: id, Payload: blaze.Text("hello")})
		}
		b.settled()
		synctest.Wait()
		assert.Equal(t, []string{id}, c.All())
		firedN(t, 32, int(b.c.Stats().Duplicates))
	})
}

// Fault 33: a message that was handled and acknowledged is redelivered after a reconnect.
func TestFault33Redelivery(t *testing.T) {
	var c counter
	bubble(t, c.handle, nil, func(t *testing.T, b *bench) {
		id := b.deliver("hello")
		b.settled()
		synctest.Wait()
		b.s.Cut()
		b.s.Deliver(alice, blaze.Outgoing{MessageID: id, Payload: blaze.Text("hello")})
		b.settled()
		synctest.Wait()
		assert.Equal(t, []string{id}, c.All())
		firedN(t, 33, int(b.c.Stats().Duplicates))
	})
}

// Fault 36: the connection is lost between a handler's return and the acknowledgement. This process does not handle the
// message again. The next process does, unless it is in the Ledger.
func TestFault36LostBeforeAck(t *testing.T) {
	var c counter
	bubble(t, c.handle, nil, func(t *testing.T, b *bench) {
		id := b.deliver("hello")
		synctest.Wait()
		require.Equal(t, []string{id}, c.All())
		require.Equal(t, []string{id}, b.s.Pending())
		for range 20 {
			b.s.Intercept(handshake, testkit.Answer(blazetest.Refuse(blaze.CodeServer)))
		}
		b.s.Cut()
		time.Sleep(10 * time.Second)
		assert.False(t, b.c.Stats().Connected)
		assert.Equal(t, 1, b.c.Stats().AcksWaiting)
		b.settled()
		assert.Equal(t, []string{id}, c.All())
		fired(t, 36)
	})
	t.Run("with a ledger that fails", func(t *testing.T) {
		var c counter
		bubble(t, c.handle, func(b *bench) { b.cfg.Ledger = noLedger{} }, func(t *testing.T, b *bench) {
			for range 3 {
				b.s.Intercept(ack, testkit.Answer(blazetest.Answer{Cut: true}))
			}
			id := b.deliver("hello")
			b.settled()
			assert.Equal(t, []string{id}, c.All(), "the id stays in memory until the acknowledgement")
			firedN(t, 36, len(b.failures()))
		})
	})
	for name, ledger := range map[string]blaze.Ledger{
		"restart without a ledger": nil, "restart with a ledger": &testkit.Ledger{},
	} {
		t.Run(name, func(t *testing.T) {
			var c counter
			bubble(t, c.handle, func(b *bench) {
				b.cfg.Drain, b.cfg.Ledger = -1, ledger
			}, func(t *testing.T, b *bench) {
				id := b.deliver("hello")
				synctest.Wait()
				require.Equal(t, []string{id}, c.All())
				require.ErrorIs(t, b.stop(), blaze.ErrDrain)
				require.Equal(t, []string{id}, b.s.Pending())
				fired(t, 36)
				b.ended = make(chan struct{})
				b.cfg.Drain = 0
				b.run(context.Background(), c.handle)
				b.settled()
				if ledger == nil {
					assert.Equal(t, []string{id, id}, c.All())
				} else {
					assert.Equal(t, []string{id}, c.All())
				}
			})
		})
	}
}

// noLedger is a Ledger that always fails.
type noLedger struct{}

func (noLedger) Handled(context.Context, string) (bool, error) { return false, assert.AnError }
func (noLedger) Record(context.Context, string) error          { return assert.AnError }

func TestFault43HandlerFails(t *testing.T) {
	failing(t, 43, func() error { return errors.New("not now") })
}

func TestFault44HandlerPanics(t *testing.T) {
	for name, value := range map[string]any{"text": "no", "an error that would drop the message": blaze.ErrDrop} {
		t.Run(name, func(t *testing.T) { failing(t, 44, func() error { panic(value) }) })
	}
}

func TestFault45HandlerGoexit(t *testing.T) {
	failing(t, 45, func() error {
		runtime.Goexit()
		return nil
	})
}

// failing checks a handler that fails for one message: other messages are handled, the message is retried, and dropped
// after its last attempt.
func failing(t *testing.T, row int, fail func() error) {
	for _, times := range []int{3, 8} {
		t.Run(strconv.Itoa(times), func(t *testing.T) {
			var bad string
			var b *bench
			var attempts atomic.Int64
			c := counter{after: func(_ context.Context, m *blaze.Message) error {
				if m.ID != bad || m.Attempt > times {
					return nil
				}
				attempts.Add(1)
				assert.NotContains(t, b.s.Acked(), bad)
				return fail()
			}}
			bubble(t, c.handle, func(bench *bench) {
				b = bench
				b.cfg.Workers = 1
			}, func(t *testing.T, _ *bench) {
				bad = blaze.DeriveID("bad")
				b.s.Deliver(alice, blaze.Outgoing{MessageID: bad, Payload: blaze.Text("bad")})
				after := []string{b.deliver("after it")}
				beside := func() string {
					return b.s.Deliver(blazetest.UserID("bob"), blaze.Outgoing{Payload: blaze.Text("beside it")})
				}
				want := []string{bad, beside()}
				time.Sleep(500 * time.Millisecond)
				after = append(after, b.deliver("later"))
				want = append(want, beside())
				synctest.Wait()
				assert.Equal(t, want, c.All(), "another conversation does not wait")
				time.Sleep(10 * time.Minute)
				assert.Empty(t, b.s.Pending())
				want = append(want, slices.Repeat([]string{bad}, min(times, 7))...)
				assert.Equal(t, append(want, after...), c.All(), "the order of the conversation is kept")
				assert.EqualValues(t, times/8, b.c.Stats().Dropped)
				assert.EqualValues(t, times, attempts.Load())
				assert.Empty(t, b.failures())
				firedN(t, row, int(b.c.Stats().Failed))
			})
		})
	}
}

// Fault 46: a handler that never returns blocks only its conversation. Pings continue, and memory is bounded.
func TestFault46HandlerBlocked(t *testing.T) {
	var release chan struct{}
	c := counter{after: func(_ context.Context, m *blaze.Message) error {
		if m.UserID == alice {
			<-release
		}
		return nil
	}}
	bubble(t, c.handle, func(b *bench) {
		release = make(chan struct{})
		b.cfg.Workers, b.cfg.InboxBytes = 2, 20*600
	}, func(t *testing.T, b *bench) {
		var ids []string
		for n := range 100 {
			ids = append(ids, b.deliver(fmt.Sprint("message ", n)))
		}
		time.Sleep(time.Hour)
		stats := b.c.Stats()
		assert.Equal(t, 1, stats.HandlersRunning)
		assert.LessOrEqual(t, stats.InboxMessages, 24)
		assert.Empty(t, b.failures(), "pings continue")
		assert.WithinDuration(t, time.Now(), stats.LastRead, 16*time.Second)
		_, err := b.send(t.Context(), "sends continue")
		require.NoError(t, err)
		other := b.s.Deliver(blazetest.UserID("bob"), blaze.Outgoing{Payload: blaze.Text("beside it")})
		synctest.Wait()
		require.Equal(t, []string{ids[0], other}, c.All())
		fired(t, 46)
		close(release)
		b.settled()
		ids = slices.Insert(ids, 1, other)
		assert.Equal(t, ids, c.All(), "nothing is lost, and the order is kept")
		for _, err := range b.failures() {
			assert.ErrorContains(t, err, "to list pending messages again")
		}
	})
}

// Fault 47: handlers send, reply and quote, with one worker and capacity for one request.
func TestFault47HandlerSends(t *testing.T) {
	var b *bench
	c := counter{after: func(ctx context.Context, m *blaze.Message) error {
		if _, err := b.c.Send(ctx, blaze.To(m.ConversationID, blaze.Text("sent"))); err != nil {
			return err
		}
		if err := b.c.Quote(ctx, m, blaze.Text("quoting")); err != nil {
			return err
		}
		return b.c.Reply(ctx, m, blaze.Text("answer"))
	}}
	bubble(t, c.handle, func(bench *bench) {
		b = bench
		b.cfg.Workers, b.cfg.OutboxLen = 1, 1
	}, func(t *testing.T, _ *bench) {
		for n := range 200 {
			b.s.Deliver(blazetest.UserID(strconv.Itoa(n)), blaze.Outgoing{Payload: blaze.Text("hello")})
		}
		b.settled()
		assert.Len(t, b.s.Sent(), 3*200)
		assert.EqualValues(t, 3*200, b.c.Stats().Sent)
		firedN(t, 47, len(c.All()))
	})
}

// Fault 49: more messages are pending than fit into the inbox.
func TestFault49Backlog(t *testing.T) {
	messages, capacity := 100_000, int64(32<<20)
	if testkit.Race {
		messages, capacity = 3_000, 1<<20
	}
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		defer s.Close()
		b := newBench(t, s)
		b.cfg.Trace = nil
		b.cfg.InboxBytes = capacity
		for n := range messages {
			s.Deliver(blazetest.UserID(strconv.Itoa(n%50)), blaze.Outgoing{Payload: blaze.Text("hello")})
		}
		var lists, handled atomic.Int64
		testkit.Always(s, list, func(blazetest.Frame) blazetest.Answer {
			lists.Add(1)
			return blazetest.Answer{}
		})
		release := make(chan struct{})
		before := heap()
		b.run(context.Background(), blaze.On(func(context.Context, *blaze.Message, blaze.Payload) error {
			<-release
			handled.Add(1)
			return nil
		}))
		synctest.Wait() // everything was pushed and nothing handled
		accepted := b.c.Stats().InboxMessages
		assert.LessOrEqual(t, int64(accepted), capacity/512)
		assert.Greater(t, int64(accepted), capacity/600, "the capacity is used")
		assert.Less(t, heap()-before, 2*capacity+8<<20, "including ids and overhead")
		firedN(t, 49, messages-accepted)

		close(release)
		b.settled()
		assert.EqualValues(t, messages, handled.Load())
		assert.Greater(t, lists.Load(), int64(1), "rejected messages were requested again")
		assert.EqualValues(t, lists.Load(), b.c.Stats().Connects, "one list request per connection")
		require.NoError(t, b.stop())
		assert.Less(t, b.c.Stats().FramesWritten, uint64(messages/10), "acknowledgements are sent in batches")
	})
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Fault 50: the list request is rejected, gets no reply, or the connection is lost before the reply.
func TestFault50ListFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer blazetest.Answer
		times  int
		links  int
	}{
		"failing": {blazetest.Refuse(blaze.CodeServer), 4, 5}, "lost": {blazetest.Answer{Cut: true}, 3, 4},
		"no reply": {blazetest.Answer{Bytes: wspeer.Gzip(`{"id":"x","action":"X"}`)}, 1, 2},
		"rejected": {blazetest.Refuse(blaze.CodeForbidden), 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var c counter
			failed := 0
			bubble(t, c.handle, func(b *bench) {
				for range test.times {
					b.s.Intercept(list, func(blazetest.Frame) blazetest.Answer {
						failed++
						return test.answer
					})
				}
				b.deliver("hello")
			}, func(t *testing.T, b *bench) {
				b.settled()
				assert.Len(t, c.All(), 1)
				assert.Equal(t, test.links, b.connects())
				firedN(t, 50, failed)
			})
		})
	}
}
