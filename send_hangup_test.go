package blaze_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// hangsUpAt closes the connection at each frame that contains a text.
func hangsUpAt(text string) func(request) bool {
	return func(r request) bool {
		if strings.Contains(r.text, text) {
			_ = r.conn.Close()
			return true
		}
		return false
	}
}

// A frame that makes the service close the connection must not prevent other requests from being answered.
func TestAFrameAtWhichTheServiceHangsUp(t *testing.T) {
	for name, h := range map[string]blaze.Handler{"listening": ok, "sending only": nil} {
		bubble(t, name, func(t *testing.T) {
			s := newReplyingServer(t)
			poison := blaze.DeriveID("poison")
			s.answer = hangsUpAt(poison)
			c := s.start(botID, h, nil)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour)
			defer cancel()
			var all sync.WaitGroup
			send := func(out blaze.Outgoing) {
				_, err := c.Send(t.Context(), out)
				assert.NoError(t, err)
			}
			var poisoned error
			all.Go(func() {
				_, poisoned = c.Send(ctx,
					blaze.Outgoing{ConversationID: conversationA, Payload: blaze.Text("x"), MessageID: poison})
			})
			synctest.Wait()
			began := time.Now()
			var others sync.WaitGroup
			for i := range 20 {
				others.Go(func() { send(c.ToUser(userID(fmt.Sprint(i)), blaze.Text("x"))) })
			}
			others.Wait()
			assert.Less(t, time.Since(began), 5*time.Minute, "20 of 20 others are confirmed")
			all.Wait()
			var unconfirmed *blaze.UnconfirmedError
			require.ErrorAs(t, poisoned, &unconfirmed)
			assert.Equal(t, poison, unconfirmed.MessageID)
			if h != nil {
				assert.NoError(t, ctx.Err(), "it ends after SendAttempts connections")
				assert.Less(t, c.Stats().Connects, uint64(15))
			}
			send(c.ToUser(userID("later"), blaze.Text("x")))
		})
	}
}

// If the service closes the connection at an unsupported action, the client stops using that action and sends single
// messages.
func TestAServiceThatHangsUpAtPluralActions(t *testing.T) {
	for _, action := range []string{actionAcks, actionBatch} {
		bubble(t, action, func(t *testing.T) {
			s := newReplyingServer(t)
			s.answer = hangsUpAt(`"action":"` + action + `"`)
			r := s.run(ok, nil)
			synctest.Wait()
			for i := range 10 {
				s.conn().push(message(fmt.Sprint("user", i), "x"))
			}
			var outs []blaze.Outgoing
			for i := range 10 {
				outs = append(outs, r.ToUser(userID(fmt.Sprint(i)), blaze.Text("x")))
			}
			_, err := r.SendBatch(t.Context(), outs...)
			require.NoError(t, err)
			time.Sleep(time.Minute)
			assert.EqualValues(t, 10, r.Stats().Acked)
			assert.Less(t, r.Stats().Connects, uint64(8))
		})
	}
}

// A service that accepts connections and closes them answers no request. No request is to blame, so none fails.
func TestAnHourOfAcceptAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		var broken atomic.Bool
		s.answer = func(r request) bool {
			if broken.Load() {
				_ = r.conn.Close()
			}
			return broken.Load()
		}
		r := s.run(ok, nil)
		synctest.Wait()
		broken.Store(true)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				_, err := r.Send(t.Context(), r.ToUser(userID(fmt.Sprint(i)), blaze.Text("x")))
				assert.NoError(t, err)
			})
		}
		time.Sleep(time.Hour)
		assert.Equal(t, 100, r.Stats().OutboxRequests)
		assert.Greater(t, r.Stats().Connects, uint64(100))
		broken.Store(false)
		all.Wait()
	})
}

// holed is a connection that discards writes once dead is set.
type holed struct {
	net.Conn
	dead *atomic.Bool
}

func (h *holed) Write(p []byte) (int, error) {
	if h.dead.Load() {
		return len(p), nil
	}
	return h.Conn.Write(p)
}

// A dead connection is no evidence against an action.
func TestADeadLineDoesNotStopThePluralAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := new(atomic.Bool)
		line := first
		r := run(t, ok, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				h := &holed{c, line}
				line = new(atomic.Bool)
				return h, err
			}
		})
		synctest.Wait()
		r.crowdSays(10)
		synctest.Wait()
		first.Store(true) // before the acknowledgements are written
		time.Sleep(5 * time.Minute)
		assert.EqualValues(t, 2, r.Stats().Connects)
		r.crowdSays(10)
		r.idle()
		for _, f := range r.written.of(actionAcks) {
			assert.Len(t, f.Params.Messages, 10)
		}
		assert.Empty(t, r.written.of(actionAck))
	})
}
