package soak

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// A history is a sequence of events for the oracles. Each wrong history has one violation, which the oracles must name.
// A right history has none.
type history struct {
	*testing.T
	script
	v   *violations
	in  *inboundOracle
	out *outboundOracle
}

const (
	historyMessages = 4000
	historySends    = 2000
)

func newHistory(t *testing.T) *history {
	v := &violations{seed: 7}
	s := script{seed: 7, conversations: 1, sends: historySends, batch: 60, often: 1}
	h := &history{
		t, s, v, newInboundOracle(v, s, historyMessages), newOutboundOracle(v, s, historyMessages, historySends),
	}
	h.out.isDropped = h.in.isDropped
	h.in.restart(0, mode{handlerAttempts: 8}, nil)
	return h
}

func (h *history) handled(messages ...int) {
	for _, n := range messages {
		h.in.attemptBegan(0, n, 1)
		h.in.attemptEnded(0, n, success)
	}
}

// attemptedBefore records a failed attempt and the start of another process.
func (h *history) attemptedBefore(n int) {
	h.in.attemptBegan(0, n, 1)
	h.in.attemptEnded(0, n, failure)
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

func (h *history) withReplies(k kind) int {
	return h.find(func(n int) bool { return h.kind(n) == k }) // there are more message numbers than sends
}

var (
	errUnconfirmed = &blaze.UnconfirmedError{MessageID: "id-1", Err: context.Canceled}
	errRejected    = &blaze.Error{Code: blaze.CodeInvalidField}
	errForbidden   = fmt.Errorf("reply: %w", &blaze.Error{Code: blaze.CodeForbidden})
)

func TestWrongHistories(t *testing.T) {
	for _, c := range []struct {
		name   string // of the violation
		run    func(h *history)
		detail string
	}{
		{name: AckBeforeHandled, run: func(h *history) { h.in.acknowledged(3) }},
		{name: AckBeforeHandled, detail: "while it is handled", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.acknowledged(3)
			h.in.attemptEnded(0, 3, success)
		}},
		{name: AckBeforeHandled, detail: "after a failed attempt", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.attemptEnded(0, 3, failure)
			h.in.acknowledged(3)
		}},
		{name: UnknownAck, run: func(h *history) { h.in.acknowledged(-1) }},
		{name: UnknownAck, detail: "too large", run: func(h *history) { h.in.acknowledged(historyMessages) }},
		{name: HandledAgain, run: func(h *history) { h.handled(3); h.in.attemptBegan(0, 3, 2) }},
		{name: HandledAgain, detail: "after it was acknowledged", run: func(h *history) {
			h.handled(3)
			h.in.acknowledged(3)
			h.in.attemptBegan(0, 3, 1)
		}},
		{name: HandledAgain, detail: "after it was dropped", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.attemptEnded(0, 3, drop)
			h.in.dropped(0, 3, errOnPurpose)
			h.in.attemptBegan(0, 3, 2)
		}},
		{name: HandledAgain, detail: "by another process, and the ledger has it", run: func(h *history) {
			h.handled(3)
			h.in.record(3, true)
			h.in.restart(1, mode{}, []int{3})
			h.in.attemptBegan(1, 3, 1)
		}},
		{name: HandledAgain, detail: "by a process that has ended", run: func(h *history) {
			h.in.processEnded(true)
			h.in.attemptBegan(0, 3, 1)
		}},
		{name: AckBeforeHandled, detail: "recorded", run: func(h *history) { h.in.record(3, true) }},
		{name: AckBeforeHandled, detail: "dropped while Run is ending", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.stopping()
			h.in.attemptEnded(0, 3, drop)
			h.in.acknowledged(3)
		}},
		{name: AckBeforeRecorded, run: func(h *history) { h.handled(3); h.in.acknowledged(3) }},
		{name: DroppedEarly, detail: "for a 403 at the first attempt of another process", run: func(h *history) {
			h.attemptedBefore(3)
			h.in.attemptBegan(1, 3, 1)
			h.in.attemptEnded(1, 3, failure)
			h.in.dropped(1, 3, errForbidden)
		}},
		{name: DroppedEarly, detail: "for a 403, without an attempt of another process", run: func(h *history) {
			for attempt := range 2 {
				h.in.attemptBegan(0, 3, attempt+1)
				h.in.attemptEnded(0, 3, failure)
			}
			h.in.dropped(0, 3, errForbidden)
		}},
		{name: DroppedEarly, run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.attemptEnded(0, 3, failure)
			h.in.dropped(0, 3, errOnPurpose)
		}},
		{name: AttemptCount, detail: "one too many", run: func(h *history) {
			for attempt := range 9 {
				h.in.attemptBegan(0, 3, attempt+1)
				h.in.attemptEnded(0, 3, failure)
			}
		}},
		{name: HandledOrder, detail: "by another process", run: func(h *history) {
			h.handled(4)
			h.in.record(4, true)
			h.in.restart(1, mode{}, []int{3, 4})
			h.in.attemptBegan(1, 3, 1)
		}},
		{name: NotHandled, detail: "acknowledged early, and being handled", run: func(h *history) {
			h.in.restart(0, mode{ack: blaze.AckReceived}, nil)
			h.in.record(3, true)
			h.in.attemptBegan(0, 3, 1)
			h.in.acknowledged(3)
			h.in.finishAll()
		}},
		{
			name: Unexplained,
			run:  func(h *history) { h.out.sendReturned(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: 5}) },
		},
		{name: Unexplained, detail: "too few cuts", run: func(h *history) {
			h.out.sendReturned(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: 1, cuts: 2})
		}},
		{name: Unexplained, detail: "failed attempts without a limit", run: func(h *history) {
			h.out.attemptFailed(1)
			h.out.sendReturned(1, blaze.Sent{}, errUnconfirmed, circumstances{attempts: -1})
		}},
		{name: StoredAgainst, detail: "never written", run: func(h *history) {
			h.store(1, 0, h.id(1))
			h.out.sendReturned(1, blaze.Sent{}, blaze.ErrClosed, circumstances{})
		}},
		{name: HandledAgain, detail: "unknown", run: func(h *history) { h.in.attemptBegan(0, -1, 1) }},
		{name: HandledAtOnce, run: func(h *history) { h.in.attemptBegan(0, 3, 1); h.in.attemptBegan(0, 4, 1) }},
		{name: HandledOrder, run: func(h *history) { h.handled(4, 3) }},
		{name: HandledOrder, detail: "overtaken while it failed", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.attemptEnded(0, 3, failure)
			h.handled(4)
			h.in.attemptBegan(0, 3, 2)
			h.in.attemptEnded(0, 3, success)
		}},
		{name: HandledAgain, detail: "until after its process", run: func(h *history) {
			h.in.attemptBegan(0, 3, 1)
			h.in.processEnded(true)
			h.in.attemptEnded(0, 3, success)
		}},
		{name: AttemptCount, run: func(h *history) { h.in.attemptBegan(0, 3, 2) }},
		{name: NotHandled, run: func(h *history) { h.in.finishAll() }},
		{name: NotAcknowledged, run: func(h *history) { h.handled(3); h.in.finishAll() }},

		{
			name: NotStored,
			run:  func(h *history) { h.out.sendReturned(1, blaze.Sent{MessageID: h.id(1)}, nil, circumstances{}) },
		},
		{name: StoredTwice, run: func(h *history) { h.store(1, 0, h.id(1)); h.store(1, 0, h.id(2)) }},
		{name: StoredTwice, detail: "a reply", run: func(h *history) {
			n := h.withReplies(reply)
			h.out.store(replyText(n), h.id(1))
			h.out.store(replyText(n), h.id(2))
		}},
		{name: StoredTwice, detail: "a third reply", run: func(h *history) {
			n := h.withReplies(replyTwo)
			h.out.store(replyText(n), h.id(1))
			h.out.store(replyText(n), h.id(2))
			h.out.store(replyText(n), h.id(3))
		}},
		{name: StoredAgainst, run: func(h *history) {
			n := h.find(h.rejected)
			h.store(n, 0, h.id(1))
			h.out.sendReturned(n, blaze.Sent{}, errRejected, circumstances{})
			h.out.finish()
		}},
		{name: StoredAgainst, detail: "its context ended", run: func(h *history) {
			n := h.find(h.impatient)
			h.out.sendReturned(n, blaze.Sent{}, context.DeadlineExceeded, circumstances{})
			h.store(n, 0, h.id(1))
			h.out.finish()
		}},
		{name: SentID, run: func(h *history) {
			h.store(1, 0, h.id(1))
			h.out.sendReturned(1, blaze.Sent{MessageID: h.id(2)}, nil, circumstances{})
		}},
		{name: SentID, detail: "unconfirmed", run: func(h *history) {
			h.store(1, 0, h.id(2))
			h.out.sendReturned(1, blaze.Sent{}, errUnconfirmed, circumstances{})
		}},
		{name: SendOrder, run: func(h *history) { h.store(2, 0, h.id(2)); h.store(1, 0, h.id(1)) }},
		{name: ReplyMissing, run: func(h *history) { h.out.replyConfirmed(h.withReplies(reply), 1, 1) }},
		{name: ReplyMissing, detail: "the second one", run: func(h *history) {
			n := h.withReplies(replyTwo)
			h.out.store(replyText(n), h.id(1))
			h.out.replyConfirmed(n, 1, 1)
			h.out.replyConfirmed(n, 2, 1)
		}},
		{name: ReplyMissing, detail: "at the end", run: func(h *history) { h.out.finish() }},
		{
			name: SendFailed,
			run:  func(h *history) { h.out.sendReturned(1, blaze.Sent{}, errors.New("no"), circumstances{}) },
		},
		{name: SendFailed, detail: "patient, and its context ended", run: func(h *history) {
			n := h.find(func(n int) bool { return !h.impatient(n) })
			h.out.sendReturned(n, blaze.Sent{}, context.DeadlineExceeded, circumstances{})
		}},
		{name: SendFailed, detail: "never ended", run: func(h *history) { h.out.finish() }},
		{name: UnexpectedRejection, run: func(h *history) {
			n := h.find(func(n int) bool { return !h.rejected(n) })
			h.out.sendReturned(n, blaze.Sent{}, errRejected, circumstances{})
		}},
		{name: ReceiptUnknown, run: func(h *history) { h.out.receipt(h.id(1)) }},
		{name: ReceiptUnknown, detail: "more often than sent", run: func(h *history) {
			h.out.receiptsSent(h.id(1), 2)
			for range 3 {
				h.out.receipt(h.id(1))
				h.out.receiptDone()
			}
		}},
		{name: ReceiptAtOnce, run: func(h *history) {
			h.out.receiptsSent(h.id(1), 1)
			h.out.receiptsSent(h.id(2), 1)
			h.out.receipt(h.id(1))
			h.out.receipt(h.id(2))
		}},
		{name: Protocol, run: func(h *history) { h.out.store("made up", h.id(1)) }},
	} {
		t.Run(c.name+" "+c.detail, func(t *testing.T) {
			h := newHistory(t)
			c.run(h)
			assert.Positive(t, h.v.count(c.name))
			list, _ := h.v.list()
			assert.Contains(t, list[0].Error(), "(seed 7)")
		})
	}
}

// A detached message may overlap with others of its conversation, be overtaken, and be handled by the next process
// after newer ones. It is still handled once.
func TestHistoryOfDetachedMessages(t *testing.T) {
	h := newHistory(t)
	for _, n := range []int{3, 4} {
		h.in.attemptBegan(0, n, 1)
		h.in.detached(0, n)
	}
	h.handled(5)
	h.in.attemptEnded(0, 4, failure)
	h.in.attemptBegan(0, 6, 1)
	h.in.attemptBegan(0, 4, 2)
	h.in.attemptEnded(0, 6, success)
	h.in.attemptEnded(0, 4, success)
	h.in.restart(1, mode{handlerAttempts: 8}, []int{3})
	h.in.attemptBegan(1, 3, 1)
	h.in.attemptEnded(1, 3, success)
	list, n := h.v.list()
	assert.Zero(t, n, list)
	h.in.attemptBegan(1, 3, 2)
	assert.Equal(t, 1, h.v.count(HandledAgain))
}

func TestRightHistory(t *testing.T) {
	h := newHistory(t)
	for n := range historyMessages {
		h.in.attemptBegan(0, n, 1)
		if n%7 == 0 {
			h.in.attemptEnded(0, n, failure)
			h.in.attemptBegan(0, n, 2)
		}
		for i := range h.kind(n).replies() {
			h.out.store(replyText(n), h.id(i))
			h.out.replyConfirmed(n, i+1, 1)
			h.out.store(replyText(n), h.id(i)) // sent again
		}
		switch {
		case h.kind(n) == dropping:
			h.in.attemptEnded(0, n, drop)
			h.in.dropped(0, n, errOnPurpose)
		case n%3 == 0:
			h.in.attemptEnded(0, n, decline)
		default:
			h.in.attemptEnded(0, n, success)
		}
		if n%5 == 0 {
			h.in.ackRejected(n)
		}
		h.in.record(n, n%11 != 0) // a ledger may fail
		h.in.acknowledged(n)
		h.in.acknowledged(n)
	}
	for n := range historySends {
		switch {
		case h.rejected(n):
			h.out.sendReturned(n, blaze.Sent{}, errRejected, circumstances{})
		case n%5 == 0:
			// two losses to become a suspect, and one alone
			why := []circumstances{{hole: true}, {attempts: 1, cuts: 3}}[n/5%2]
			resend, id := h.out.sendReturned(n, blaze.Sent{}, errUnconfirmed, why)
			assert.True(t, resend)
			assert.Equal(t, "id-1", id)
			resend, _ = h.out.sendReturned(n, blaze.Sent{}, blaze.ErrClosed, circumstances{})
			assert.True(t, resend, "through the next process")
			assert.True(t, h.store(n, 0, "id-1"))
			resend, _ = h.out.sendReturned(n, blaze.Sent{MessageID: "id-1"}, nil, circumstances{})
			assert.False(t, resend)
		case h.impatient(n):
			err := fmt.Errorf("not written: %w", context.DeadlineExceeded)
			h.out.sendReturned(n, blaze.Sent{}, err, circumstances{})
		default:
			assert.True(t, h.store(n, 0, h.id(n)))
			assert.False(t, h.store(n, 0, h.id(n)))
			h.out.sendReturned(n, blaze.Sent{MessageID: h.id(n)}, nil, circumstances{})
		}
	}
	h.in.finishAll()
	h.out.finish()
	list, _ := h.v.list()
	assert.Empty(t, list)
	left, rejected, unacked := h.in.unfinished()
	assert.Zero(t, left+rejected+unacked)
}

// A process may handle and acknowledge the messages that the previous one left.
func TestRightRestarts(t *testing.T) {
	h := newHistory(t)
	h.handled(1, 2, 3, 4) // the process ends before it records them
	h.in.record(2, true)
	h.in.restart(1, mode{ack: blaze.AckReceived}, []int{1, 2, 3, 4})
	h.in.acknowledged(2)       // the ledger has it
	h.in.attemptBegan(0, 5, 1) // a handler left by the first process
	h.in.attemptEnded(0, 5, success)
	h.in.attemptBegan(1, 1, 1)
	h.in.attemptEnded(1, 1, success)
	h.in.record(3, true)
	h.in.acknowledged(3)
	h.in.attemptBegan(1, 3, 1) // the process ends during the attempt
	h.in.restart(2, mode{memoryLedger: true}, []int{1, 4})
	for _, n := range []int{1, 4} {
		h.in.attemptBegan(2, n, 1)
		h.in.attemptEnded(2, n, success)
		h.in.acknowledged(n)
	}
	list, _ := h.v.list()
	assert.Empty(t, list)
	left, _, _ := h.in.unfinished()
	assert.Equal(t, historyMessages-4, left)
	assert.True(t, h.in.isDropped(3), "acknowledged before it was handled, so at most once")
}

// The second 403 for a reply that another process may have sent is final.
func TestRightRefusalOfAnAnswerFromBefore(t *testing.T) {
	h := newHistory(t)
	h.attemptedBefore(3)
	for attempt := range 2 {
		h.in.attemptBegan(1, 3, attempt+1)
		h.in.attemptEnded(1, 3, failure)
	}
	h.in.dropped(1, 3, errForbidden)
	list, _ := h.v.list()
	assert.Empty(t, list)
	assert.True(t, h.in.isDropped(3))
}

// Only a finished message with a rejected acknowledgement may need another connection.
func TestUnfinished(t *testing.T) {
	h := newHistory(t)
	for n := range historyMessages - 2 {
		h.handled(n)
		h.acknowledged(n)
	}
	left, rejected, unacked := h.in.unfinished()
	assert.Equal(t, []int{2, 0, 0}, []int{left, rejected, unacked})
	h.handled(historyMessages - 2)
	h.in.ackRejected(historyMessages - 2)
	h.in.ackRejected(historyMessages - 1) // not handled, so the rejection is not the only reason
	left, rejected, unacked = h.in.unfinished()
	assert.Equal(t, []int{2, 1, 1}, []int{left, rejected, unacked})
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
