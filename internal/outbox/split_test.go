package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// whole returns a request that can be split. "x:a" is a part a of the conversation x; ":a" has no conversation.
func whole(class outbox.Class, parts ...string) outbox.Request {
	r := request("whole", class)
	r.Split = func() (made []outbox.Part, err error) {
		for _, p := range parts {
			order, id, _ := strings.Cut(p, ":")
			made = append(made, outbox.Part{Request: request(id, class), Order: order})
		}
		return made, nil
	}
	return r
}

// answers answers several requests with the same word.
func answers(t *testing.T, b *box, word string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.True(t, b.Answer(id, word), id)
	}
}

func TestARejectedRequestIsSplit(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e, _ := do(t, b, whole(outbox.Send, "x:a", "x:b", "y:c", ":d", ":e", "x:f"), nil)
		young := send(t, b, "young")
		writes(t, b, replyTimeout, "whole", "young")
		answers(t, b, "no", "whole")
		writes(t, b, replyTimeout, "a", "c", "d", "e") // one per conversation
		answers(t, b, "no", "c", "d")
		writes(t, b, replyTimeout)
		answers(t, b, "no", "a") // the next part follows, whatever the reply
		writes(t, b, replyTimeout, "b")
		answers(t, b, "busy", "b") // not finished
		writes(t, b, backoff(1))
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout-backoff(1), "b")
		answers(t, b, "ok", "b", "e")
		e.pending()
		assert.Equal(t, 2, b.Len().Requests, "the parts use the capacity of the whole")
		writes(t, b, replyTimeout-backoff(1), "f")
		answers(t, b, "ok", "f", "young")
		e.is(outcome{Answer: "split", Attempts: 1, Parts: []outcome{
			{Answer: "no", Attempts: 1},
			{Answer: "ok", Attempts: 2},
			{Answer: "no", Attempts: 1},
			{Answer: "no", Attempts: 1},
			{Answer: "ok", Attempts: 1},
			{Answer: "ok", Attempts: 1},
		}})
		young.is(outcome{Answer: "ok", Attempts: 1})
		assert.EqualValues(t, 7, b.Len().Resent, "parts count as resent")
		assert.Zero(t, b.Len().Requests)
	})
}

func TestWhichRejectionsSplit(t *testing.T) {
	for _, class := range []outbox.Class{outbox.Ack, outbox.Send} {
		run(t, config(), func(t *testing.T, b *box) {
			begin := func() end {
				e, _ := do(t, b, whole(class, ":a", ":b"), nil)
				writes(t, b, replyTimeout, "whole")
				return e
			}
			e := begin()
			answers(t, b, "whole", "whole") // its content is not the reason
			e.is(outcome{Answer: "whole", Attempts: 1})

			e = begin()
			for n := 1; n < 50; n++ { // these do not count as attempts
				answers(t, b, "passing", "whole")
				time.Sleep(backoff(n))
				writes(t, b, replyTimeout, "whole")
			}
			answers(t, b, "ok", "whole")
			e.is(outcome{Answer: "ok", Attempts: 50})

			e = begin()
			for n := 1; n < 3; n++ {
				answers(t, b, "busy", "whole")
				time.Sleep(backoff(n))
				writes(t, b, replyTimeout, "whole")
			}
			answers(t, b, "busy", "whole")
			if class == outbox.Send { // splitting does not help a message
				e.is(outcome{Answer: "busy", Attempts: 3})
				return
			}
			writes(t, b, replyTimeout, "a", "b")
			answers(t, b, "ok", "a", "b")
			part := outcome{Answer: "ok", Attempts: 1}
			e.is(outcome{Answer: "split: busy", Attempts: 3, Parts: []outcome{part, part}})
		})
	}
}

// A rejection that does not concern the content ends a request, unless it is Patient.
func TestPatientRequests(t *testing.T) {
	for _, class := range []outbox.Class{outbox.Ack, outbox.Send} {
		run(t, config(), func(t *testing.T, b *box) {
			r := whole(class, ":a", ":b")
			parts := r.Split
			r.Split = func() ([]outbox.Part, error) {
				made, err := parts()
				made[0].Patient = true
				return made, err
			}
			r.Patient = true
			e, _ := do(t, b, r, nil)
			for n := 1; n < 50; n++ { // these do not count as attempts
				writes(t, b, replyTimeout, "whole")
				answers(t, b, "whole", "whole")
				e.pending()
				time.Sleep(backoff(n))
			}
			writes(t, b, replyTimeout, "whole")
			answers(t, b, "no", "whole") // a rejection of its content
			writes(t, b, replyTimeout, "a", "b")
			answers(t, b, "whole", "a", "b")
			writes(t, b, backoff(1))
			time.Sleep(backoff(1))
			writes(t, b, replyTimeout, "a")
			answers(t, b, "ok", "a")
			e.is(outcome{Answer: "split", Attempts: 50, Parts: []outcome{
				{Answer: "ok", Attempts: 2}, {Answer: "whole", Attempts: 1},
			}})
		})
	}
	run(t, config(), func(t *testing.T, b *box) { // a List is never written again
		list := request("list", outbox.List)
		list.Patient = true
		e := start(t, b, list)
		writes(t, b, forever, "list")
		answers(t, b, "whole", "list")
		e.is(outcome{Answer: "whole", Attempts: 1})
	})
}

func TestASilentRequestIsSplit(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		r := whole(outbox.Send, "x:a", "x:b")
		r.Attempts = 1 // ignored for a request with a Split
		e, _ := do(t, b, r, nil)
		for _, timeout := range []time.Duration{20, 40, 80, 160, 300, 300} { // no other request is answered
			writes(t, b, timeout*time.Second, "whole")
			time.Sleep(timeout * time.Second)
		}
		silent(t, b, 300*time.Second, "whole")
		writes(t, b, 300*time.Second, "whole")
		time.Sleep(300 * time.Second) // again no other request is answered
		silent(t, b, 300*time.Second, "whole")
		silent(t, b, 300*time.Second, "whole") // the third time
		writes(t, b, replyTimeout, "a")
		answers(t, b, "no", "a")
		writes(t, b, replyTimeout, "b")
		answers(t, b, "ok", "b")
		e.is(outcome{Answer: "split", Unconfirmed: true, Attempts: 10, Parts: []outcome{
			{Answer: "no", Unconfirmed: true, Attempts: 1}, {Answer: "ok", Unconfirmed: true, Attempts: 1},
		}})
	})
}

func TestASuspectIsSplit(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e, _ := do(t, b, whole(outbox.Send, "x:a", "x:b", "y:c"), nil)
		young := send(t, b, "young")
		for range blamedLinks {
			start(t, b, request("list", outbox.List))
			frame, _, _, _ := b.Next()
			require.Equal(t, "list", string(frame))
			answers(t, b, "ok", "list")
			frame, _, _, _ = b.Next()
			require.Equal(t, "whole", string(frame))
			b.Down(true)
			b.Up()
		}
		writes(t, b, replyTimeout, "a") // the link starts slowly
		answers(t, b, "ok", "a")
		writes(t, b, replyTimeout, "b", "c")
		answers(t, b, "ok", "b", "c")
		writes(t, b, replyTimeout, "young")
		answers(t, b, "ok", "young")
		part := outcome{Answer: "ok", Unconfirmed: true, Attempts: 1}
		e.is(outcome{Answer: "split", Unconfirmed: true, Attempts: 2, Parts: []outcome{part, part, part}})
		young.is(outcome{Answer: "ok", Attempts: 1})
	})
}

func TestTheWholeIsConfirmedAfterAll(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e, _ := do(t, b, whole(outbox.Send, "x:a", "x:b", "y:c", "x:d"), nil)
		timeout := replyTimeout
		for range silentAttempts {
			silent(t, b, timeout, "whole")
			timeout *= 2
		}
		writes(t, b, replyTimeout, "a", "c")
		answers(t, b, "no", "a")
		writes(t, b, replyTimeout, "b")
		answers(t, b, "busy", "c")
		answers(t, b, "no", "whole") // ignored: its parts get replies of their own
		answers(t, b, "busy", "whole")
		e.pending()
		answers(t, b, "ok", "whole")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 3, Parts: []outcome{
			{Answer: "no", Unconfirmed: true, Attempts: 1},
			{Answer: "ok", Unconfirmed: true, Attempts: 1},
			{Answer: "ok", Unconfirmed: true, Attempts: 1},
			{Answer: "ok", Unconfirmed: true},
		}})
		assert.Equal(t, outbox.Left{}, b.Left())
		for _, id := range []string{"whole", "a", "b", "c", "d"} {
			assert.False(t, b.Answer(id, "ok"), id)
		}
		time.Sleep(time.Hour)
		writes(t, b, forever)
	})
}

// A reply to a part that was never written does not make the next part start early or twice.
func TestAPartIsAnsweredBeforeItsTurn(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e, _ := do(t, b, whole(outbox.Send, "x:a", "x:b", "x:c"), nil)
		writes(t, b, replyTimeout, "whole")
		answers(t, b, "no", "whole")
		answers(t, b, "ok", "b")
		writes(t, b, replyTimeout, "a")
		answers(t, b, "ok", "a")
		writes(t, b, replyTimeout, "c")
		answers(t, b, "ok", "c")
		part := outcome{Answer: "ok", Attempts: 1}
		e.is(outcome{Answer: "split", Attempts: 1, Parts: []outcome{part, {Answer: "ok"}, part}})
	})
}

// Parts keep the position of the whole among older and newer requests, on each link.
func TestPartsKeepTheirPlace(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		old := send(t, b, "old")
		e, _ := do(t, b, whole(outbox.Send, ":a", "x:b", ":c", "x:d"), nil)
		writes(t, b, replyTimeout, "old", "whole")
		young := send(t, b, "young")
		answers(t, b, "no", "whole")
		writes(t, b, replyTimeout, "a", "b", "c", "young")
		b.Down(false)
		b.Up()
		writes(t, b, replyTimeout, "old", "a", "b", "c", "young")
		answers(t, b, "ok", "b", "c", "a", "old")
		writes(t, b, replyTimeout, "d")
		answers(t, b, "ok", "d", "young")
		again := outcome{Answer: "ok", Unconfirmed: true, Attempts: 2}
		e.is(outcome{Answer: "split", Attempts: 1, Parts: []outcome{again, again, again, {Answer: "ok", Attempts: 1}}})
		old.is(again)
		young.is(again)
	})
}

func TestPartsCallPace(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		var rejections []string
		e, _ := do(t, b, whole(outbox.Send, "x:a", "x:b", ":c", ":d"), func(_ context.Context, word string) error {
			rejections = append(rejections, word)
			time.Sleep(time.Second)
			if word == "busy a" {
				return errPace
			}
			return nil
		})
		writes(t, b, replyTimeout, "whole")
		answers(t, b, "no", "whole")
		writes(t, b, replyTimeout, "a", "c", "d")
		answers(t, b, "busy c", "c")
		synctest.Wait()
		answers(t, b, "busy a", "a") // its call of Pace waits for the one of c
		answers(t, b, "busy d", "d")
		answers(t, b, "ok", "d") // Pace is not called: it was answered before
		time.Sleep(time.Second)
		synctest.Wait()
		writes(t, b, backoff(1)) // c is in backoff
		time.Sleep(time.Second)
		synctest.Wait()
		writes(t, b, backoff(1)-time.Second, "b") // a has ended
		answers(t, b, "ok", "b")
		time.Sleep(backoff(1) - time.Second)
		writes(t, b, replyTimeout, "c")
		answers(t, b, "ok", "c")
		e.is(outcome{Answer: "split", Attempts: 1, Parts: []outcome{
			{Answer: "busy a", Err: errPace, Attempts: 1},
			{Answer: "ok", Attempts: 1},
			{Answer: "ok", Attempts: 2},
			{Answer: "ok", Attempts: 1},
		}})
		assert.Equal(t, []string{"busy c", "busy a"}, rejections)
	})
}

func TestASplitRequestIsAborted(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		for _, how := range []string{"cancel", "close"} {
			wants := map[string]error{"cancel": context.Canceled, "close": errEnd}
			e, cancel := do(t, b, whole(outbox.Send, "x:a", "x:b", ":c", ":d"), nil)
			writes(t, b, replyTimeout, "whole")
			answers(t, b, "no", "whole")
			writes(t, b, replyTimeout, "a", "c", "d")
			answers(t, b, "busy", "c")
			answers(t, b, "ok", "d")
			if how == "cancel" {
				cancel(nil)
			} else {
				b.Close(errEnd)
			}
			e.is(outcome{Answer: "split", Attempts: 1, Parts: []outcome{
				{Unconfirmed: true, Err: wants[how], Attempts: 1},
				{Err: wants[how]},
				{Answer: "busy", Err: wants[how], Attempts: 1},
				{Answer: "ok", Attempts: 1},
			}})
			assert.Equal(t, outbox.Left{}, b.Left())
			assert.Zero(t, b.Len().Requests)
		}
	})
}

func TestARequestThatCannotBeSplit(t *testing.T) {
	cannot := errors.New("cannot")
	for _, err := range []error{nil, cannot} {
		run(t, config(), func(t *testing.T, b *box) {
			calls := 0
			r := request("r", outbox.Send)
			r.Attempts = 5
			r.Split = func() ([]outbox.Part, error) {
				calls++
				return nil, err
			}
			rejected, _ := do(t, b, r, nil)
			writes(t, b, replyTimeout, "r")
			answers(t, b, "no", "r")
			if err == nil {
				rejected.is(outcome{Answer: "no", Attempts: 1})
			} else {
				rejected.is(outcome{Err: cannot, Attempts: 1})
			}
			assert.Equal(t, 1, calls)

			e, _ := do(t, b, r, nil)
			silent(t, b, replyTimeout, "r")
			silent(t, b, 2*replyTimeout, "r")
			silent(t, b, 4*replyTimeout, "r")
			if err != nil {
				writes(t, b, forever)
				e.is(outcome{Err: cannot, Unconfirmed: true, Attempts: 3})
				return
			}
			silent(t, b, 8*replyTimeout, "r")
			e.pending()
			assert.Equal(t, 2, calls, "one call per request")
			silent(t, b, 300*time.Second, "r")
			writes(t, b, forever)
			e.is(outcome{Err: outbox.ErrNoReply, Unconfirmed: true, Attempts: 5})
		})
	}
}
