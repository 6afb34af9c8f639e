package engine

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Timing and bounds of acknowledgements.
const (
	ackDelay = 200 * time.Millisecond // time that the first id of a frame waits for others
	// ackFrames is the maximum number of unanswered frames. Replies arrive after all messages that the service pushed
	// before them. At 100,000 messages a second, 4 frames would confirm only 3,000 acknowledgements a second, and the
	// unconfirmed ids would fill the inbox. Sends do not wait behind acknowledgements: the outbox alternates between
	// both.
	ackFrames = 512
	// ackWindow is the maximum number of unanswered frames of one Ack.
	ackWindow = 32
)

// AckFailure is the outcome of an unconfirmed frame of Ack.
type AckFailure struct {
	IDs []string
	outbox.Outcome
}

// Ack acknowledges messages with a status and waits until the service has confirmed it or ctx ends. Several frames may
// be unanswered at once. With Config.ManualAcks it records the ids first. It returns the unconfirmed frames; a rejected
// frame with several ids was retried id by id. ErrClosed means that nothing was written.
func (e *Engine) Ack(ctx context.Context, status string, ids []string) ([]AckFailure, error) {
	if !e.acks.begin(len(ids)) {
		return nil, ErrClosed
	}
	defer e.acks.end(len(ids))
	//mutant:manual-record
	if e.cfg.ManualAcks {
		for _, id := range ids {
			e.owner.RecordApart(ctx, id) // with the caller's context: Run may not have been called
		}
	}
	defer e.watchRun(wire.ActionAck)()
	p := ackPipe{acks: e.acks, status: status}
	defer p.close()
	for len(ids) > 0 {
		n := min(e.cfg.AckBatch, len(ids))
		if err := p.enter(ctx); err != nil {
			p.failed = append(p.failed, AckFailure{IDs: ids[:n], Outcome: outbox.Outcome{Err: err}})
		} else {
			n = e.acks.plural.Take(n)
			p.write(ids[:n])
		}
		ids = ids[n:]
	}
	for len(p.frames) > 0 {
		p.wait(ctx)
	}
	return p.failed, nil
}

// ackPipe holds the frames of one Ack. Several may be unanswered at once. They are written in order.
type ackPipe struct {
	*acks

	status string
	frames []ackFrame // unanswered, oldest first; each has a slot
	failed []AckFailure
}

type ackFrame struct {
	ids  []string
	wait func(context.Context) outbox.Outcome
}

// enter acquires a slot for one more frame. A caller with slots waits for its own oldest frame and never for a slot, so
// that two callers cannot deadlock.
func (p *ackPipe) enter(ctx context.Context) error {
	for {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(p.frames) == 0:
			return p.acks.enter(ctx)
		//mutant:ack-window
		case len(p.frames) < ackWindow && p.tryEnter():
			return nil
		}
		p.wait(ctx)
	}
}

// write writes a frame, after enter.
func (p *ackPipe) write(ids []string) {
	// A caller that waits until ctx ends has no limit of attempts, and gets a 401 as an error.
	r, err := ackRequest(p.status, ids, outbox.Request{})
	if err != nil {
		p.leave()
		p.ended(ids, outbox.Outcome{Err: err})
		return
	}
	p.frames = append(p.frames, ackFrame{ids: ids, wait: p.e.outbox.Start(r)})
}

// wait waits for the oldest frame.
func (p *ackPipe) wait(ctx context.Context) {
	f := p.frames[0]
	o := f.wait(ctx)
	p.frames = p.frames[1:]
	p.leave()
	p.ended(f.ids, o)
}

// ended handles the outcome of a frame.
func (p *ackPipe) ended(ids []string, o outbox.Outcome) {
	p.each(ids, o, func(ids []string, o outbox.Outcome) {
		if o.Kind != outbox.Confirmed {
			p.failed = append(p.failed, AckFailure{IDs: ids, Outcome: o})
			return
		}
		p.e.observer.Observe(Event{Kind: Acked, Count: len(ids)})
		//mutant:manual-forget
		p.e.inbox.Forget(ids...)
	})
}

// close releases the slots of the remaining frames if a method of ctx called runtime.Goexit.
func (p *ackPipe) close() {
	for range p.frames {
		p.leave()
	}
}

// ackParams are the params of ACKNOWLEDGE_MESSAGE_RECEIPT for one id, and of ACKNOWLEDGE_MESSAGE_RECEIPTS for several.
type ackParams struct {
	status string
	ids    []string
}

// SizeJSON implements [wire.Params].
func (p ackParams) SizeJSON() int {
	const each = len(`{"message_id":"89e0bdee-c355-47f2-945a-be48be875606","status":""},`)
	return len(`{"messages":[]}`) + len(p.ids)*(each+len(p.status))
}

// AppendJSON implements [wire.Params].
func (p ackParams) AppendJSON(b []byte) []byte {
	if len(p.ids) == 1 {
		return p.appendOne(b, p.ids[0])
	}
	return wire.AppendEnd(wire.AppendList(append(b, '{'), "messages", p.ids, p.appendOne), '}')
}

func (p ackParams) appendOne(b []byte, id string) []byte {
	b = wire.AppendField(append(b, '{'), "message_id", id)
	return wire.AppendEnd(wire.AppendField(b, "status", p.status), '}')
}

// request returns a background request. An acknowledgement survives a 401.
func (a *acks) request(ids []string) (outbox.Request, error) {
	const noLimit = 0                              // of outbox.Request.Attempts
	attempts := max(a.e.cfg.SendAttempts, noLimit) // negative means no limit
	return ackRequest(a.e.cfg.AckStatus, ids, outbox.Request{Attempts: attempts, Patient: true})
}

// ackRequest returns one request, with the attempts and patience of like. One id uses the singular action, several use
// the plural, which is split into single ids if the service does not accept it.
func ackRequest(status string, ids []string, like outbox.Request) (outbox.Request, error) {
	id, err := wire.NewID()
	if err != nil {
		return outbox.Request{}, err
	}
	// Not compressed: compression saves two thirds of a frame of 80 ids, which is little compared to the 80 messages,
	// and acknowledgements would reduce the receive rate to 87 % instead of 98 % (make bench, two cores shared with the
	// server).
	r := outbox.Request{ID: id, Class: outbox.Ack, Store: true, Attempts: like.Attempts, Patient: like.Patient}
	if len(ids) == 1 {
		r.Frame = wire.Request(id, wire.ActionAck, ackParams{status, ids})
		return r, nil
	}
	r.Frame = wire.Request(id, wire.ActionAcks, ackParams{status, ids})
	r.Family = wire.ActionAcks
	r.Split = func() ([]outbox.Part, error) {
		parts := make([]outbox.Part, len(ids))
		for i := range ids {
			if parts[i].Request, err = ackRequest(status, ids[i:i+1], like); err != nil {
				return nil, err
			}
		}
		return parts, nil
	}
	return r, nil
}
