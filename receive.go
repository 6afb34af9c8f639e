package blaze

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// errGate replaces a link on which the server does not push again what did not fit before.
var errGate = errors.New("a message that was asked for again did not come")

// errData is the refusal of a push that has no usable ids.
var errData = errors.New("a push without usable ids")

// lane is what is handled in order: a conversation, or all receipts.
type lane struct {
	receipts     bool
	conversation string
}

// inbound is what the inbox holds: a message as it came, or a receipt. There may be a hundred thousand of them.
type inbound struct {
	view    wire.Message // of a receipt: MessageID, CreatedAt for when, Category for the status
	receipt bool
	acked   bool // by AckReceived, before its handler was asked

	// Of the present attempt; owned by its worker.
	skip bool // acknowledge without asking a handler
	m    *Message
	err  *error // why it failed
}

// failed notes why the present attempt did. (In a method of its own, because the error is put on the heap.)
func (in *inbound) failed(err error) { in.err = &err }

// hooks are what the link's reader and writer call.
func (c *Client) hooks() link.Hooks {
	return link.Hooks{
		Alive: func() { c.stats.lastRead.Store(time.Now().UnixMilli()) },
		Read:  func() { c.stats.framesRead.Add(1) },
		Trace: c.cfg.Trace.FrameRead,
		Frame: c.frame,
		Bad:   c.badFrame,
		Wrote: func(json []byte) {
			c.stats.framesWritten.Add(1)
			if c.cfg.Trace.FrameWritten != nil {
				c.cfg.Trace.FrameWritten(json)
			}
		},
	}
}

func (c *Client) badFrame(err error) {
	c.stats.badFrames.Add(1)
	c.cfg.Logger.Warn("blaze: frame skipped", "error", err)
}

// frame takes one frame from the reader. It never blocks. An error ends the link.
func (c *Client) frame(l *link.Link, f *wire.Received) error {
	if f.Error != nil {
		// Whatever it answers, it is about the whole connection. The request it may belong to keeps waiting.
		if code := Code(f.Error.Code); code == CodeUnauthorized || code == CodeUpdateRequired {
			return newError(f.Error, f.Action, "")
		}
	}
	if c.outbox.Answer(f.ID.Bytes(), f.Error) {
		c.answered.Store(true)
		return nil
	}
	switch f.Action {
	case wire.ActionCreateMessage, wire.ActionCreateCall, wire.ActionCreateKraken:
		c.push(f)
	case wire.ActionAck:
		c.receive(f)
	default:
		c.ignore(f)
	}
	return nil
}

// ignore counts a frame that is of no use: an unknown action, or a reply that nobody waits for any more.
func (c *Client) ignore(f *wire.Received) {
	c.stats.ignored.Add(1)
	if f.Error != nil {
		c.cfg.Logger.Warn("blaze: the server reported an error", "error", newError(f.Error, f.Action, ""))
	}
}

// empty reports whether a frame has no data, as replies have none.
func empty(f *wire.Received) bool { return f.Error != nil || !f.Data }

// push offers a message to the inbox.
func (c *Client) push(f *wire.Received) {
	if empty(f) || c.handler == nil {
		c.ignore(f)
		return
	}
	if f.Fault != nil {
		c.badFrame(f.Fault)
		return
	}
	v := &f.Message
	own := strings.EqualFold(v.UserID, c.appID)
	if own && v.Category == "" {
		c.ignore(f) // the late reply to a send looks like a message of ours without a category
		return
	}
	if v.MessageID == "" || max(len(v.MessageID), len(v.ConversationID), len(v.UserID), len(v.SessionID), len(v.QuoteMessageID), len(v.RepresentativeID)) > wire.MaxID {
		c.badFrame(errData)
		return
	}
	in := &inbound{view: *v, skip: own}
	// What is held is bounded by what is counted: all else was checked to be short.
	size := int32(len(v.Data) + max(len(v.Category)-wire.MaxID, 0)) //nolint:gosec // G115: of at most wire.MaxInflated
	if c.inbox.Offer(lane{conversation: v.ConversationID}, v.MessageID, size, in) == inbox.Duplicate {
		c.stats.duplicates.Add(1)
	}
}

// receive offers a receipt to the inbox.
func (c *Client) receive(f *wire.Received) {
	if empty(f) || c.cfg.OnReceipt == nil {
		c.ignore(f)
		return
	}
	if f.Fault != nil {
		c.badFrame(f.Fault)
		return
	}
	v := &f.Message
	if v.MessageID == "" || max(len(v.MessageID), len(f.Status)) > wire.MaxID {
		c.badFrame(errData)
		return
	}
	r := wire.Message{MessageID: v.MessageID, Category: f.Status, CreatedAt: f.UpdatedAt}
	if c.inbox.Offer(lane{receipts: true}, "", 0, &inbound{view: r, receipt: true}) != inbox.Taken {
		c.stats.ignored.Add(1) // receipts are not pushed again: the last ones are lost when handlers are that far behind
	}
}

// list asks the server to push everything pending, oldest first, and tells answered when it has agreed to.
func (c *Client) list(l *link.Link, answered func()) {
	id, err := newID()
	if err != nil {
		l.Fail(err)
		return
	}
	r := outbox.Request{ID: id, Class: outbox.List, Frame: wire.Request(id, wire.ActionListPending, nil)}
	c.outbox.Go(r, func(o outbox.Outcome) {
		switch o.Kind {
		case outbox.Confirmed:
			answered()
		case outbox.Rejected, outbox.TransientExhausted:
			l.Fail(newError(o.Rejection, wire.ActionListPending, ""))
		case outbox.Unanswered: // the link is gone
		}
	})
}

// relist asks again, once there is room for what did not fit, and replaces the link if the message the gate waits for does
// not come.
func (c *Client) relist(gate string) {
	l := c.link.Load()
	if l == nil {
		return // the next link lists anyway
	}
	if c.inbox.Asked() != gate {
		return // this goroutine was slow, and the gate has been opened since
	}
	c.list(l, func() {
		if c.inbox.Listed(gate) {
			l.Fail(errGate)
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.Load() != l {
		return // lost meanwhile, and the timer is the next one's
	}
	if c.gateTimer != nil {
		c.gateTimer.Stop()
	}
	c.gateTimer = time.AfterFunc(c.cfg.ReplyTimeout, func() {
		if c.inbox.Asked() == gate {
			l.Fail(errGate)
		}
	})
}

func (c *Client) stopGateTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gateTimer != nil {
		c.gateTimer.Stop()
	}
}

// handle runs one attempt on a worker and decides what becomes of the message, whether the handler returns, panics or ends
// its goroutine.
func (c *Client) handle(in *inbound, attempt int, v *inbox.Verdict) {
	err := errGoexit
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
		if !c.inbox.Abandoned() {
			*v = c.settle(in, attempt, err)
		}
	}()
	err = c.attempt(in, attempt)
}

// attempt calls the user's code for a message, unless the message needs none.
func (c *Client) attempt(in *inbound, attempt int) error {
	if in.receipt {
		c.cfg.OnReceipt(Receipt{MessageID: in.view.MessageID, Status: Status(in.view.Category), At: in.view.CreatedAt})
		return nil
	}
	if in.skip {
		return nil // our own message, pushed back to us
	}
	id := in.view.MessageID
	if in.view.Category == string(CategorySystemSession) {
		c.sessionChanged(in.view.Data)
	}
	in.m = newMessage(&in.view, c.appID, attempt, c.unseal) // before any code of the user's, which may exit this goroutine
	in.m.LastAttempt = c.lastAttempt(attempt)
	if attempt == 1 && c.known(c.handlerCtx, id) {
		in.skip = true
		c.stats.duplicates.Add(1)
		return nil
	}
	if c.cfg.Ack == AckReceived && !in.acked {
		c.record(c.handlerCtx, id)
		c.acker.add(id)
		in.acked = true
	}
	return c.handler(c.handlerCtx, in.m)
}

func (c *Client) lastAttempt(attempt int) bool {
	return c.cfg.HandlerAttempts > 0 && attempt >= c.cfg.HandlerAttempts
}

// settle decides what becomes of a message after an attempt. What the handler may have changed in its Message does not
// matter here.
func (c *Client) settle(in *inbound, attempt int, err error) inbox.Verdict {
	switch {
	case in.receipt:
		if err != nil {
			c.cfg.Logger.Warn("blaze: OnReceipt failed", "message", in.view.MessageID, "error", err)
		}
		return inbox.Verdict{Then: inbox.Done}
	case in.skip:
		c.acker.add(in.view.MessageID)
		return inbox.Verdict{Then: inbox.Done}
	case err == nil:
		c.stats.handled.Add(1)
		if c.cfg.Ack == AckManual {
			return inbox.Verdict{Then: inbox.Keep}
		}
		return c.done(in)
	case errors.Is(err, ErrNotHandled) && !panicked(err):
		c.stats.declined.Add(1)
		c.logDecline(Category(in.view.Category))
		return c.done(in) // in every mode: nobody is left who would call Ack
	case c.runCtx.Err() != nil:
		// No attempt: neither recorded nor acknowledged. It comes again, and the rest of its conversation must not come before it.
		c.cfg.Logger.Warn("blaze: handler failed while Run was ending", "message", in.m, "error", err)
		c.inbox.Stop()
		in.failed(err)
		c.letGo(in)
		return inbox.Verdict{Then: inbox.Done}
	}
	return c.failed(in, attempt, err)
}

// done records and acknowledges a message that nobody needs any more, unless that was done when it was received.
func (c *Client) done(in *inbound) inbox.Verdict {
	if !in.acked && !c.inbox.Abandoned() {
		c.record(c.handlerCtx, in.view.MessageID)
		c.acker.add(in.view.MessageID)
	}
	return inbox.Verdict{Then: inbox.Done}
}

// failed lets a message be tried again, or gives it up.
func (c *Client) failed(in *inbound, attempt int, err error) inbox.Verdict {
	c.stats.failed.Add(1)
	if c.cfg.Trace.HandlerError != nil {
		c.cfg.Trace.HandlerError(in.m, err)
	}
	if c.inbox.Abandoned() {
		return inbox.Verdict{Then: inbox.Done} // Run ended while the hook ran
	}
	in.failed(err)
	if !c.lastAttempt(attempt) && !hopeless(err) {
		after := handlerWait.Near(attempt)
		c.cfg.Logger.Warn("blaze: handler failed", "message", in.m, "error", err, "retry_in", after)
		return inbox.Verdict{Then: inbox.Retry, After: after}
	}
	c.drop(in, err)
	if c.cfg.Ack == AckManual {
		return inbox.Verdict{Then: inbox.Keep} // stays pending on the server
	}
	return c.done(in)
}

// drop tells everybody that no further attempt comes.
func (c *Client) drop(in *inbound, err error) {
	c.stats.dropped.Add(1)
	c.cfg.Logger.Error("blaze: message dropped", "message", in.m, "error", err)
	if c.cfg.Trace.Dropped != nil {
		c.cfg.Trace.Dropped(in.m, err)
	}
}

// letGo hears of a message that has failed and is not tried again before Run ends. It comes again, unless it was acknowledged
// when it was received.
func (c *Client) letGo(in *inbound) {
	if in.acked && !c.inbox.Abandoned() {
		c.drop(in, fmt.Errorf("blaze: Run ended before another attempt: %w", *in.err))
	}
}

func (c *Client) logDecline(category Category) {
	const most = 100 // categories come from the network
	name := clip(string(category))
	c.mu.Lock()
	first := !c.declined[name] && len(c.declined) < most
	if first {
		c.declined[name] = true
	}
	c.mu.Unlock()
	if first {
		c.cfg.Logger.Warn("blaze: every handler declined a message; it is acknowledged, and further ones of its category are not reported", "category", name)
	}
}

// known asks the Ledger. When it cannot tell, the handler is tried.
func (c *Client) known(ctx context.Context, id string) bool {
	var known bool
	err := guarded(func() (err error) {
		known, err = c.cfg.Ledger.Handled(ctx, id)
		return err
	})
	if err != nil {
		c.cfg.Logger.Warn("blaze: the ledger cannot tell whether a message was handled", "message", id, "error", err)
		return false
	}
	return known
}

// record tells the Ledger. When it fails, the message is acknowledged all the same.
func (c *Client) record(ctx context.Context, id string) {
	if err := guarded(func() error { return c.cfg.Ledger.Record(ctx, id) }); err != nil {
		c.cfg.Logger.Warn("blaze: the ledger cannot record a message", "message", id, "error", err)
	}
}
