package soak

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// A history is what the oracles are told. Each of the wrong ones breaks one promise, and the oracle must say which;
// told the right ones, it must say nothing.
type history struct {
	*testing.T
	script
	v   *verdicts
	in  *inboundOracle
	out *outboundOracle
}

const (
	historyMessages = 4000
	historySends    = 2000
)

func newHistory(t *testing.T) *history {
	v := &verdicts{seed: 7}
	s := script{seed: 7, conversations: 1, sends: historySends, batch: 60, often: 1}
	h := &history{
		t, s, v, newInboundOracle(v, s, historyMessages), newOutboundOracle(v, s, historyMessages, historySends),
	}
	h.out.givenUp = h.in.isGivenUp
	h.in.restart(0, mode{handlerAttempts: 8}, nil)
	return h
}

func (h *history) handled(messages ...int) {
	for _, n := range messages {
		h.in.began(0, n, 1)
		h.in.over(0, n, success)
	}
}

// triedBefore lets an attempt fail, and another process begin.
func (h *history) triedBefore(n int) {
	h.in.began(0, n, 1)
	h.in.over(0, n, failure)
	h.in.restart(1, mode{handlerAttempts: 8}, []int{n})
}

// acknowledged records a message and acknowledges it.
func (h *history) acknowledged(n int) {
	h.in.record(n, true)
	h.in.acknowledged(n)
}

// id returns one of several message ids of a send.
func (h *history) id(n int) string { return fmt.Sprintf("id-%d", n) }

func (h *history) store(send, stream int, id string) bool {
	return h.out.store(sendText(send, stream), id)
}

// find returns the first number for which f holds.
func (h *history) find(f func(n int) bool) int {
	for n := range historySends {
		if f(n) {
			return n
		}
	}
	h.Fatal("no such number")
	return 0
}

func (h *history) answered(k kind) int {
	return h.find(func(n int) bool { return h.kind(n) == k }) // the message numbers are more
}

var (
	errUnconfirmed = &blaze.UnconfirmedError{MessageID: "id-1", Err: context.Canceled}
	errRefused     = &blaze.Error{Code: blaze.CodeInvalidField}
	errForbidden   = fmt.Errorf("reply: %w", &blaze.Error{Code: blaze.CodeForbidden})
)

func TestWrongHistories(t *testing.T) {
	for _, c := range []struct {
		name   string // the promise that is broken
		tell   func(h *history)
		detail string
	}{
		{name: AckBeforeHandled, tell: func(h *history) { h.in.acknowledged(3) }},
		{name: AckBeforeHandled, detail: "while it is handled", tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.acknowledged(3)
			h.in.over(0, 3, success)
		}},
		{name: AckBeforeHandled, detail: "after a failed attempt", tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.over(0, 3, failure)
			h.in.acknowledged(3)
		}},
		{name: UnknownAck, tell: func(h *history) { h.in.acknowledged(-1) }},
		{name: UnknownAck, detail: "too large", tell: func(h *history) { h.in.acknowledged(historyMessages) }},
		{name: HandledAgain, tell: func(h *history) { h.handled(3); h.in.began(0, 3, 2) }},
		{name: HandledAgain, detail: "after it was acknowledged", tell: func(h *history) {
			h.handled(3)
			h.in.acknowledged(3)
			h.in.began(0, 3, 1)
		}},
		{name: HandledAgain, detail: "after it was given up", tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.over(0, 3, drop)
			h.in.dropped(0, 3, errOnPurpose)
			h.in.began(0, 3, 2)
		}},
		{name: HandledAgain, detail: "by another process, and the ledger has it", tell: func(h *history) {
			h.handled(3)
			h.in.record(3, true)
			h.in.restart(1, mode{}, []int{3})
			h.in.began(1, 3, 1)
		}},
		{name: HandledAgain, detail: "by a process that has ended", tell: func(h *history) {
			h.in.gone(true)
			h.in.began(0, 3, 1)
		}},
		{name: AckBeforeHandled, detail: "recorded", tell: func(h *history) { h.in.record(3, true) }},
		{name: AckBeforeHandled, detail: "given up, and Run is ending", tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.stopping()
			h.in.over(0, 3, drop)
			h.in.acknowledged(3)
		}},
		{name: AckBeforeRecorded, tell: func(h *history) { h.handled(3); h.in.acknowledged(3) }},
		{name: GivenUpEarly, detail: "for a 403 at the first attempt of another process", tell: func(h *history) {
			h.triedBefore(3)
			h.in.began(1, 3, 1)
			h.in.over(1, 3, failure)
			h.in.dropped(1, 3, errForbidden)
		}},
		{name: GivenUpEarly, detail: "for a 403, and no other process has tried", tell: func(h *history) {
			for attempt := range 2 {
				h.in.began(0, 3, attempt+1)
				h.in.over(0, 3, failure)
			}
			h.in.dropped(0, 3, errForbidden)
		}},
		{name: GivenUpEarly, tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.over(0, 3, failure)
			h.in.dropped(0, 3, errOnPurpose)
		}},
		{name: AttemptCount, detail: "one too many", tell: func(h *history) {
			for attempt := range 9 {
				h.in.began(0, 3, attempt+1)
				h.in.over(0, 3, failure)
			}
		}},
		{name: HandledOrder, detail: "by another process", tell: func(h *history) {
			h.handled(4)
			h.in.record(4, true)
			h.in.restart(1, mode{}, []int{3, 4})
			h.in.began(1, 3, 1)
		}},
		{name: NotHandled, detail: "acknowledged early, and being handled", tell: func(h *history) {
			h.in.restart(0, mode{ack: blaze.AckReceived}, nil)
			h.in.record(3, true)
			h.in.began(0, 3, 1)
			h.in.acknowledged(3)
			h.in.finishAll()
		}},
		{
			name: Unexplained,
			tell: func(h *history) { h.out.sentBack(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: 5}) },
		},
		{name: Unexplained, detail: "cut too seldom", tell: func(h *history) {
			h.out.sentBack(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: 1, cuts: 2})
		}},
		{name: Unexplained, detail: "in trouble, and there is no limit", tell: func(h *history) {
			h.out.trouble(1)
			h.out.sentBack(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: -1})
		}},
		{name: StoredAgainst, detail: "never written", tell: func(h *history) {
			h.store(1, 0, h.id(1))
			h.out.sentBack(1, blaze.Sent{}, blaze.ErrClosed, circumstances{})
		}},
		{name: HandledAgain, detail: "unknown", tell: func(h *history) { h.in.began(0, -1, 1) }},
		{name: HandledAtOnce, tell: func(h *history) { h.in.began(0, 3, 1); h.in.began(0, 4, 1) }},
		{name: HandledOrder, tell: func(h *history) { h.handled(4, 3) }},
		{name: HandledOrder, detail: "overtaken while it failed", tell: func(h *history) {
			h.in.began(0, 3, 1)
			h.in.over(0, 3, failure)
			h.handled(4)
			h.in.began(0, 3, 2)
			h.in.over(0, 3, success)
		}},
		{name: AttemptCount, tell: func(h *history) { h.in.began(0, 3, 2) }},
		{name: NotHandled, tell: func(h *history) { h.in.finishAll() }},
		{name: NotAcknowledged, tell: func(h *history) { h.handled(3); h.in.finishAll() }},

		{
			name: NotStored,
			tell: func(h *history) { h.out.sentBack(1, blaze.Sent{MessageID: h.id(1)}, nil, circumstances{}) },
		},
		{name: StoredTwice, tell: func(h *history) { h.store(1, 0, h.id(1)); h.store(1, 0, h.id(2)) }},
		{name: StoredTwice, detail: "an answer", tell: func(h *history) {
			n := h.answered(reply)
			h.out.store(replyText(n), h.id(1))
			h.out.store(replyText(n), h.id(2))
		}},
		{name: StoredTwice, detail: "a second answer", tell: func(h *history) {
			n := h.answered(replyTwo)
			h.out.store(replyText(n), h.id(1))
			h.out.store(replyText(n), h.id(2))
			h.out.store(replyText(n), h.id(3))
		}},
		{name: StoredAgainst, tell: func(h *history) {
			n := h.find(h.refused)
			h.store(n, 0, h.id(1))
			h.out.sentBack(n, blaze.Sent{}, errRefused, circumstances{})
			h.out.finish()
		}},
		{name: StoredAgainst, detail: "its context ended", tell: func(h *history) {
			n := h.find(h.impatient)
			h.out.sentBack(n, blaze.Sent{}, context.DeadlineExceeded, circumstances{})
			h.store(n, 0, h.id(1))
			h.out.finish()
		}},
		{name: SentID, tell: func(h *history) {
			h.store(1, 0, h.id(1))
			h.out.sentBack(1, blaze.Sent{MessageID: h.id(2)}, nil, circumstances{})
		}},
		{name: SentID, detail: "unconfirmed", tell: func(h *history) {
			h.store(1, 0, h.id(2))
			h.out.sentBack(1, blaze.Sent{}, errUnconfirmed, circumstances{})
		}},
		{name: SendOrder, tell: func(h *history) { h.store(2, 0, h.id(2)); h.store(1, 0, h.id(1)) }},
		{name: ReplyMissing, tell: func(h *history) { h.out.replied(h.answered(reply), 1, 1) }},
		{name: ReplyMissing, detail: "the second one", tell: func(h *history) {
			n := h.answered(replyTwo)
			h.out.store(replyText(n), h.id(1))
			h.out.replied(n, 1, 1)
			h.out.replied(n, 2, 1)
		}},
		{name: ReplyMissing, detail: "at the end", tell: func(h *history) { h.out.finish() }},
		{
			name: SendFailed,
			tell: func(h *history) { h.out.sentBack(1, blaze.Sent{}, errors.New("no"), circumstances{}) },
		},
		{name: SendFailed, detail: "patient, and its context ended", tell: func(h *history) {
			n := h.find(func(n int) bool { return !h.impatient(n) })
			h.out.sentBack(n, blaze.Sent{}, context.DeadlineExceeded, circumstances{})
		}},
		{name: SendFailed, detail: "never ended", tell: func(h *history) { h.out.finish() }},
		{name: Refusal, tell: func(h *history) {
			n := h.find(func(n int) bool { return !h.refused(n) })
			h.out.sentBack(n, blaze.Sent{}, errRefused, circumstances{})
		}},
		{name: ReceiptUnknown, tell: func(h *history) { h.out.receipt(h.id(1)) }},
		{name: ReceiptUnknown, detail: "more often than sent", tell: func(h *history) {
			h.out.readBy(h.id(1), 2)
			for range 3 {
				h.out.receipt(h.id(1))
				h.out.receiptDone()
			}
		}},
		{name: ReceiptAtOnce, tell: func(h *history) {
			h.out.readBy(h.id(1), 1)
			h.out.readBy(h.id(2), 1)
			h.out.receipt(h.id(1))
			h.out.receipt(h.id(2))
		}},
		{name: Protocol, tell: func(h *history) { h.out.store("made up", h.id(1)) }},
	} {
		t.Run(c.name+" "+c.detail, func(t *testing.T) {
			h := newHistory(t)
			c.tell(h)
			assert.Positive(t, h.v.count(c.name))
			list, _ := h.v.list()
			assert.Contains(t, list[0].Error(), "(seed 7)")
		})
	}
}

func TestRightHistory(t *testing.T) {
	h := newHistory(t)
	for n := range historyMessages {
		h.in.began(0, n, 1)
		if n%7 == 0 {
			h.in.over(0, n, failure)
			h.in.began(0, n, 2)
		}
		for said := range h.kind(n).answers() {
			h.out.store(replyText(n), h.id(said))
			h.out.replied(n, said+1, 1)
			h.out.store(replyText(n), h.id(said)) // written again
		}
		switch {
		case h.kind(n) == dropped:
			h.in.over(0, n, drop)
			h.in.dropped(0, n, errOnPurpose)
		case n%3 == 0:
			h.in.over(0, n, decline)
		default:
			h.in.over(0, n, success)
		}
		if n%5 == 0 {
			h.in.forget(n)
		}
		h.in.record(n, n%11 != 0) // a ledger may fail
		h.in.acknowledged(n)
		h.in.acknowledged(n)
	}
	for n := range historySends {
		switch {
		case h.refused(n):
			h.out.sentBack(n, blaze.Sent{}, errRefused, circumstances{})
		case n%5 == 0:
			// two losses to be a suspect, and one alone
			why := []circumstances{{hole: true}, {attempts: 1, cuts: 3}}[n/5%2]
			again, id := h.out.sentBack(n, blaze.Sent{}, errUnconfirmed, why)
			assert.True(t, again)
			assert.Equal(t, "id-1", id)
			again, _ = h.out.sentBack(n, blaze.Sent{}, blaze.ErrClosed, circumstances{})
			assert.True(t, again, "through the next process")
			assert.True(t, h.store(n, 0, "id-1"))
			again, _ = h.out.sentBack(n, blaze.Sent{MessageID: "id-1"}, nil, circumstances{})
			assert.False(t, again)
		case h.impatient(n):
			h.out.sentBack(n, blaze.Sent{}, fmt.Errorf("not written: %w", context.DeadlineExceeded), circumstances{})
		default:
			assert.True(t, h.store(n, 0, h.id(n)))
			assert.False(t, h.store(n, 0, h.id(n)))
			h.out.sentBack(n, blaze.Sent{MessageID: h.id(n)}, nil, circumstances{})
		}
	}
	h.in.finishAll()
	h.out.finish()
	list, _ := h.v.list()
	assert.Empty(t, list)
	left, refused, unacked := h.in.unfinished()
	assert.Zero(t, left+refused+unacked)
}

// What another process may do with the messages that one has left.
func TestRightRestarts(t *testing.T) {
	h := newHistory(t)
	h.handled(1, 2, 3, 4) // and the process dies before it records them
	h.in.record(2, true)
	h.in.restart(1, mode{ack: blaze.AckReceived}, []int{1, 2, 3, 4})
	h.in.acknowledged(2) // the ledger has it
	h.in.began(0, 5, 1)  // a handler that the first process has left behind
	h.in.over(0, 5, success)
	h.in.began(1, 1, 1)
	h.in.over(1, 1, success)
	h.in.record(3, true)
	h.in.acknowledged(3)
	h.in.began(1, 3, 1) // and dies
	h.in.restart(2, mode{forgets: true}, []int{1, 4})
	for _, n := range []int{1, 4} {
		h.in.began(2, n, 1)
		h.in.over(2, n, success)
		h.in.acknowledged(n)
	}
	list, _ := h.v.list()
	assert.Empty(t, list)
	left, _, _ := h.in.unfinished()
	assert.Equal(t, historyMessages-4, left)
	assert.True(t, h.in.isGivenUp(3), "acknowledged before it was handled, so at most once")
}

// The second 403 to an answer that another process may have sent is final.
func TestRightRefusalOfAnAnswerFromBefore(t *testing.T) {
	h := newHistory(t)
	h.triedBefore(3)
	for attempt := range 2 {
		h.in.began(1, 3, attempt+1)
		h.in.over(1, 3, failure)
	}
	h.in.dropped(1, 3, errForbidden)
	list, _ := h.v.list()
	assert.Empty(t, list)
	assert.True(t, h.in.isGivenUp(3))
}

// Only messages that wait for nothing but an acknowledgement that was refused may be given another connection.
func TestUnfinished(t *testing.T) {
	h := newHistory(t)
	for n := range historyMessages - 2 {
		h.handled(n)
		h.acknowledged(n)
	}
	left, refused, unacked := h.in.unfinished()
	assert.Equal(t, []int{2, 0, 0}, []int{left, refused, unacked})
	h.handled(historyMessages - 2)
	h.in.forget(historyMessages - 2)
	h.in.forget(historyMessages - 1) // not handled: something else is wrong with it
	left, refused, unacked = h.in.unfinished()
	assert.Equal(t, []int{2, 1, 1}, []int{left, refused, unacked})
}

func TestFramesKeepTheirContent(t *testing.T) {
	var l frameLog
	before, _ := l.seen("a", 1)
	assert.False(t, before)
	before, same := l.seen("a", 1)
	assert.True(t, before && same)
	before, same = l.seen("a", 2)
	assert.True(t, before)
	assert.False(t, same)
	for n := range uint64(frameLogLen + 10) {
		l.seen(fmt.Sprint(n), n)
	}
	before, _ = l.seen("a", 2)
	assert.True(t, before, "the log forgets by generations")
}
