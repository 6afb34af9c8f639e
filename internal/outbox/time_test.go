package outbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// keepAlive lets d go by on a link that answers something every ten seconds.
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

func TestTimeoutsDouble(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := send(t, b, "s")
		writes(t, b, replyTimeout, "s")
		for _, timeout := range []time.Duration{20, 40, 80, 160} {
			keepAlive(t, b, timeout*time.Second-1)
			frame, _, _, err := b.Next()
			require.NoError(t, err)
			require.Nil(t, frame, "too early")
			time.Sleep(time.Nanosecond)
			frame, _, _, err = b.Next()
			require.NoError(t, err)
			require.Equal(t, "s", string(frame))
		}
		assert.EqualValues(t, 4, b.Len().Resent)
		b.Answer("s", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 5})
	})
}

func TestTries(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		once := request("once", outbox.Ack)
		once.Attempts = 1
		twice := request("twice", outbox.Ack)
		twice.Attempts = 2
		e1, e2 := start(t, b, once), start(t, b, twice)
		writes(t, b, replyTimeout, "once", "twice")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "twice") // nothing was answered for one ReplyTimeout, and two are the limit of a link
		e1.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 1})
		e2.pending()
		time.Sleep(10 * time.Second)
		keepAlive(t, b, 30*time.Second)
		writes(t, b, forever)
		e2.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 2})
		assert.False(t, b.Answer("twice", "ok"))

		// A lost link says nothing about the request: only a silent one ends it.
		e := start(t, b, twice)
		for range 5 {
			writes(t, b, replyTimeout, "twice")
			b.Down()
			b.Up()
		}
		writes(t, b, replyTimeout, "twice")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "twice")
		e.pending()
		b.Answer("twice", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 7})
	})
}

// On a link where nothing else is answered, a request is given up all the same: its time does not double, or the link
// would be replaced before, each time anew.
func TestTriesEndOnStalledLinks(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		r := request("a", outbox.Ack)
		r.Attempts = 5
		e := start(t, b, r)
		for links := 1; links <= 2; links++ {
			writes(t, b, replyTimeout, "a")
			time.Sleep(replyTimeout)
			writes(t, b, replyTimeout, "a")
			time.Sleep(replyTimeout)
			_, _, _, err := b.Next()
			require.ErrorIs(t, err, outbox.ErrStalled)
			e.pending()
			b.Down()
			b.Up()
		}
		writes(t, b, replyTimeout, "a")
		time.Sleep(replyTimeout)
		writes(t, b, forever)
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrNoReply, Attempts: 5})
	})
}

// A server that answers everything after 15 s is slow, not dead, even if its callers wait for 10 s only and are
// always some.
func TestCallersThatGiveUpDoNotStallALink(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		for i := range 20 {
			id := fmt.Sprint("s", i)
			_, cancel := do(t, b, request(id, outbox.Send), nil)
			frame, _, _, err := b.Next()
			require.NoErrorf(t, err, "at %d s nothing has waited longer than 10 s", 5*i)
			require.Equal(t, id, string(frame))
			time.AfterFunc(10*time.Second, func() { cancel(nil) })
			time.AfterFunc(15*time.Second, func() { b.Answer(id, "ok") })
			time.Sleep(5 * time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()

		// Who stays is owed an answer, whoever leaves.
		send(t, b, "stays")
		for i := range 8 {
			id := fmt.Sprint("t", i)
			_, cancel := do(t, b, request(id, outbox.Send), nil)
			_, _, _, err := b.Next()
			require.NoError(t, err)
			time.AfterFunc(4*time.Second, func() { cancel(nil) })
			time.Sleep(5*time.Second - 1)
		}
		time.Sleep(8 * time.Nanosecond)
		_, _, _, err := b.Next()
		require.ErrorIs(t, err, outbox.ErrStalled)
	})
}

func TestStalledLink(t *testing.T) {
	stalled := func(t *testing.T, b *box) {
		t.Helper()
		_, _, _, err := b.Next()
		require.ErrorIs(t, err, outbox.ErrStalled)
	}
	run(t, config(), func(t *testing.T, b *box) {
		time.Sleep(time.Hour)
		e := send(t, b, "s")
		writes(t, b, replyTimeout, "s") // an idle link owes nothing
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "s")
		time.Sleep(replyTimeout - 1)
		writes(t, b, 1)
		time.Sleep(time.Nanosecond)
		stalled(t, b)
		b.Down()
		b.Up()
		writes(t, b, 2*replyTimeout, "s") // its own clock has doubled
		time.Sleep(2*replyTimeout - 1)
		writes(t, b, 1)
		b.Answer("s", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 3})
		time.Sleep(time.Hour)
		writes(t, b, forever)

		// A temporary refusal is an answer too, and nothing is owed while the request rests.
		send(t, b, "busy")
		writes(t, b, replyTimeout, "busy")
		time.Sleep(replyTimeout - 1)
		b.Answer("busy", "busy")
		writes(t, b, rest(1))
		time.Sleep(time.Hour)
		writes(t, b, replyTimeout, "busy")
		b.Answer("busy", "ok")

		// Answers to others keep a link alive, answers nobody waits for do not.
		send(t, b, "silent")
		writes(t, b, replyTimeout, "silent")
		keepAlive(t, b, 10*time.Minute)
		time.Sleep(2*replyTimeout - 10*time.Second - 1)
		b.Answer("alive", "late")
		_, _, _, err := b.Next()
		require.NoError(t, err)
		time.Sleep(time.Nanosecond)
		stalled(t, b)
	})
	run(t, config(), func(t *testing.T, b *box) {
		// What its caller gave up is not owed any more.
		_, cancel := do(t, b, request("s", outbox.Send), nil)
		writes(t, b, replyTimeout, "s")
		time.Sleep(replyTimeout / 2)
		cancel(nil)
		synctest.Wait()
		time.Sleep(time.Hour)
		writes(t, b, forever)
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
		b.Down()
		start(t, b, request("too late", outbox.List)).pending()
		send(t, b, "s6")
		time.Sleep(time.Hour) // no clock runs without a link
		assert.False(t, b.Answer("l", "ok"), "belongs to the lost link")
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

func TestListIsRetriedOnItsLink(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := start(t, b, request("l", outbox.List))
		writes(t, b, replyTimeout, "l")
		b.Answer("l", "busy")
		time.Sleep(rest(1))
		writes(t, b, replyTimeout, "l")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "l")
		b.Answer("l", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 3})

		e = start(t, b, request("resting", outbox.List))
		writes(t, b, replyTimeout, "resting")
		b.Answer("resting", "busy")
		start(t, b, request("waiting", outbox.List))
		b.Down()
		b.Up()
		time.Sleep(time.Hour)
		writes(t, b, forever)
		e.pending()
	})
}
