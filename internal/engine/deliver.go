package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/tame"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// errIDs is the error of a push without valid ids.
var errIDs = errors.New("a push without usable ids")

// withoutIDs returns errIDs, with the id of the message if that is valid.
func withoutIDs(m *wire.Message) error {
	if id := m.MessageID; id != "" && len(id) <= wire.MaxID {
		return fmt.Errorf("message %s: %w", tame.Quote(id), errIDs)
	}
	return errIDs
}

// hooks returns the callbacks for the reader and writer of a link.
func (e *Engine) hooks() link.Hooks {
	h := link.Hooks{
		Alive: func() { e.observer.Observe(Event{Kind: Alive}) },
		Pong:  e.outbox.Heard,
		Read:  func() { e.observer.Observe(Event{Kind: FrameRead}) },
		Frame: e.frame,
		Bad:   e.skip,
		Wrote: func(json []byte) {
			e.use.asked.Store(true)
			e.observer.Observe(Event{Kind: FrameWritten, JSON: json})
		},
	}
	if e.cfg.TraceFrames {
		h.Trace = func(json []byte) { e.observer.Observe(Event{Kind: FrameTraced, JSON: json}) }
	}
	return h
}

func (e *Engine) skip(err error) { e.observer.Observe(Event{Kind: FrameSkipped, Err: err}) }

// ignore reports a discarded frame: an unknown action, or a reply without a waiting request.
func (e *Engine) ignore(f *wire.Received) {
	e.observer.Observe(Event{Kind: Ignored, Text: f.Action, Rejection: f.Error})
}

// frame handles one frame. The reader calls it, or under load one of its helpers, in order of arrival. It never blocks.
// An error ends the link.
func (e *Engine) frame(_ *link.Link, f *wire.Received) error {
	if rejectsSession(f) {
		return &RejectedError{Rejection: f.Error, Action: f.Action} // a request with its id stays in flight
	}
	//mutant:reply-by-id
	if e.outbox.Answer(f.ID.Bytes(), f.Error) {
		e.answers(f)
		return nil
	}
	switch f.Action {
	case wire.ActionCreateMessage, wire.ActionCreateCall, wire.ActionCreateKraken:
		e.accepts(f)
		e.push(f)
	case wire.ActionAck:
		e.receipt(f)
	default:
		e.ignore(f)
	}
	return nil
}

// rejectsSession reports whether a frame rejects the session. Code 10006 always does. Code 401 does unless the frame
// answers a request by id with the request's own action. LIST_PENDING_MESSAGES concerns the session as a whole.
func rejectsSession(f *wire.Received) bool {
	if !ofSession(f.Error) {
		return false
	}
	switch f.Action {
	//mutant:request-401
	case wire.ActionCreateMessage, wire.ActionCreatePlain, wire.ActionAck, wire.ActionAcks:
		return f.Error.Code == codeUpdateRequired || len(f.ID.Bytes()) == 0
	}
	return true
}

// empty reports whether a frame has no data, like a reply.
func empty(f *wire.Received) bool { return f.Error != nil || !f.Data }

// keptBytes is the memory for a failed attempt of a message that was acknowledged early. Its error is kept until the
// next attempt, for the case that there is none.
const keptBytes = 160

// push offers a message to the inbox.
func (e *Engine) push(f *wire.Received) {
	if empty(f) || !e.listen {
		e.ignore(f)
		return
	}
	m := &f.Message
	lowerIDs(m)
	own := m.UserID == e.cfg.AppID
	if e.lateReply(f, own) {
		e.ignore(f)
		return
	}
	if f.Fault != nil {
		e.skip(f.Fault)
		return
	}
	if m.MessageID == "" || longestID(m) > wire.MaxID {
		e.skip(withoutIDs(m))
		return
	}
	// The size counts the parts of variable length. The ids were checked.
	size := int32(len(m.Data) + max(len(m.Category)-wire.MaxID, 0)) //nolint:gosec // G115: at most wire.MaxInflated
	if e.cfg.EarlyAcks {
		//mutant:acked-counted
		size += keptBytes
	}
	e.pushes.Add(1)
	d := &Delivery{Message: *m, own: own, link: e.use.link.Load()}
	if e.inbox.Offer(m.ConversationID, m.MessageID, size, d) == inbox.Duplicate {
		e.observer.Observe(Event{Kind: Duplicate})
	}
}

// lateReply reports whether a frame that looks like a push is the late reply to a send: it is from the bot itself and
// has no category, or it is from the bot or malformed and has the frame id of a send. Other messages that the bot sent
// elsewhere are pushed like any others.
func (e *Engine) lateReply(f *wire.Received, own bool) bool {
	//mutant:late-view
	return own && f.Message.Category == "" || (own || f.Fault != nil) && e.outbox.Late(f.ID.Bytes())
}

// lowerIDs changes the ids of a message to lower case, as the service does. Ids that differ in case only are equal, so
// a redelivered message is recognized, and an acknowledgement is not rejected for capitals.
func lowerIDs(m *wire.Message) {
	//mutant:lower-ids
	for _, id := range []*string{
		&m.MessageID, &m.ConversationID, &m.UserID, &m.SessionID, &m.QuoteMessageID, &m.RepresentativeID,
	} {
		*id = wire.LowerID(*id)
	}
}

func longestID(m *wire.Message) int {
	return max(len(m.MessageID), len(m.ConversationID), len(m.UserID), len(m.RepresentativeID))
}

// receipt queues a receipt.
func (e *Engine) receipt(f *wire.Received) {
	if empty(f) || !e.cfg.Receipts {
		e.ignore(f)
		return
	}
	if f.Fault != nil {
		e.skip(f.Fault)
		return
	}
	id := wire.LowerID(f.Message.MessageID)
	if id == "" || max(len(id), len(f.Status)) > wire.MaxID {
		e.skip(withoutIDs(&f.Message))
		return
	}
	// The id is copied, because it may be a small part of the frame.
	taken, full := e.receipts.add(receipt{id: strings.Clone(id), status: f.Status, at: f.UpdatedAt})
	switch {
	case full:
		e.observer.Observe(Event{Kind: ReceiptDropped, Text: id})
	case !taken:
		e.ignore(f) // Run is ending
	}
}

// handle runs one attempt on a worker.
func (e *Engine) handle(d *Delivery, attempt int, v *inbox.Verdict) {
	defer e.settle(d, v) // deferred, because the handler may end this goroutine
	if d.own {
		d.Known() // pushed to the bot that wrote it
		return
	}
	d.fate = undecided
	e.owner.Handle(e.handlerCtx, d, attempt, v.Note)
}

// Accept records and acknowledges a message before its handler runs. It is for Owner.Handle.
func (e *Engine) Accept(d *Delivery) {
	//mutant:accept-once
	if !d.acked {
		//mutant:accept-record
		e.owner.RecordApart(e.handlerCtx, d.MessageID)
		e.acks.add(d.MessageID)
		d.acked = true
	}
}

// Detach ends an attempt without a result. The conversation of d continues; d stays in flight until Settle. Detach is
// called while Owner.Handle runs, at most once in an attempt.
func (e *Engine) Detach(d *Delivery) { e.inbox.Detach(d.ConversationID, d.MessageID) }

// Settle ends a detached delivery, after a method of d was called with the result. A retry does not hold up the
// conversation. Settle runs user code, which may end the goroutine (runtime.Goexit).
func (e *Engine) Settle(d *Delivery) {
	var v inbox.Verdict
	// Deferred, because Record may end this goroutine.
	defer func() { e.inbox.Settle(d.MessageID, v) }()
	e.settle(d, &v)
}

// settle carries out the result of an attempt.
func (e *Engine) settle(d *Delivery, v *inbox.Verdict) {
	if v.Detached() || e.inbox.Abandoned() {
		return
	}
	switch d.fate {
	case undecided:
	case finished:
		e.use.works(d.link)
		//mutant:finish-once
		if !d.acked {
			defer e.acks.add(d.MessageID) // deferred, because Record may end this goroutine
			//mutant:ledger-record
			e.owner.Record(e.handlerCtx, d.MessageID)
		}
	case known:
		e.acks.add(d.MessageID)
	//mutant:manual-kept
	case kept:
		e.use.works(d.link)
		v.Then = inbox.Keep
	case retried:
		//mutant:handler-retry
		*v = inbox.Verdict{Then: inbox.Retry, After: d.failure.after, Acked: d.acked, Note: d.failure.note}
		//mutant:failure-kept
		if !d.acked {
			d.failure = nil // only reportReleased reads it
		}
	case released:
		//mutant:release-stops
		e.stopIntake()
		e.reportReleased(d)
	}
}

// reportReleased reports a failed message that is not retried because Run is ending, if it was acknowledged early and
// will not be redelivered. The report is made even if Run does not wait for it. reportReleased runs on a worker or, for
// a detached message, on the goroutine of Settle.
func (e *Engine) reportReleased(d *Delivery) {
	//mutant:accepted-released
	if d.acked {
		e.owner.Released(d, d.failure.err)
	}
}

// waitingLog is the interval of reports about waiting conversations, and the minimum wait to be reported.
const waitingLog = time.Minute

// reportWaiting reports conversations that wait for a failing message. It is called when one starts to wait, so that no
// timer runs while none waits.
func (e *Engine) reportWaiting() {
	now, last := time.Since(e.made), e.lastWaiting.Load()
	//mutant:waiting-log
	if last != 0 && now-time.Duration(last) < waitingLog || !e.lastWaiting.CompareAndSwap(last, int64(max(now, 1))) {
		return
	}
	if n, oldest := e.inbox.HeldUp(); oldest > waitingLog {
		e.observer.Observe(Event{Kind: ConversationsWaiting, Count: n, Age: oldest})
	}
}
