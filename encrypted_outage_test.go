package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

var (
	rejected401 = blazetest.Refuse(blaze.CodeUnauthorized)
	gateway403  = blazetest.Answer{Bytes: []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\n<h1>denied</h1>")}
	gateway504  = blazetest.Answer{Bytes: []byte("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 6\r\n\r\n<html>")}
)

// notTheMessages are responses that do not concern a message. Each list is long enough to use up the attempts.
var notTheMessages = map[string][]blazetest.Answer{
	"401":       {rejected401, rejected401, rejected401, rejected401, rejected401, rejected401, rejected401},
	"a gateway": {gateway403, gateway504, gateway403, gateway504, gateway403, gateway504},
	"lost":      {cutUnstored, cutUnstored, cutUnstored, cutUnstored, cutUnstored, cutUnstored},
	"silence":   {hang, hang, hang, hang, hang, hang},
	"mixed":     {rejected401, gateway403, rejected401, cutUnstored, hang, rejected401, gateway504},
}

// An outage of authentication, the network or a gateway does not fail a message: neither in Send, nor during the lookup
// of its sessions, nor in a handler that replies with it.
func TestAnEncryptedMessageOutlivesAnOutage(t *testing.T) {
	once := func(cfg *blaze.Config) { cfg.SendAttempts = 1 }
	for name, as := range notTheMessages {
		for _, action := range []string{encryptedAction, fetchAction} {
			bubble(t, name+" to "+action, func(t *testing.T) {
				r := run(t, nil, once)
				answers(r.Server, action, as...)
				_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
				require.NoError(t, err)
				assert.Len(t, r.Sent(), 1)
			})
			bubble(t, name+" to "+action+", in a batch", func(t *testing.T) {
				r := run(t, nil, once)
				answers(r.Server, action, as...)
				outs := encrypted(toCrowd(r.Client, 20, 5))
				_, err := r.SendBatch(t.Context(), outs...)
				require.NoError(t, err)
				requireInOrder(t, outs, r.Sent())
			})
		}
		bubble(t, name+", in a handler", func(t *testing.T) {
			r := prepare(t, once)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				return r.Reply(ctx, m, blaze.Text("yes"))
			})
			answers(r.Server, encryptedAction, as...)
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), Encrypted: true})
			r.idle()
			assert.Len(t, r.Sent(), 1)
			assert.Zero(t, r.drops.len())
			assert.Zero(t, r.failures.len())
		})
	}
}

// A handler that times out during an outage is retried.
func TestAnOutageIsNoReasonToDropAMessage(t *testing.T) {
	for name, answer := range map[string]blazetest.Answer{"401": rejected401, "a gateway": gateway403} {
		for _, action := range []string{encryptedAction, fetchAction, "POST /conversations"} {
			bubble(t, name+" to "+action, func(t *testing.T) {
				r := prepare(t, nil)
				var down atomic.Bool
				down.Store(true)
				var outage func(blazetest.Frame) blazetest.Answer
				outage = func(blazetest.Frame) blazetest.Answer {
					if !down.Load() {
						return blazetest.Answer{}
					}
					r.Intercept(action, outage)
					return answer
				}
				r.Intercept(action, outage)
				r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
					ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
					defer cancel()
					if _, err := r.OpenConversation(ctx, m.UserID); err != nil {
						return err
					}
					return r.Reply(ctx, m, blaze.Text("yes"))
				})
				r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), Encrypted: true})
				time.Sleep(15 * time.Second)
				down.Store(false)
				r.idle()
				assert.Len(t, r.Sent(), 1)
				assert.Positive(t, r.failures.len())
				assert.Zero(t, r.drops.len())
			})
		}
	}
}

// If ctx ends during an outage, the error reports whether the message may have been stored, and the cause.
func TestAnEncryptedMessageIsAbandoned(t *testing.T) {
	for name, c := range map[string]struct {
		action      string
		answer      blazetest.Answer
		unconfirmed bool
		is          error
	}{
		"unanswered":       {encryptedAction, hang, true, blaze.ErrNoAnswer},
		"a gateway":        {encryptedAction, gateway403, true, blaze.ErrNoAnswer},
		"401":              {encryptedAction, rejected401, false, blaze.CodeUnauthorized},
		"no sessions":      {fetchAction, gateway403, false, blaze.ErrNoAnswer},
		"401 for sessions": {fetchAction, rejected401, false, blaze.CodeUnauthorized},
	} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, nil, nil)
			always(r.Server, c.action, c.answer)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			out := encryptedText(r.Client, "alice", "x")
			out.MessageID = messageA
			began := time.Now()
			_, err := r.Send(ctx, out)
			assert.Equal(t, time.Hour, time.Since(began))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, messageA)
			var unconfirmed *blaze.UnconfirmedError
			assert.Equal(t, c.unconfirmed, errors.As(err, &unconfirmed))
			assert.Zero(t, r.Stats().OutboxRequests)
		})
	}
}

// A request that was written and then lost may have been stored. Later attempts that cannot connect and write nothing
// do not change that.
func TestAnEncryptedMessageLostBeforeAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		r := run(t, nil, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if down.Load() {
					return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
				}
				return dial(ctx, network, addr)
			}
		})
		r.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			down.Store(true)
			return cutUnstored // looks to the client as if the message were stored
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		out := encryptedText(r.Client, "alice", "x")
		out.MessageID = messageA
		_, err := r.Send(ctx, out)
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
		assert.Equal(t, messageA, unconfirmed.MessageID)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, syscall.ECONNREFUSED, "the last attempt")
	})
}

// During an outage, encrypted messages do not delay the end of Run beyond Config.Drain.
func TestAnEncryptedMessageEndsWithRun(t *testing.T) {
	for name, answer := range map[string]func(blazetest.Frame) blazetest.Answer{
		"an answer that comes late": slowly(15 * time.Second),
		"401":                       func(blazetest.Frame) blazetest.Answer { return rejected401 },
		"a gateway":                 func(blazetest.Frame) blazetest.Answer { return gateway504 },
	} {
		for _, action := range []string{encryptedAction, fetchAction} {
			bubble(t, name+" to "+action, func(t *testing.T) {
				r := run(t, nil, func(cfg *blaze.Config) { cfg.Drain = time.Second })
				var again func(blazetest.Frame) blazetest.Answer
				again = func(f blazetest.Frame) blazetest.Answer {
					r.Intercept(action, again)
					return answer(f)
				}
				for range 2 { // for two concurrent requests
					r.Intercept(action, again)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				errs := make(chan error, 2)
				go func() {
					_, err := r.Send(ctx, encryptedText(r.Client, "alice", "x"))
					errs <- err
				}()
				go func() {
					_, err := r.SendBatch(ctx, encryptedText(r.Client, "bob", "x"))
					errs <- err
				}()
				time.Sleep(10 * time.Second)
				began := time.Now()
				assert.ErrorIs(t, r.stop(), blaze.ErrDrain)
				for range 2 {
					assert.ErrorIs(t, <-errs, blaze.ErrClosed)
				}
				assert.Equal(t, time.Second, time.Since(began), "Drain")
				time.Sleep(20 * time.Second) // until the late responses have arrived
			})
		}
	}
}

// Rejections by the service itself use up the attempts.
func TestAnEncryptedMessageRejectedAsTransient(t *testing.T) {
	for _, code := range []blaze.Code{429, 500, 7000, 7001} {
		bubble(t, fmt.Sprint(int(code)), func(t *testing.T) {
			r := run(t, nil, func(cfg *blaze.Config) { cfg.SendAttempts = 3 })
			reject := blazetest.Refuse(code)
			answers(r.Server, encryptedAction, reject, rejected401, rejected401, reject, rejected401, reject)
			_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
			require.ErrorIs(t, err, code)
			var rejected *blaze.Error
			require.ErrorAs(t, err, &rejected)
			assert.True(t, rejected.Temporary())
			_, err = r.Send(t.Context(), encryptedText(r.Client, "alice", "y"))
			require.NoError(t, err, "all attempts are used")
		})
	}
}

// Only a 429 makes the client call the Limiter again, over HTTP too.
func TestTheLimiterAfterA429OverHTTP(t *testing.T) {
	errSpent := errors.New("spent")
	bubble(t, "asks", func(t *testing.T) {
		waits := 0
		r := run(t, nil, func(cfg *blaze.Config) {
			cfg.Limiter = limiterFunc(func(context.Context) error {
				if waits++; waits == 7 {
					return errSpent
				}
				return nil
			})
		})
		answers(r.Server, encryptedAction, slowDown, rejected401, serverFailed, gateway504, slowDown)
		_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
		require.NoError(t, err)
		assert.Equal(t, 3, waits)

		answers(r.Server, encryptedAction, slowDown)
		_, err = r.SendBatch(t.Context(), encrypted(toCrowd(r.Client, 2, 1))...)
		require.NoError(t, err)
		assert.Equal(t, 6, waits, "two messages, one request")

		waits = 5
		answers(r.Server, encryptedAction, slowDown)
		_, err = r.Send(t.Context(), encryptedText(r.Client, "alice", "y"))
		require.ErrorIs(t, err, errSpent)
		require.ErrorIs(t, err, blaze.CodeTooManyRequests)
		var unconfirmed *blaze.UnconfirmedError
		assert.False(t, errors.As(err, &unconfirmed))
		assert.Len(t, r.Sent(), 3)
	})
}

// The end of Run waits for encrypted messages for up to Config.Drain, as for others, and accepts no new ones.
func TestTheEndWaitsForEncryptedMessages(t *testing.T) {
	bubble(t, "as long as Drain", func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		r.Intercept(encryptedAction, slowly(4*time.Second)) // Drain is 5 s
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
			sent <- err
		}()
		synctest.Wait()
		r.cancel()
		synctest.Wait()
		plain := r.ToUser(userID("bob"), blaze.Text("x"))
		for _, out := range []blaze.Outgoing{encryptedText(r.Client, "bob", "x"), plain} {
			_, err := r.Send(t.Context(), out)
			require.ErrorIs(t, err, blaze.ErrClosed)
			_, err = r.SendBatch(t.Context(), out)
			require.ErrorIs(t, err, blaze.ErrClosed)
		}
		require.NoError(t, r.wait())
		require.NoError(t, <-sent)
		assert.Len(t, r.Sent(), 1)
	})
	for name, c := range map[string]struct {
		action      string
		unconfirmed bool
	}{"written": {encryptedAction, true}, "not written": {fetchAction, false}} {
		bubble(t, "and no longer, "+name, func(t *testing.T) {
			r := run(t, ok, nil)
			synctest.Wait()
			answers(r.Server, c.action, hang, hang)
			errs := make(chan error, 2)
			go func() {
				_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
				errs <- err
			}()
			go func() {
				_, err := r.SendBatch(t.Context(), encryptedText(r.Client, "bob", "x"))
				errs <- err
			}()
			synctest.Wait()
			assert.Equal(t, 2, r.Stats().OutboxRequests)
			began := time.Now()
			err := r.stop()
			assert.Equal(t, 5*time.Second, time.Since(began))
			require.ErrorIs(t, err, blaze.ErrDrain)
			require.ErrorContains(t, err, "requests unanswered: 2")
			for range 2 {
				err := <-errs
				require.ErrorIs(t, err, blaze.ErrClosed)
				var unconfirmed *blaze.UnconfirmedError
				assert.Equal(t, c.unconfirmed, errors.As(err, &unconfirmed), err)
			}
		})
	}
}

// An encrypted message needs no link, and neither does its wait at the end of Run.
func TestTheEndWaitsForEncryptedMessagesWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		r := run(t, ok, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if down.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return dial(ctx, network, addr)
			}
		})
		synctest.Wait()
		down.Store(true)
		r.Cut()
		synctest.Wait()
		r.Intercept(encryptedAction, slowly(4*time.Second))
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
			sent <- err
		}()
		synctest.Wait()
		require.NoError(t, r.stop())
		require.NoError(t, <-sent)
	})
}
