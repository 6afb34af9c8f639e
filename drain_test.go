package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestRunRunsOnce(t *testing.T) {
	bubble(t, "with a connection", func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		assert.ErrorIs(t, r.Run(t.Context(), ok), blaze.ErrClosed)
		r.say("alice", "hello")
		r.idle()
		require.NoError(t, r.stop())
		assert.ErrorIs(t, r.Run(t.Context(), ok), blaze.ErrClosed)
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		assert.ErrorIs(t, err, blaze.ErrClosed)
	})
	bubble(t, "in backoff", func(t *testing.T) {
		r := run(t, nil, func(cfg *blaze.Config) {
			cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errAny }
		})
		synctest.Wait()
		require.Equal(t, 1, r.disconnects.len())
		assert.ErrorIs(t, r.Run(t.Context(), nil), blaze.ErrClosed)
	})
}

func TestNoGoroutineButBetweenRunAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		synctest.Wait()
		before := runtime.NumGoroutine()
		r := prepareFor(t, s, nil)
		assert.Equal(t, blaze.Stats{}, r.Stats())
		assertGoroutines(t, before)
		r.start(t.Context(), ok)
		r.crowdSays(50)
		r.idle()
		r.Cut()
		r.crowdSays(50)
		r.idle()
		assert.Greater(t, runtime.NumGoroutine(), before)
		require.NoError(t, r.stop())
		assertGoroutines(t, before)
	})
}

func TestTheEndDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		start := time.Now()
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			time.Sleep(2 * time.Second)
			assert.NoError(t, ctx.Err())
			return r.Reply(ctx, m, blaze.Text("done"))
		}, nil)
		running, queued := r.say("alice", "running"), r.say("alice", "queued")
		time.Sleep(time.Second)
		r.cancel()
		synctest.Wait()
		late := r.say("bob", "too late")
		require.NoError(t, r.wait())
		assert.Equal(t, 2*time.Second, time.Since(start), "acknowledgements are flushed")
		assert.Equal(t, []string{running}, r.Acked())
		assert.Equal(t, []string{queued, late}, r.Pending())
		assert.Len(t, r.Sent(), 1)
		s := r.Stats()
		assert.False(t, s.Connected)
		assert.Zero(t, s.HandlersRunning+s.InboxMessages+s.OutboxRequests+s.AcksWaiting)
		assert.Zero(t, r.disconnects.len(), "an orderly end is not a lost connection")
	})
}

func TestTheEndWaitsForSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		r.Intercept(actionSend, rejected(blaze.CodeServer)) // the request is in backoff for about a second
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			sent <- err
		}()
		synctest.Wait()
		require.NoError(t, r.stop())
		assert.NoError(t, <-sent)
		assert.Len(t, r.Sent(), 1)
	})
}

// slowly answers as usual, after a delay.
func slowly(d time.Duration) func(blazetest.Frame) blazetest.Answer {
	return func(blazetest.Frame) blazetest.Answer {
		time.Sleep(d)
		return blazetest.Answer{}
	}
}

func TestTheEndWaitsForClientAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		r.Intercept(actionAck, slowly(time.Second))
		r.Intercept(actionAcks, slowly(time.Second))
		acked := make(chan error, 2)
		go func() { acked <- r.Ack(t.Context(), blaze.StatusRead, userID("a message")) }()
		go func() { acked <- r.Ack(t.Context(), blaze.StatusRead, userID("two"), userID("more")) }()
		synctest.Wait()
		assert.Equal(t, 3, r.Stats().AcksWaiting)
		require.NoError(t, r.stop())
		assert.NoError(t, <-acked)
		assert.NoError(t, <-acked)
		assert.Len(t, r.Acked(), 3)
	})
}

func TestNothingIsAcceptedWhileTheLastRepliesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		synctest.Wait()
		r.Intercept(actionSend, slowly(time.Second))
		go func() {
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			assert.NoError(t, err)
		}()
		synctest.Wait()
		r.cancel()
		synctest.Wait()
		assert.ErrorIs(t, r.Ack(t.Context(), blaze.StatusRead, userID("a message")), blaze.ErrClosed)
		assert.ErrorIs(t, r.Ack(t.Context(), blaze.StatusRead, userID("two"), userID("more")), blaze.ErrClosed)
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("more")))
		assert.ErrorIs(t, err, blaze.ErrClosed)
		require.NoError(t, r.wait())
		assert.Len(t, r.Sent(), 1)
		assert.Empty(t, r.Acked())
	})
}

func TestHandlersThatDoNotEndAreAbandoned(t *testing.T) {
	for name, drain := range map[string]time.Duration{"default": 0, "longer": time.Minute, "none": -1} {
		bubble(t, name, func(t *testing.T) {
			want := drain
			switch drain {
			case 0:
				want = 5 * time.Second
			case -1:
				want = 0
			}
			var l ledger
			var r *rig
			var after diary
			over := make(chan time.Time, 2)
			r = run(t, func(ctx context.Context, m *blaze.Message) error {
				<-ctx.Done()
				over <- time.Now()
				time.Sleep(time.Hour)
				after.add("%v", r.Reply(context.WithoutCancel(ctx), m, blaze.Text("late")))
				return nil
			}, func(cfg *blaze.Config) { cfg.Drain, cfg.Ledger = drain, &l })
			ids := r.crowdSays(2)
			synctest.Wait()
			start := time.Now()
			err := r.stop()
			assert.ErrorIs(t, err, blaze.ErrDrain)
			assert.ErrorContains(t, err, "handlers still running: 2")
			assert.Equal(t, want, time.Since(start))
			assert.Equal(t, want, (<-over).Sub(start), "their context ends with Drain")
			assert.Equal(t, want, (<-over).Sub(start))
			time.Sleep(2 * time.Hour)
			assert.Equal(t, 2, after.len())
			assert.Contains(t, after.String(), blaze.ErrClosed.Error())
			assert.Empty(t, l.all(), "their results are discarded")
			assert.ElementsMatch(t, ids, r.Pending())
			assert.Zero(t, r.Stats().Handled)
		})
	}
}

type contextKey struct{}

func TestTheHandlersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		var ctx context.Context
		r.start(context.WithValue(t.Context(), contextKey{}, "value"), func(c context.Context, _ *blaze.Message) error {
			ctx = c
			time.Sleep(time.Second)
			return nil
		})
		r.say("alice", "hello")
		synctest.Wait()
		assert.Equal(t, "value", ctx.Value(contextKey{}))
		r.cancel()
		synctest.Wait()
		assert.NoError(t, ctx.Err())
		require.NoError(t, r.wait())
		assert.ErrorIs(t, ctx.Err(), context.Canceled)
	})
}

func TestAnErrorAfterTheEndIsNoAttempt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		acked bool
	}{
		{"any error", errAny, false},
		{"ErrDrop", fmt.Errorf("useless: %w", blaze.ErrDrop), false},
		{"permanent", &blaze.Error{Code: blaze.CodeForbidden}, false},
		{"the context's", context.Canceled, false},
		{"nil", nil, true},
		{"declined", blaze.ErrNotHandled, true},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var l ledger
			r := run(t, func(context.Context, *blaze.Message) error {
				time.Sleep(time.Second)
				return tt.err
			}, func(cfg *blaze.Config) { cfg.Ledger, cfg.HandlerAttempts = &l, 1 })
			id := r.say("alice", "hello")
			next := r.say("alice", "next")
			synctest.Wait()
			require.NoError(t, r.stop())
			assert.Zero(t, r.failures.len()+r.drops.len())
			assert.Zero(t, r.Stats().Failed+r.Stats().Dropped)
			if tt.acked {
				assert.Equal(t, []string{id}, l.all())
				assert.Equal(t, []string{id}, r.Acked())
				return
			}
			assert.Empty(t, l.all())
			assert.Equal(t, []string{id, next}, r.Pending())
		})
	}
}

// A handler may see the end of the context before the supervisor does, which is blocked here by a dialer. The next
// messages of the conversation must not overtake the one that is redelivered.
func TestAnErrorAfterTheEndBlocksItsConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		var r *rig
		r = run(t, func(_ context.Context, m *blaze.Message) error {
			got.add("%s", textOf(m))
			time.Sleep(time.Minute)
			r.cancel()
			return errAny
		}, func(cfg *blaze.Config) {
			dial, dials := cfg.DialContext, 0
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials > 1 {
					time.Sleep(time.Hour)
				}
				return dial(ctx, network, addr)
			}
		})
		first, second := r.say("alice", "first"), r.say("alice", "second")
		time.Sleep(time.Second)
		r.Cut()
		require.NoError(t, r.wait())
		assert.Equal(t, []string{"first"}, got.all())
		assert.Equal(t, []string{first, second}, r.Pending())
		time.Sleep(time.Hour) // until the dialer returns
	})
}

// Run waits for the handler and records its message, although it can no longer send the acknowledgement.
func TestALinkLostWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		r := run(t, func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.Drain, cfg.Ledger = time.Hour, &l })
		id := r.say("alice", "hello")
		synctest.Wait()
		r.cancel()
		time.Sleep(time.Second)
		r.Cut()
		synctest.Wait()
		start := time.Now()
		err := r.wait()
		assert.ErrorIs(t, err, blaze.ErrDrain)
		assert.ErrorContains(t, err, "acknowledgements unconfirmed: 1")
		assert.Equal(t, 59*time.Second, time.Since(start))
		assert.EqualValues(t, 1, r.Stats().Connects, "no new connection is made")
		time.Sleep(time.Hour)
		assert.Equal(t, []string{id}, r.Pending())
		assert.Equal(t, []string{id}, l.all())
	})
}

func TestAServerThatDoesNotCloseIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		stuck := make(chan struct{})
		defer close(stuck)
		s.answer = func(request) bool {
			<-stuck // stops reading, so it never receives the close frame
			return true
		}
		r := s.run(ok, nil)
		synctest.Wait()
		start := time.Now()
		assert.NoError(t, r.stop())
		assert.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestSendsLeftWhenRunIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Intercept(handshake, rejected(blaze.CodeUpdateRequired))
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			sent <- err
		}()
		synctest.Wait()
		r.start(t.Context(), ok)
		assert.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
		err := <-sent
		assert.ErrorIs(t, err, blaze.ErrClosed)
		assert.ErrorIs(t, err, blaze.CodeUpdateRequired, "the error has the cause")
	})
}

// The error of a send that fails because the service rejects the session does not count against the handler's message.
func TestAHandlersSendThatEndsWithRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var met error
		r := prepare(t, func(cfg *blaze.Config) { cfg.HandlerAttempts = 1 })
		r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
			r.Intercept(handshake, rejected(blaze.CodeUpdateRequired))
			r.Intercept(actionSend, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Cut: true} })
			time.Sleep(time.Second)
			met = errors.Join(r.Reply(ctx, m, blaze.Text("one")), r.Reply(ctx, m, blaze.Text("two")))
			return met
		})
		id := r.say("alice", "hello")
		assert.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
		assert.Zero(t, r.drops.len(), r.drops.String())
		assert.ErrorIs(t, met, blaze.ErrClosed)
		assert.Empty(t, r.Acked())
		assert.Equal(t, []string{id}, r.Pending(), "it is redelivered to the next process")
	})
}

// Neither does the error of another client that has ended.
func TestTheEndOfAnotherClientIsTransient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if m.Attempt == 1 {
				return fmt.Errorf("%w: %w", blaze.ErrClosed, &blaze.Error{Code: blaze.CodeUpdateRequired})
			}
			return nil
		}, nil)
		r.say("alice", "hello")
		r.idle()
		assert.EqualValues(t, 1, r.Stats().Handled)
	})
}

// There is no resync once Run drains: it must not cut the link of a running handler.
func TestAResyncDoesNotCutADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(30 * time.Second)
				return r.Reply(ctx, m, blaze.Text("done"))
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Drain = 2048, time.Minute })
		synctest.Wait()
		r.Intercept(actionList, func(blazetest.Frame) blazetest.Answer { // answered before the pushes are written
			return blazetest.Answer{Reply: &blazetest.Frame{}}
		})
		slow := r.say("u0", "slow")
		for _, u := range []string{"u1", "u2", "u3"} {
			r.say(u, "x")
		}
		time.Sleep(time.Second)
		require.Len(t, r.written.of(actionList), 2, "the inbox was full")
		r.cancel()
		require.NoError(t, r.wait())
		assert.Len(t, r.Sent(), 1)
		assert.Contains(t, r.Acked(), slow)
	})
}
