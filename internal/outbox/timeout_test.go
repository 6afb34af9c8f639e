package outbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/outbox"
)

// keepAlive advances time by d on a link with a reply to another request every ten seconds.
func keepAlive(t *testing.T, b *box, d time.Duration) {
	t.Helper()
	for ; d > 0; d -= 10 * time.Second {
		start(t, b, request("alive", outbox.List))
		for {
			frame, _, _, err := b.Next()
			require.NoError(t, err)
			require.NotNil(t, frame)
			if string(frame) == "alive" {
				break
			}
		}
		require.True(t, b.Answer("alive", "ok"))
		time.Sleep(min(d, 10*time.Second))
	}
}

// silent advances time by one attempt without a reply, on a link with replies to other requests.
func silent(t *testing.T, b *box, timeout time.Duration, ids ...string) {
	t.Helper()
	writes(t, b, timeout, ids...)
	keepAlive(t, b, timeout)
}

func TestTimeoutsDouble(t *testing.T) {
	timeouts := []time.Duration{20, 40, 80, 160, 300, 300, 300} // in seconds, up to 5 minutes
	for _, answersOthers := range []bool{true, false} {
		run(t, config(), func(t *testing.T, b *box) {
			e := send(t, b, "s")
			for _, timeout := range timeouts {
				timeout *= time.Second
				writes(t, b, timeout, "s")
				if answersOthers {
					keepAlive(t, b, timeout-1)
				} else {
					time.Sleep(timeout - 1)
				}
				writes(t, b, 1)
				time.Sleep(time.Nanosecond)
			}
			writes(t, b, 5*time.Minute, "s")
			assert.EqualValues(t, len(timeouts), b.Len().Resent)
			b.Answer("s", "ok")
			e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 1 + len(timeouts)})
		})
	}
}

func TestBoundsLimitTheTimeout(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		bounds := bounds.Default()
		bounds.MaxReply = 50 * time.Second
		b.Bound(bounds)
		send(t, b, "s")
		for _, timeout := range []time.Duration{20, 40, 50, 50} {
			writes(t, b, timeout*time.Second, "s")
			time.Sleep(timeout * time.Second)
		}
		// An initial timeout above the bound does not change.
		bounds.MaxReply = time.Second
		b.Bound(bounds)
		_, _, _, err := b.Next()
		require.NoError(t, err)
		send(t, b, "young")
		writes(t, b, replyTimeout, "young")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "young")
	})
}

func TestAttemptsWithoutAReply(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		once, twice := request("once", outbox.Ack), request("twice", outbox.Send)
		once.Attempts, twice.Attempts = 1, 2
		e1 := start(t, b, once)
		e2, _ := do(t, b, twice, nil)
		silent(t, b, replyTimeout, "once", "twice")
		writes(t, b, 2*replyTimeout, "twice")
		e1.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 1})
		e2.pending()
		keepAlive(t, b, 2*replyTimeout)
		writes(t, b, forever)
		e2.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 2})
		assert.False(t, b.Answer("twice", "ok"), "too late")
	})
}

// Replies may queue behind pushes for an hour. An attempt does not count if no other request is answered either.
func TestSilenceOfAllIsNoAttempt(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		once := request("once", outbox.Ack)
		once.Attempts = 1
		e := start(t, b, once)
		for _, timeout := range []time.Duration{20, 40, 80, 160, 300, 300, 300} {
			writes(t, b, timeout*time.Second, "once")
			time.Sleep(timeout * time.Second)
			e.pending()
		}
		// Replies before the write do not count either.
		silent(t, b, 300*time.Second, "once")
		writes(t, b, forever)
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 8})

		e = start(t, b, once)
		keepAlive(t, b, 10*time.Second) // once is written before the last reply
		time.Sleep(replyTimeout)
		e.pending()
	})
}

// A reply could have arrived if a ping was answered after the request was written.
func TestAnsweredPingsCountAttempts(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		once := request("once", outbox.Ack)
		once.Attempts = 1
		e := start(t, b, once)
		b.Heard()
		writes(t, b, replyTimeout, "once")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "once")
		e.pending()
		b.Heard()
		time.Sleep(2 * replyTimeout)
		writes(t, b, forever)
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 2})
	})
}

// Replies may queue behind pushes while pongs do not.
func TestPingsThatAreAnsweredBeforePushes(t *testing.T) {
	var pushes uint64
	cfg := config()
	cfg.Pushes = func() uint64 { return pushes }
	run(t, cfg, func(t *testing.T, b *box) {
		once := request("once", outbox.Ack)
		once.Attempts = 1
		e := start(t, b, once)
		for _, timeout := range []time.Duration{20, 40, 80, 160, 300, 300} {
			writes(t, b, timeout*time.Second, "once")
			b.Heard()
			pushes++
			time.Sleep(timeout * time.Second)
			e.pending()
		}
		// Pushes before the write do not count.
		writes(t, b, 300*time.Second, "once")
		b.Heard()
		time.Sleep(300 * time.Second)
		writes(t, b, forever)
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 7})

		e = start(t, b, once)
		writes(t, b, replyTimeout, "once")
		pushes++
		keepAlive(t, b, replyTimeout) // a reply to another request counts, whatever was pushed
		writes(t, b, forever)
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 1})
	})
}

// A lost link does not count as an attempt without a reply.
func TestLostLinksAreNoAttempts(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		twice := request("twice", outbox.Ack)
		twice.Attempts = 2
		e := start(t, b, twice)
		for _, wait := range []time.Duration{0, 1, 2, 4, 8} { // a slow start waits longer and longer for the List
			listed(t, b)
			if wait > 0 {
				writes(t, b, wait*replyTimeout)
				time.Sleep(wait * replyTimeout)
			}
			writes(t, b, replyTimeout, "twice")
			time.Sleep(replyTimeout - 1)
			b.Down(true)
			b.Up()
		}
		silent(t, b, replyTimeout, "twice")
		writes(t, b, 2*replyTimeout, "twice")
		e.pending()
		b.Answer("twice", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 7})
	})
}

func TestDown(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		s1, s2, s3, s4 := send(t, b, "s1"), send(t, b, "s2"), send(t, b, "s3"), send(t, b, "s4")
		a := start(t, b, request("a", outbox.Ack))
		list := start(t, b, request("l", outbox.List))
		writes(t, b, replyTimeout, "l", "a", "s1", "s2", "s3", "s4")
		send(t, b, "s5")
		b.Answer("s2", "busy")
		b.Answer("s3", "ok")
		b.Down(false)
		start(t, b, request("too late", outbox.List)).pending()
		send(t, b, "s6")
		time.Sleep(time.Hour) // no timeout runs without a link
		assert.False(t, b.Answer("l", "ok"), "it was on the lost link")
		assert.False(t, b.Waiting("too late"))

		b.Up()
		start(t, b, request("l2", outbox.List))
		writes(t, b, replyTimeout, "l2", "a", "s1", "s2", "s4", "s5", "s6")
		for _, id := range []string{"l2", "a", "s1", "s2", "s4", "s5", "s6"} {
			require.True(t, b.Answer(id, "ok"))
		}
		list.pending()
		a.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 2})
		s1.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 2})
		s2.is(outcome{Answer: "ok", Attempts: 2}) // it was answered on the lost link
		s3.is(outcome{Answer: "ok", Attempts: 1})
		s4.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 2})
		assert.EqualValues(t, 4, b.Len().Resent)
		writes(t, b, forever)
	})
}

// A List is written once, because the service keeps the order of pending messages only for the first list of a link.
func TestAListIsWrittenOnce(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := start(t, b, request("silent", outbox.List))
		writes(t, b, forever, "silent")
		for range 100 {
			keepAlive(t, b, time.Minute)
			writes(t, b, forever)
		}
		require.True(t, b.Answer("silent", "ok"))
		e.is(outcome{Answer: "ok", Attempts: 1})

		for _, word := range []string{"no", "busy", "passing", "whole"} { // for any rejection
			e = start(t, b, request(word, outbox.List))
			writes(t, b, forever, word)
			require.True(t, b.Answer(word, word))
			e.is(outcome{Answer: word, Attempts: 1})
		}

		written, waiting := start(t, b, request("written", outbox.List)), start(t, b, request("waiting", outbox.List))
		frame, _, _, err := b.Next()
		require.NoError(t, err)
		require.Equal(t, "written", string(frame))
		b.Down(true)
		b.Up()
		time.Sleep(time.Hour)
		writes(t, b, forever)
		written.pending()
		waiting.pending()
	})
}
