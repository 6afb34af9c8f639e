package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// isQuiet reports whether all requests that Quiesce waits for have ended.
func isQuiet(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestQuiesceLetsNoSendBeWritten(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		written := send(t, b, "written")
		writes(t, b, replyTimeout, "written")
		start(t, b, request("ack", outbox.Ack))
		waiting := send(t, b, "waiting")
		done := b.Quiesce()
		young := send(t, b, "young")
		writes(t, b, replyTimeout, "ack") // acknowledgements continue
		start(t, b, request("ack 2", outbox.Ack))
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "ack", "ack 2") // a Send that is due again waits
		assert.False(t, isQuiet(done))
		assert.True(t, b.Answer("written", "ok"), "late")
		written.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 1})
		assert.True(t, isQuiet(done))
		b.Down(false)
		b.Up()
		writes(t, b, replyTimeout, "waiting", "ack", "young", "ack 2")
		answers(t, b, "ok", "waiting", "young")
		waiting.is(outcome{Answer: "ok", Attempts: 1})
		young.is(outcome{Answer: "ok", Attempts: 1})
	})
}

func TestQuiesceWaitsForRequestsInFlight(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		_, cancel := do(t, b, request("cancelled", outbox.Send), nil)
		splits, _ := do(t, b, whole(outbox.Send, ":a"), nil)
		send(t, b, "answered")
		send(t, b, "busy")
		start(t, b, request("ack", outbox.Ack))
		start(t, b, request("list", outbox.List))
		writes(t, b, replyTimeout, "list", "ack", "cancelled", "whole", "answered", "busy")
		send(t, b, "waiting")
		done := b.Quiesce()
		assert.Equal(t, done, b.Quiesce(), "a second call returns the same channel")
		start(t, b, request("later", outbox.Ack))
		writes(t, b, replyTimeout, "later")

		for _, one := range []func(){
			func() { cancel(nil) },
			func() { b.Answer("whole", "no") }, // Quiesce does not wait for its parts
			func() { b.Answer("answered", "ok") },
			func() { b.Answer("busy", "busy") },
			func() { b.Answer("ack", "no") },
		} {
			assert.False(t, isQuiet(done))
			one()
		}
		assert.True(t, isQuiet(done), "lists and later requests do not count")
		splits.pending()
		assert.True(t, isQuiet(b.Quiesce()))
	})
}

func TestQuiesceEndsWithTheLink(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		assert.True(t, isQuiet(b.Quiesce()), "nothing is in flight")
		b.Down(true)
		assert.True(t, isQuiet(b.Quiesce()), "there is no link")
		b.Up()
		send(t, b, "s")
		writes(t, b, replyTimeout, "s")
		done := b.Quiesce()
		assert.False(t, isQuiet(done))
		b.Down(true)
		assert.True(t, isQuiet(done))
		b.Up()
		writes(t, b, replyTimeout, "s")
	})
	run(t, config(), func(t *testing.T, b *box) {
		e := send(t, b, "s")
		writes(t, b, replyTimeout, "s")
		done := b.Quiesce()
		b.Close(errEnd)
		assert.True(t, isQuiet(done))
		e.is(outcome{Unconfirmed: true, Err: errEnd, Attempts: 1})
	})
}

// The turn of a suspect of class Send ends with Quiesce, and Wake signals it, because acknowledgements need not wait
// any longer.
func TestQuiesceEndsTheTurnOfASuspect(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		send(t, b, "suspect")
		suspect(t, b, "suspect")
		start(t, b, request("list", outbox.List))
		writes(t, b, replyTimeout, "list")
		start(t, b, request("ack", outbox.Ack))
		writes(t, b, replyTimeout) // the turn waits for the reply to the List
		select {
		case <-b.Wake():
		default:
		}
		b.Quiesce()
		<-b.Wake()
		writes(t, b, replyTimeout) // a slow start waits for the List
		answers(t, b, "ok", "list")
		writes(t, b, replyTimeout, "ack")
	})
}

// Quiesce does not wait for a request without a reply in time, because it may never get one.
func TestQuiesceDoesNotWaitForLateRequests(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		late := send(t, b, "late")
		writes(t, b, replyTimeout, "late")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "late")
		send(t, b, "young")
		writes(t, b, replyTimeout, "young")
		done := b.Quiesce()
		assert.False(t, isQuiet(done))
		time.Sleep(replyTimeout) // young is late now too, but was not when Quiesce was called
		writes(t, b, replyTimeout)
		assert.False(t, isQuiet(done))
		answers(t, b, "ok", "late")
		late.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 2})
		assert.False(t, isQuiet(done))
		answers(t, b, "ok", "young")
		assert.True(t, isQuiet(done))
	})
	run(t, config(), func(t *testing.T, b *box) { // also on the next link
		send(t, b, "late")
		writes(t, b, replyTimeout, "late")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "late")
		assert.True(t, isQuiet(b.Quiesce()))
		b.Down(false)
		b.Up()
		writes(t, b, 2*replyTimeout, "late")
		assert.True(t, isQuiet(b.Quiesce()))
	})
}
