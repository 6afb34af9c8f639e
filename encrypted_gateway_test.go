package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// batchPosts is the maximum number of unanswered requests of a batch. Each uses up an interception before it arms the
// next one.
const batchPosts = 16

// rejectsRequestsWith puts a gateway before the service that rejects requests with any of these messages while while
// returns true. It counts the requests.
func rejectsRequestsWith(r *rig, while func() bool, ids ...string) *atomic.Int32 {
	var requests atomic.Int32
	var gateway func(blazetest.Frame) blazetest.Answer
	gateway = func(f blazetest.Frame) blazetest.Answer {
		r.Intercept(encryptedAction, gateway)
		requests.Add(1)
		for _, id := range ids {
			if while() && strings.Contains(string(f.Params), id) {
				return gateway403
			}
		}
		return blazetest.Answer{}
	}
	for range 2 * batchPosts {
		r.Intercept(encryptedAction, gateway)
	}
	return &requests
}

func forEver() bool { return true }

// notOf returns the messages of all other conversations.
func notOf(outs []blaze.Outgoing, conversations ...string) (others []blaze.Outgoing) {
	for _, out := range outs {
		other := true
		for _, id := range conversations {
			other = other && out.ConversationID != id
		}
		if other {
			others = append(others, out)
		}
	}
	return others
}

// A gateway may reject one message. All others are sent except those that follow it in its conversation.
func TestAGatewayThatRejectsOneMessage(t *testing.T) {
	for _, at := range []int{0, 37, 99} {
		bubble(t, fmt.Sprint(at), func(t *testing.T) {
			r := run(t, ok, nil)
			outs := encrypted(toCrowd(r.Client, 100, 40))
			rejectsRequestsWith(r, forEver, outs[at].MessageID)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := r.SendBatch(ctx, outs...)
			var failed *blaze.BatchError
			require.ErrorAs(t, err, &failed)
			for i, out := range outs {
				if out.ConversationID != outs[at].ConversationID || i < at {
					require.NoError(t, failed.Errs[i], i)
					continue
				}
				require.ErrorIs(t, failed.Errs[i], context.DeadlineExceeded)
				var unconfirmed *blaze.UnconfirmedError
				require.ErrorAs(t, failed.Errs[i], &unconfirmed,
					"it was in a request that the gateway may have passed on")
			}
			others := notOf(outs, outs[at].ConversationID)
			requireInOrder(t, others, notOf(r.Sent(), outs[at].ConversationID))
		})
	}
}

// When the gateway accepts the message later, it is sent, followed by the rest of its conversation.
func TestAGatewayThatChangesItsMind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		outs := encrypted(toCrowd(r.Client, 100, 10))
		began := time.Now()
		rejectsRequestsWith(r, func() bool { return time.Since(began) < time.Hour },
			outs[3].MessageID, outs[30].MessageID, outs[31].MessageID)
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		requireInOrder(t, outs, r.Sent())
		assert.Less(t, time.Since(began), time.Hour+time.Minute)
	})
}

// Order is preserved if the service rejects requests of several messages and a gateway rejects one message.
func TestAGatewayAndAServiceThatReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		outs := encrypted(toCrowd(r.Client, 4, 1))
		began := time.Now()
		var reject func(blazetest.Frame) blazetest.Answer
		reject = func(f blazetest.Frame) blazetest.Answer {
			r.Intercept(encryptedAction, reject)
			switch {
			case strings.Count(string(f.Params), `"message_id"`) > 1:
				return blazetest.Refuse(blaze.CodeForbidden)
			case strings.Contains(string(f.Params), outs[0].MessageID) && time.Since(began) < time.Hour:
				return gateway403
			}
			return blazetest.Answer{}
		}
		r.Intercept(encryptedAction, reject)
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		requireInOrder(t, outs, r.Sent())
	})
}

// Requests to a gateway that rejects everything do not become more frequent.
func TestAGatewayThatRejectsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		outs := encrypted(toCrowd(r.Client, 100, 100))
		began := time.Now()
		requests := rejectsRequestsWith(r, func() bool { return time.Since(began) < time.Hour }, `"message_id"`)
		time.AfterFunc(30*time.Minute, func() { requests.Store(0) })
		time.AfterFunc(time.Hour-time.Second, func() {
			assert.LessOrEqual(t, requests.Load(), int32(16*30*60/15), "of 16 requests, each after 15 s to 30 s")
		})
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		requireInOrder(t, outs, r.Sent())
	})
}

// A message of a request that a gateway rejected stays unconfirmed, whatever the service answers later, unless that
// answer proves that the message was never valid.
func TestAMessageOfARejectedRequest(t *testing.T) {
	for code, want := range map[blaze.Code]bool{blaze.CodeForbidden: true, blaze.CodeBadRequest: false} {
		bubble(t, fmt.Sprint(int(code)), func(t *testing.T) {
			r := run(t, ok, nil)
			reject := blazetest.Refuse(code)
			answers(r.Server, encryptedAction, gateway403, gateway403, gateway403, reject, reject)
			_, err := r.SendBatch(t.Context(), encrypted(toCrowd(r.Client, 2, 2))...)
			var failed *blaze.BatchError
			require.ErrorAs(t, err, &failed)
			for _, err := range failed.Errs {
				require.ErrorIs(t, err, code)
				var unconfirmed *blaze.UnconfirmedError
				assert.Equal(t, want, errors.As(err, &unconfirmed))
			}
		})
	}
	bubble(t, "without capacity", func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.OutboxLen = 1 })
		synctest.Wait()
		always(r.Server, actionSend, hang)
		always(r.Server, encryptedAction, gateway403)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := r.SendBatch(ctx, encrypted(toCrowd(r.Client, 2, 2))...)
			ended <- err
		}()
		synctest.Wait()
		go func() { _, _ = r.Send(ctx, r.ToUser(userID("other"), blaze.Text("x"))) }()
		var failed *blaze.BatchError
		require.ErrorAs(t, <-ended, &failed)
		for _, err := range failed.Errs {
			var unconfirmed *blaze.UnconfirmedError
			require.ErrorAs(t, err, &unconfirmed)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}
