package blaze_test

import (
	"context"
	"errors"
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
	"github.com/mixin-blaze/blaze/blazetest"
)

// sendFor sends a message with a context that ends after d.
func sendFor(t *testing.T, c *blaze.Client, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	out := textA
	out.MessageID = messageA
	began := time.Now()
	sent, err := c.Send(ctx, out)
	assert.Zero(t, sent)
	assert.Equal(t, d, time.Since(began), "exactly when its context ends")
	return err
}

// requireUnwritten checks that an error reports an unwritten message, wraps the context's error and wraps why.
func requireUnwritten(t *testing.T, err, why error) {
	t.Helper()
	var unconfirmed *blaze.UnconfirmedError
	require.NotErrorAs(t, err, &unconfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	if why != nil {
		require.ErrorIs(t, err, why)
	}
	assert.Contains(t, err.Error(), messageA)
}

func requireUnconfirmed(t *testing.T, err error) {
	t.Helper()
	var unconfirmed *blaze.UnconfirmedError
	require.ErrorAs(t, err, &unconfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, messageA, unconfirmed.MessageID)
	assert.Contains(t, err.Error(), messageA)
}

func TestSendBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		s, c := r.Server, r.Client
		requireUnwritten(t, sendFor(t, c, time.Minute), blaze.ErrNotRunning)
		requireUnwritten(t, sendFor(t, c, 0), blaze.ErrNotRunning)

		sent := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), textA)
			sent <- err
		}()
		time.Sleep(time.Hour)
		r.start(t.Context(), nil)
		require.NoError(t, <-sent, "it waits for Run and is sent")
		assert.Len(t, s.Sent(), 1)

		require.NoError(t, r.stop())
		_, err := c.Send(t.Context(), textA)
		assert.ErrorIs(t, err, blaze.ErrClosed)
		assert.NotErrorIs(t, err, blaze.ErrNotRunning)
		outs := []blaze.Outgoing{textA, c.ToUser(userA, blaze.Text("x"))}
		_, err = c.SendBatch(t.Context(), outs...)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, failed.Errs[0], blaze.ErrClosed)
		assert.ErrorIs(t, failed.Errs[1], blaze.ErrClosed)
		assert.ErrorIs(t, c.Ack(t.Context(), blaze.StatusRead, messageA), blaze.ErrClosed)
		assert.ErrorIs(t, c.Run(t.Context(), nil), blaze.ErrClosed)
		assert.Len(t, s.Sent(), 1)
	})
}

// Run is running but not connected yet. The error differs from the one without Run.
func TestSendEndsWhileConnecting(t *testing.T) {
	errDial := errors.New("no route")
	var fail atomic.Bool
	inBubble(t, func(cfg *blaze.Config) {
		cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if fail.Load() {
				return nil, errDial
			}
			return hangingDial(ctx, network, addr)
		}
	}, func(t *testing.T, _ *blazetest.Server, c *blaze.Client, w *frames) {
		synctest.Wait()
		err := sendFor(t, c, time.Second)
		requireUnwritten(t, err, nil)
		assert.NotErrorIs(t, err, blaze.ErrNotRunning)
		assert.Contains(t, err.Error(), "connect")
		fail.Store(true)
		time.Sleep(time.Minute)
		requireUnwritten(t, sendFor(t, c, time.Second), errDial)
		assert.Empty(t, w.all())
	})
}

func TestSendEndsWhenWritten(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		answers(s, actionSend, hang)
		requireUnconfirmed(t, sendFor(t, c, time.Second))
		// Sending the message again with the same id is safe, as the error says.
		out := textA
		out.MessageID = messageA
		_, err := c.Send(t.Context(), out)
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 1)

		// The message is written again after a timeout and after a lost connection.
		answers(s, actionSend, hang, hang)
		requireUnconfirmed(t, sendFor(t, c, 21*time.Second))
		for _, cut := range []blazetest.Answer{cutUnstored, cutStored} {
			answers(s, actionSend, cut)
			answers(s, handshake, hang)
			requireUnconfirmed(t, sendFor(t, c, 2*time.Second))
			time.Sleep(time.Minute)
		}
		assert.Len(t, w.all(), 6)
		assert.Zero(t, c.Stats().OutboxRequests)
		assert.Len(t, s.Sent(), 1)
	})
}

func TestSendEndsInBackoff(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		answers(s, actionSend, serverFailed)
		err := sendFor(t, c, 800*time.Millisecond)
		requireUnwritten(t, err, blaze.CodeServer)
		var rejected *blaze.Error
		require.ErrorAs(t, err, &rejected)
		assert.Equal(t, messageA, rejected.MessageID)
		assert.True(t, rejected.Temporary())
		assert.Len(t, w.all(), 1)

		// An earlier attempt may have been stored.
		answers(s, actionSend, cutStored, serverFailed)
		requireUnconfirmed(t, sendFor(t, c, 800*time.Millisecond))
		assert.Len(t, w.all(), 3)
		time.Sleep(time.Minute)
		assert.Len(t, w.all(), 3, "an abandoned message is not written again")
	})
}

func TestSendWaitsForCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, func(cfg *blaze.Config) { cfg.OutboxLen = 2 })
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := c.Send(t.Context(), textA)
				assert.NoError(t, err)
			})
		}
		var requests []request
		take := func(n int) {
			for range n {
				requests = append(requests, s.next())
			}
			synctest.Wait()
			s.none()
		}
		take(2)
		assert.Equal(t, 2, c.Stats().OutboxRequests)
		requireUnwritten(t, sendFor(t, c, time.Second), nil)
		take(0)
		requests[1].confirm()
		take(1)
		requests[0].confirm()
		requests[2].confirm()
		take(2)
		requests[3].confirm()
		requests[4].confirm()
		wg.Wait()
		assert.Zero(t, c.Stats().OutboxRequests)
	})
}

// Unanswered frames have a capacity of 32 MiB.
func TestSendWaitsForCapacityInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := blaze.New(keyOf(botID), nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		text := blaze.Text(strings.Repeat("x", 128<<10)) // 174764 bytes of base64, in a frame of some 200 more
		for range 195 {
			wg.Go(func() {
				_, err := c.Send(ctx, blaze.To(conversationA, text))
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, blaze.ErrNotRunning)
			})
		}
		synctest.Wait()
		assert.Equal(t, 32<<20/175_000, c.Stats().OutboxRequests)
		cancel()
		wg.Wait()
		assert.Zero(t, c.Stats().OutboxRequests)
	})
}

// The Limiter is called once for each message and once more after each 429, and never for any other reason.
func TestSendCallsTheLimiter(t *testing.T) {
	waits := 0
	inBubble(t, func(cfg *blaze.Config) {
		cfg.Limiter = limiterFunc(func(ctx context.Context) error {
			waits++
			time.Sleep(5 * time.Second)
			return ctx.Err()
		})
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		send := func(want int, as ...blazetest.Answer) {
			t.Helper()
			waits = 0
			answers(s, actionSend, as...)
			_, err := c.Send(t.Context(), textA)
			require.NoError(t, err)
			assert.Equal(t, want, waits)
		}
		began := time.Now()
		send(1)
		assert.Equal(t, 5*time.Second, time.Since(began))
		send(1, cutUnstored, hang)
		send(1, serverFailed, blazetest.Refuse(7000), blazetest.Refuse(7001))
		send(2, slowDown)
		send(3, slowDown, serverFailed, slowDown)
		written := len(w.all())
		began = time.Now()
		send(2, slowDown)
		// The message waits for the Limiter twice, 5 s each, and about a second in backoff.
		assert.InDelta(t, 11*time.Second, time.Since(began), float64(100*time.Millisecond))
		assert.Len(t, w.all(), written+2)
	})
}

func TestSendRejectedByTheLimiter(t *testing.T) {
	errSpent := errors.New("spent")
	var waitErrs []error
	inBubble(t, func(cfg *blaze.Config) {
		cfg.Limiter = limiterFunc(func(context.Context) error {
			err := waitErrs[0]
			waitErrs = waitErrs[1:]
			return err
		})
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		waitErrs = []error{errSpent}
		_, err := c.Send(t.Context(), textA)
		assert.ErrorIs(t, err, errSpent)
		assert.Empty(t, w.all())

		waitErrs = []error{nil, errSpent}
		answers(s, actionSend, slowDown)
		_, err = c.Send(t.Context(), textA)
		assert.ErrorIs(t, err, errSpent)
		assert.ErrorIs(t, err, blaze.CodeTooManyRequests)
		var unconfirmed *blaze.UnconfirmedError
		assert.NotErrorAs(t, err, &unconfirmed)

		waitErrs = []error{nil, errSpent}
		answers(s, actionSend, cutStored, slowDown)
		_, err = c.Send(t.Context(), textA)
		assert.ErrorIs(t, err, errSpent)
		assert.ErrorAs(t, err, &unconfirmed)
		assert.Zero(t, c.Stats().OutboxRequests)
	})
}

// A reply that arrives while the sender waits for the Limiter counts.
func TestSendIsAnsweredWhileItWaitsForTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, func(cfg *blaze.Config) {
			cfg.Limiter = limiterFunc(func(context.Context) error { time.Sleep(time.Second); return nil })
		})
		sent := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), textA)
			sent <- err
		}()
		r := s.next()
		r.reject(blaze.CodeTooManyRequests, "")
		r.reject(blaze.CodeTooManyRequests, "") // a duplicate reply, ignored
		synctest.Wait()
		assert.EqualValues(t, 1, c.Stats().Ignored)
		r.confirm()
		require.NoError(t, <-sent)
		time.Sleep(time.Minute)
		s.none()
	})
}

// When Run ends, the error of each waiting send reports whether its message may have been stored.
func TestSendsWhenRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		r := s.run(nil, func(cfg *blaze.Config) { cfg.OutboxLen = 2 })
		errs := make([]error, 3)
		var wg sync.WaitGroup
		var requests []request
		for i := range errs {
			wg.Go(func() { _, errs[i] = r.Send(t.Context(), textA) })
			if i < 2 {
				requests = append(requests, s.next())
			}
			synctest.Wait()
		}
		r.cancel()
		synctest.Wait()
		requests[0].confirm() // replies still count during the drain
		err := r.wait()
		wg.Wait()
		require.ErrorIs(t, err, blaze.ErrDrain)
		assert.ErrorContains(t, err, "requests unanswered: 1")
		assert.NoError(t, errs[0])
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, errs[1], &unconfirmed)
		assert.ErrorIs(t, errs[1], blaze.ErrClosed)
		assert.Contains(t, requests[1].text, unconfirmed.MessageID)
		assert.ErrorIs(t, errs[2], blaze.ErrClosed)
		assert.NotErrorAs(t, errs[2], &unconfirmed)
		assert.Contains(t, errs[1].Error(), unconfirmed.MessageID)
	})
}

// After a rejected connection, a send that cannot wait fails with an error that is not a rejection of its message.
// Otherwise a handler's message would be dropped at once.
func TestSendWhileTheConnectionWasRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.Intercept(actionList, rejected(blaze.CodeInvalidField))
		r.start(t.Context(), ok)
		synctest.Wait()
		expired, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := r.Send(expired, textA)
		require.ErrorIs(t, err, context.Canceled)
		assert.Contains(t, err.Error(), "LIST_PENDING_MESSAGES rejected")
		var rejected *blaze.Error
		assert.NotErrorAs(t, err, &rejected)
	})
}
