package blaze_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// A handler pays, replies, and only logs the error of the reply. It pays once over two processes, although the first
// ends while the service is unreachable.
func TestHandledWithoutALinkIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		var done diary
		s := newServer()
		defer s.Close()
		edit := func(cfg *blaze.Config) { cfg.Drain, cfg.Ledger = time.Minute, &l }
		bot := func() *rig {
			r := prepareFor(t, s, edit)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				time.Sleep(2 * time.Second)
				done.add("pay")
				if err := r.Reply(ctx, m, blaze.Text("paid")); err != nil {
					done.add("%v", err)
				}
				return nil
			})
			return r
		}
		first := bot()
		first.say("alice", "pay")
		time.Sleep(time.Second)
		for range 100 {
			s.Intercept(handshake, rejected(blaze.CodeServer))
		}
		s.Cut()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		err := first.stop()
		assert.ErrorIs(t, err, blaze.ErrDrain, "the acknowledgement is left")
		assert.Equal(t, 900*time.Millisecond, time.Since(began), "the handler returned")
		assert.Len(t, l.all(), 1)
		time.Sleep(time.Hour)
		second := bot()
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"pay", "blaze: the client is closed"}, done.all())
		assert.Len(t, s.Acked(), 1)
		require.NoError(t, second.stop())
	})
}

// If the link is lost during the drain, a send that waits for its reply may have been stored.
func TestASendAtTheEndWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool { return r.Action == actionSend }
		r := s.run(ok, func(cfg *blaze.Config) { cfg.Drain = time.Minute })
		synctest.Wait()
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), textA)
			sent <- err
		}()
		synctest.Wait()
		r.cancel()
		synctest.Wait()
		s.cut()
		synctest.Wait()
		began := time.Now()
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, <-sent, &unconfirmed)
		require.ErrorIs(t, unconfirmed, blaze.ErrClosed)
		err := r.wait()
		assert.ErrorIs(t, err, blaze.ErrDrain)
		assert.ErrorContains(t, err, "requests unanswered: 1")
		assert.Zero(t, time.Since(began))
	})
}

// Without a link, Run waits for a handler for up to Drain.
func TestDrainWithoutALink(t *testing.T) {
	for name, tt := range map[string]struct{ drain, takes time.Duration }{
		"long enough": {time.Minute, 30 * time.Second},
		"too short":   {10 * time.Second, 10 * time.Second},
		"none":        {-1, 0},
	} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, func(context.Context, *blaze.Message) error {
				time.Sleep(31 * time.Second)
				return nil
			}, func(cfg *blaze.Config) { cfg.Drain = tt.drain })
			synctest.Wait()
			r.say("alice", "hello")
			synctest.Wait()
			for range 100 {
				r.Intercept(handshake, rejected(blaze.CodeServer))
			}
			r.Cut()
			time.Sleep(time.Second)
			began := time.Now()
			err := r.stop()
			assert.Equal(t, tt.takes, time.Since(began))
			assert.ErrorIs(t, err, blaze.ErrDrain)
			if tt.takes == 30*time.Second {
				assert.NotContains(t, err.Error(), "handlers")
			} else {
				assert.ErrorContains(t, err, "handlers still running: 1")
			}
			time.Sleep(time.Minute)
		})
	}
}

// Before a resync no new send is written. If Run ends at that time, the resync is cancelled and the sends are written.
func TestTheEndBeforeAResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		unanswered := make(chan request, 100)
		s.answer = func(r request) bool {
			if r.Action == actionSend && strings.Contains(r.text, conversationA) {
				unanswered <- r // the resync waits for its reply
				return true
			}
			return false
		}
		var r *rig
		r = s.run(func(ctx context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(15 * time.Second)
				return r.Reply(ctx, m, blaze.Text("done"))
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Drain = 8<<10, time.Minute })
		synctest.Wait()
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), textA)
			sent <- err
		}()
		s.conn().push(message("bob", "slow"))
		for i := range 50 {
			s.conn().push(message("alice", fmt.Sprint(i)))
		}
		time.Sleep(5 * time.Second)
		r.cancel()
		time.Sleep(time.Second)
		(<-unanswered).confirm()
		assert.NoError(t, <-sent)
		assert.NoError(t, r.wait())
		assert.Len(t, r.written.of(actionList), 1, "the link was not replaced")
		assert.Len(t, r.written.of(actionSend), 2, "the reply was written")
	})
}
