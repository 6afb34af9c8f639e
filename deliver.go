package blaze

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// deliverer implements [engine.Owner]. It converts each delivery to a Message, calls the Ledger and the Handler, and
// acknowledges, retries or drops the message according to their results.
type deliverer struct {
	cfg      *Config
	appID    string
	signer   *auth.Signer
	sessions *sessionDirectory
	identity *identity
	engine   *engine.Engine
	observer *observer
	handler  Handler // set by Run
}

// Handle implements [engine.Owner].
func (v *deliverer) Handle(ctx context.Context, d *engine.Delivery, attempt int, note any) {
	//mutant:ledger-known
	if attempt > 1 {
		v.handle(ctx, d, attempt, note)
		return
	}
	if d.Category == string(CategorySystemSession) {
		v.sessions.changed(d.Data) // also if another process with this Ledger handled it
	}
	// The message is handled even if a method of the Ledger calls runtime.Goexit.
	v.known(ctx, d.MessageID, func(known bool) {
		switch {
		//mutant:ledger-abandoned
		case v.engine.Abandoned(): // Run ended during the call of the Ledger, which may have failed because of that
		case known:
			v.observer.Observe(engine.Event{Kind: engine.Duplicate})
			d.Known()
		default:
			v.handle(ctx, d, attempt, note)
		}
	})
}

// handle decodes the message and calls the handler. Each attempt decodes it anew, because a handler may modify it.
func (v *deliverer) handle(ctx context.Context, d *engine.Delivery, attempt int, note any) {
	ended, _ := note.(*endedReplies)
	m := v.message(d, attempt, ended)
	m.attempt.begin(v, d, &m.message, attempt)
	guard.Call(func() error {
		//mutant:ack-received
		if v.cfg.Ack == AckReceived {
			v.engine.Accept(d)
		}
		return v.handler(ctx, &m.message)
	}, m.attempt.returned)
}

// detached implements [attemptOwner].
func (v *deliverer) detached(d *engine.Delivery) { v.engine.Detach(d) }

// judge implements [attemptOwner].
func (v *deliverer) judge(p attemptParts, err error, detached bool) {
	if detached {
		defer v.engine.Settle(p.delivery) // deferred, because methods of the error may end this goroutine
	}
	judge(err, func(o outcome) {
		if !v.engine.Abandoned() {
			v.settle(p.delivery, p.message, p.number, o)
		}
	})
}

// stopping implements [attemptOwner].
func (v *deliverer) stopping() bool { return v.engine.Stopping() }

// onStop implements [attemptOwner].
func (v *deliverer) onStop(f func()) (undo func()) { return v.engine.OnStop(f) }

// message returns the Message for an attempt. ended has the replies of earlier attempts; it may be nil.
func (v *deliverer) message(d *engine.Delivery, attempt int, ended *endedReplies) *receivedMessage {
	m := newMessage(&d.Message, v.appID, attempt, v.unseal)
	m.message.LastAttempt, m.message.self = v.isLast(attempt), v.identity
	//mutant:reply-attempts
	if ended != nil {
		m.replies.made = &madeReplies{ended: ended}
	}
	return m
}

func (v *deliverer) isLast(attempt int) bool {
	return v.cfg.HandlerAttempts > 0 && attempt >= v.cfg.HandlerAttempts
}

// settle acknowledges, retries or drops a message after an attempt. The decision does not depend on m, which the
// handler may have modified.
func (v *deliverer) settle(d *engine.Delivery, m *Message, attempt int, o outcome) {
	switch {
	case o.err == nil:
		v.observe(messageHandled, m, o)
		v.finish(d)
	case o.declined:
		v.observer.observe(event{Event: engine.Event{Kind: messageDeclined, Text: d.Category}, quiet: o.quiet})
		//mutant:declined-finish
		d.Finish() // in every mode, because no handler will call Ack
	//mutant:handler-ending
	case v.engine.Stopping():
		v.observe(attemptUndone, m, o)
		d.Release(&lastAttempt{keptAttempt{attempt: attempt, ended: m.counter().ended()}, o})
	default:
		v.failed(d, m, attempt, o)
	}
}

// failed schedules another attempt or drops the message. Trace.Dropped returns before the message is recorded or
// acknowledged.
func (v *deliverer) failed(d *engine.Delivery, m *Message, attempt int, o outcome) {
	v.observe(attemptFailed, m, o)
	if v.engine.Abandoned() {
		return // Run ended while the hook ran
	}
	if v.isLast(attempt) || o.permanent {
		//mutant:dropped-first
		v.observe(messageDropped, m, o)
		//mutant:manual-dropped
		v.finish(d)
		return
	}
	after := handlerWait.Near(attempt)
	v.observer.observe(event{
		Event: engine.Event{Kind: attemptScheduled, Text: o.text, RetryIn: after}, message: m, stack: o.stack,
	})
	ended := m.counter().ended()
	d.Retry(keepAttempt(attempt, ended, o.text), ended, after)
}

// finish ends a message. With AckManual it stays pending until Client.Ack.
func (v *deliverer) finish(d *engine.Delivery) {
	if v.cfg.Ack == AckManual {
		d.Keep()
		return
	}
	d.Finish()
}

func (v *deliverer) observe(kind engine.Kind, m *Message, o outcome) {
	v.observer.observe(event{Event: engine.Event{Kind: kind, Err: o.err, Text: o.text}, message: m, stack: o.stack})
}

// keptAttempt is the error of a failed attempt that may be retried. If the message was acknowledged early, the engine
// keeps it until the next attempt. It has a short text in place of the handler's error, and it has no Message: an error
// or a panic value may keep a message in memory that InboxBytes does not count.
type keptAttempt struct {
	attempt int
	ended   *endedReplies
	text    string
}

// maxKeptText is the number of bytes kept of an error's text.
const maxKeptText = 80

func keepAttempt(attempt int, ended *endedReplies, text string) *keptAttempt {
	//mutant:failure-short
	if len(text) > maxKeptText {
		text = strings.ToValidUTF8(text[:maxKeptText], "") + "..."
	}
	return &keptAttempt{attempt, ended, strings.Clone(text)}
}

// Error returns the text of the handler's error.
func (e *keptAttempt) Error() string { return e.text }

// lastAttempt is the error of an attempt that failed while Run was ending.
type lastAttempt struct {
	keptAttempt
	outcome outcome
}

// Released implements [engine.Owner].
func (v *deliverer) Released(d *engine.Delivery, err error) {
	var o outcome
	var kept *keptAttempt
	switch failed := err.(type) { //nolint:errorlint // returned by failed and settle, unwrapped
	case *keptAttempt:
		kept, o = failed, outcome{err: failed, text: failed.text}
	case *lastAttempt:
		kept, o = &failed.keptAttempt, failed.outcome
	default:
		return
	}
	o.text = "blaze: Run ended before another attempt: " + o.text
	o.err = &rewordedError{o.text, o.err}
	v.observe(messageDropped, &v.message(d, kept.attempt, kept.ended).message, o)
}

// Receipt implements [engine.Owner].
func (v *deliverer) Receipt(m *wire.Message) {
	guard.Call(func() error {
		v.cfg.OnReceipt(Receipt{MessageID: m.MessageID, Status: Status(m.Category), At: m.CreatedAt})
		return nil
	}, func(err error) {
		if err != nil && !v.engine.Abandoned() {
			o := failedOutcome(err)
			err = errors.New(o.text)
			v.observer.observe(event{
				Event: engine.Event{Kind: receiptFailed, Text: m.MessageID, Err: err}, stack: o.stack,
			})
		}
	})
}

// known looks a message up in the Ledger, and then calls next exactly once. If the Ledger fails, next(false) is called.
func (v *deliverer) known(ctx context.Context, id string, next func(known bool)) {
	known := false
	inPlace("Ledger", func() (err error) {
		known, err = v.cfg.Ledger.Handled(ctx, id)
		return err
	}, func(err error) {
		if err != nil {
			v.observer.observe(event{Event: engine.Event{Kind: ledgerLookupFailed, Text: id, Err: err}})
		}
		next(known && err == nil)
	})
}

// Record implements [engine.Owner]. A message that the Ledger fails to record is acknowledged nevertheless.
func (v *deliverer) Record(ctx context.Context, id string) {
	inPlace("Ledger", func() error { return v.cfg.Ledger.Record(ctx, id) }, func(err error) { v.recorded(id, err) })
}

// RecordApart implements [engine.Owner].
func (v *deliverer) RecordApart(ctx context.Context, id string) {
	if own, ok := v.cfg.Ledger.(*memoryLedger); ok {
		v.recorded(id, own.Record(ctx, id))
		return
	}
	v.recorded(id, apart("Ledger", func() error { return v.cfg.Ledger.Record(ctx, id) }))
}

func (v *deliverer) recorded(id string, err error) {
	if err != nil {
		v.observer.observe(event{Event: engine.Event{Kind: ledgerRecordFailed, Text: id, Err: err}})
	}
}

// unseal decrypts the data of a message that was encrypted for this session. If that fails, the error has the reason:
// the message was encrypted for others, it is damaged, or the session's key is RSA.
func (v *deliverer) unseal(m *wire.Message) ([]byte, error) {
	data, err := seal.Open(v.signer, v.signer.SessionID(), []byte(m.Data))
	switch {
	case errors.Is(err, seal.ErrNotForUs):
		return nil, fmt.Errorf("%w: a %s message", ErrNotForUs, clip(m.Category))
	case errors.Is(err, seal.ErrDamaged):
		return nil, fmt.Errorf("%w: a %s message: %w", ErrDamaged, clip(m.Category), err)
	case err != nil:
		return nil, fmt.Errorf("blaze: a %s message cannot be decrypted: %w", clip(m.Category), err)
	}
	return data, nil
}
