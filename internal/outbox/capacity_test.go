package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// sized returns a request with a frame of n bytes.
func sized(id string, n int) outbox.Request {
	return outbox.Request{ID: id, Class: outbox.Send, Frame: bytes.Repeat([]byte("x"), n)}
}

// here checks which of the requests a to f are in the Box.
func here(t *testing.T, b *box, want ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		if b.Waiting(id) {
			got = append(got, id)
		}
	}
	assert.Equal(t, want, got)
}

func TestCapacityInSlotsIsFirstComeFirstServed(t *testing.T) {
	cfg := config()
	cfg.Len = 2
	run(t, cfg, func(t *testing.T, b *box) {
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			send(t, b, id)
		}
		start(t, b, request("f", outbox.Ack)) // uses no capacity
		here(t, b, "a", "b", "f")
		assert.Equal(t, 2, b.Len().Requests)
		b.Answer("b", "ok")
		here(t, b, "a", "c", "f")
		b.Answer("a", "busy") // not finished yet
		here(t, b, "a", "c", "f")
		b.Answer("a", "ok")
		b.Answer("c", "no")
		here(t, b, "d", "e", "f")
	})
}

func TestCapacityInBytes(t *testing.T) {
	cfg := config()
	cfg.Bytes = 100
	run(t, cfg, func(t *testing.T, b *box) {
		do(t, b, sized("a", 60), nil)
		do(t, b, sized("b", 40), nil)
		do(t, b, sized("c", 50), nil)
		do(t, b, sized("d", 1), nil)
		here(t, b, "a", "b")
		b.Answer("b", "ok")
		here(t, b, "a") // d would fit, but c is first
		b.Answer("a", "ok")
		here(t, b, "c", "d")
	})
	run(t, cfg, func(t *testing.T, b *box) {
		do(t, b, sized("a", 1), nil)
		do(t, b, sized("b", 1000), nil)
		do(t, b, sized("c", 1), nil)
		here(t, b, "a")
		b.Answer("a", "ok") // an empty Box accepts any single request
		here(t, b, "b")
		b.Answer("b", "ok")
		here(t, b, "c")
		b.Answer("c", "ok")
		do(t, b, sized("d", 99), nil)
		do(t, b, sized("e", 1), nil)
		do(t, b, sized("f", 1), nil)
		here(t, b, "d", "e")
	})
}

func TestCancelWhileWaitingForCapacity(t *testing.T) {
	cfg := config()
	cfg.Bytes = 100
	run(t, cfg, func(t *testing.T, b *box) {
		do(t, b, sized("a", 60), nil)
		large, cancel := do(t, b, sized("b", 90), nil)
		do(t, b, sized("c", 30), nil)
		here(t, b, "a")
		cancel(nil)
		large.is(outcome{Err: context.Canceled})
		here(t, b, "a", "c") // it no longer waits behind b
		b.Answer("a", "ok")
		b.Answer("c", "ok")
		synctest.Wait()
		assert.Equal(t, outbox.Left{}, b.Left())
	})
}

// If a caller cancels while it is granted capacity, that capacity must not be lost.
func TestCancelAsCapacityIsGranted(t *testing.T) {
	cfg := config()
	cfg.Len = 1
	run(t, cfg, func(t *testing.T, b *box) {
		for i := range 300 {
			send(t, b, "a")
			e, cancel := do(t, b, request("b", outbox.Send), nil)
			if i%2 == 0 {
				cancel(nil)
				b.Answer("a", "ok")
			} else {
				b.Answer("a", "ok")
				cancel(nil)
			}
			e.is(outcome{Err: context.Canceled})
			require.Equal(t, outbox.Left{}, b.Left())
		}
	})
}

func TestContextEndsInEachState(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		assert.Equal(t, outcome{Err: context.Canceled},
			b.Do(over, t, request("s", outbox.Send), nil), "before it began")
		assert.Equal(t, outcome{Err: context.Canceled}, b.Do(over, t, request("s", outbox.Ack), nil))

		ends := func(e end, cancel context.CancelCauseFunc, want outcome) {
			t.Helper()
			e.pending()
			cancel(nil)
			want.Err = context.Canceled
			e.is(want)
			assert.False(t, b.Waiting("s"))
			assert.False(t, b.Answer("s", "ok"), "too late")
			assert.Equal(t, outbox.Left{}, b.Left())
		}
		r := request("s", outbox.Send)
		e, cancelS := do(t, b, r, nil)
		ends(e, cancelS, outcome{}) // waiting

		e, cancelS = do(t, b, r, nil)
		writes(t, b, replyTimeout, "s")
		ends(e, cancelS, outcome{Unconfirmed: true, Attempts: 1}) // written

		e, cancelS = do(t, b, r, nil)
		writes(t, b, replyTimeout, "s")
		b.Answer("s", "busy")
		ends(e, cancelS, outcome{Answer: "busy", Attempts: 1}) // in backoff

		e, cancelS = do(t, b, r, nil)
		writes(t, b, replyTimeout, "s")
		b.Answer("s", "busy")
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout, "s")
		ends(e, cancelS, outcome{Answer: "busy", Unconfirmed: true, Attempts: 2}) // written again

		e, cancelS = do(t, b, r, nil)
		writes(t, b, replyTimeout, "s")
		b.Down(true)
		ends(e, cancelS, outcome{Unconfirmed: true, Attempts: 1}) // waiting for the next link
		b.Up()

		e, cancelS = do(t, b, r, nil)
		writes(t, b, replyTimeout, "s")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "s")
		b.Answer("s", "busy")
		ends(e, cancelS, outcome{Answer: "busy", Unconfirmed: true, Attempts: 2}) // in backoff, unconfirmed

		e, cancelS = do(t, b, r, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		writes(t, b, replyTimeout, "s")
		b.Answer("s", "busy")
		ends(e, cancelS, outcome{Answer: "busy", Attempts: 1}) // in Pace
	})
}

func TestCloseInEachState(t *testing.T) {
	cfg := config()
	cfg.Len = 6
	run(t, cfg, func(t *testing.T, b *box) {
		replace := func() {
			b.Quiesce()
			b.Down(false)
			b.Up()
		}
		unconfirmed, backingOff, again := send(t, b, "unconfirmed"), send(t, b, "backing off"), send(t, b, "again")
		writes(t, b, replyTimeout, "unconfirmed", "backing off", "again")
		b.Answer("backing off", "busy")
		b.Answer("again", "busy")
		replace()
		writes(t, b, backoff(1), "unconfirmed")
		b.Answer("again", "busy")
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout-backoff(1), "backing off", "again")
		b.Answer("backing off", "busy")
		replace()
		writes(t, b, backoff(2), "unconfirmed", "again")
		written := send(t, b, "written")
		limiting, _ := do(t, b, request("limiting", outbox.Send), func(context.Context, string) error {
			time.Sleep(time.Second)
			return nil
		})
		writes(t, b, backoff(2), "written", "limiting")
		b.Answer("limiting", "busy")
		waiting := send(t, b, "waiting")
		noCapacity := send(t, b, "no capacity")
		ack := start(t, b, request("ack", outbox.Ack))
		list := start(t, b, request("list", outbox.List))

		b.Close(errEnd)
		unconfirmed.is(outcome{Unconfirmed: true, Err: errEnd, Attempts: 3})
		backingOff.is(outcome{Answer: "busy", Err: errEnd, Attempts: 2})
		again.is(outcome{Answer: "busy", Unconfirmed: true, Err: errEnd, Attempts: 3})
		written.is(outcome{Unconfirmed: true, Err: errEnd, Attempts: 1})
		limiting.pending()
		time.Sleep(time.Second)
		limiting.is(outcome{Answer: "busy", Err: errEnd, Attempts: 1})
		for _, e := range []end{waiting, noCapacity, ack, list} {
			e.is(outcome{Err: errEnd})
		}
		send(t, b, "s").is(outcome{Err: errEnd})
		start(t, b, request("a", outbox.Ack)).is(outcome{Err: errEnd})
		writes(t, b, forever)
		assert.Zero(t, b.Len().Requests)
		<-b.Drained()
	})
}

func TestSealLetsOtherRequestsFinish(t *testing.T) {
	cfg := config()
	cfg.Len = 2
	errSealed := errors.New("sealed")
	run(t, cfg, func(t *testing.T, b *box) {
		one, two := send(t, b, "one"), send(t, b, "two")
		noCapacity := send(t, b, "no capacity")
		b.Seal(errSealed)
		noCapacity.is(outcome{Err: errSealed})
		send(t, b, "too late").is(outcome{Err: errSealed})
		b.Seal(errEnd)
		send(t, b, "later").is(outcome{Err: errSealed}) // the first reason counts
		ack := start(t, b, request("ack", outbox.Ack))

		drained := b.Drained()
		writes(t, b, replyTimeout, "ack", "one", "two")
		b.Answer("one", "busy")
		b.Answer("two", "ok")
		two.is(outcome{Answer: "ok", Attempts: 1})
		select {
		case <-drained:
			assert.Fail(t, "one is in backoff")
		default:
		}
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout-backoff(1), "one")
		b.Answer("one", "ok")
		<-drained
		one.is(outcome{Answer: "ok", Attempts: 2})
		<-b.Drained()
		ack.pending() // Drained does not wait for acknowledgements
		b.Answer("ack", "ok")
		ack.is(outcome{Answer: "ok", Attempts: 1})
	})
}

// Drained waits for a request that was admitted before Seal, even if its goroutine has not run yet.
func TestDrainedWaitsForAdmittedRequests(t *testing.T) {
	cfg := config()
	cfg.Len = 1
	run(t, cfg, func(t *testing.T, b *box) {
		send(t, b, "one")
		two := send(t, b, "two")
		b.Answer("one", "ok") // admits two
		b.Seal(errEnd)
		drained := b.Drained()
		select {
		case <-drained:
			assert.Fail(t, "two was admitted")
		default:
		}
		two.pending()
		assert.Equal(t, 1, b.Len().Requests)
		b.Answer("two", "ok")
		<-drained
	})
	// No capacity is lost if the Box closes before that goroutine runs.
	run(t, cfg, func(t *testing.T, b *box) {
		send(t, b, "one")
		two := send(t, b, "two")
		b.Answer("one", "ok")
		b.Close(errEnd)
		two.is(outcome{Err: errEnd})
		<-b.Drained()
	})
}

// hold calls Hold in a goroutine.
func hold(ctx context.Context, b *box, bytes int64) (acquired chan func(), failed chan error) {
	acquired, failed = make(chan func(), 1), make(chan error, 1)
	go func() {
		release, err := b.Hold(ctx, bytes)
		if err != nil {
			failed <- err
			return
		}
		acquired <- release
	}()
	synctest.Wait()
	return acquired, failed
}

func TestHold(t *testing.T) {
	cfg := config()
	cfg.Len, cfg.Bytes = 2, 100
	run(t, cfg, func(t *testing.T, b *box) {
		acquired, _ := hold(context.Background(), b, 60)
		release := <-acquired
		assert.Equal(t, 1, b.Len().Requests)
		do(t, b, sized("a", 41), nil)
		here(t, b) // too large while the other is in the Box
		release()
		here(t, b, "a")
		acquired, _ = hold(context.Background(), b, 59)
		release = <-acquired
		waits, _ := hold(context.Background(), b, 1)
		require.Empty(t, waits, "both slots are used")
		b.Answer("a", "ok")
		synctest.Wait()
		(<-waits)()

		drained := b.Drained()
		assert.False(t, isQuiet(drained))
		b.Down(true)
		assert.False(t, isQuiet(drained), "a hold does not depend on the link")
		release()
		assert.True(t, isQuiet(drained))
		assert.Equal(t, outbox.Left{}, b.Left())
	})
}

func TestHoldEndsWithoutCapacity(t *testing.T) {
	cfg := config()
	cfg.Len = 1
	run(t, cfg, func(t *testing.T, b *box) {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := b.Hold(over, 1)
		require.ErrorIs(t, err, context.Canceled)
		release, err := b.Hold(context.Background(), 1)
		require.NoError(t, err)

		ctx, cancel := context.WithCancel(context.Background())
		_, failed := hold(ctx, b, 1)
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		_, failed = hold(context.Background(), b, 1)
		b.Seal(errEnd)
		require.ErrorIs(t, <-failed, errEnd)
		_, err = b.Hold(context.Background(), 1)
		require.ErrorIs(t, err, errEnd)
		assert.Equal(t, 1, b.Len().Requests)
		b.Close(errors.New("closed")) // the capacity stays in use until release
		assert.Equal(t, 1, b.Len().Requests)
		release()
		assert.Zero(t, b.Len().Requests)
	})
}
