package engine

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Timing and bounds of acknowledgements.
const (
	ackDelay = 200 * time.Millisecond // how long the first id of a frame waits for others
	// ackFrames is how many frames are unanswered at once. Their answers come behind all that the service has pushed
	// meanwhile: at 100,000 messages a second, 4 frames would confirm 3,000 acknowledgements a second, and the ids of
	// the rest fill the inbox. Sends do not wait behind them: the outbox lets both take turns.
	ackFrames = 512
)

// AckFailure is the outcome of a frame of Ack that was not confirmed.
type AckFailure struct {
	IDs []string
	outbox.Outcome
}

// Ack acknowledges messages with a status, at once, and waits until that is confirmed or ctx ends. With
// Config.ManualAcks it records them first. It returns the frames that were not confirmed; a rejected frame of several
// ids is tried again id by id before. ErrClosed means that nothing was written.
func (e *Engine) Ack(ctx context.Context, status string, ids []string) ([]AckFailure, error) {
	if !e.acks.begin(len(ids)) {
		return nil, ErrClosed
	}
	defer e.acks.end(len(ids))
	//mutant:manual-record
	if e.cfg.ManualAcks {
		for _, id := range ids {
			e.owner.Record(ctx, id) // with the context of the caller: there may be no Run yet
		}
	}
	var failed []AckFailure
	for len(ids) > 0 {
		n := min(e.acks.plural.Size(e.cfg.AckBatch), len(ids))
		failed = append(failed, e.ackFrame(ctx, status, ids[:n])...)
		ids = ids[n:]
	}
	return failed, nil
}

// ackFrame acknowledges ids with one frame.
func (e *Engine) ackFrame(ctx context.Context, status string, ids []string) (failed []AckFailure) {
	o := e.acks.do(ctx, status, ids)
	e.acks.each(ids, o, func(ids []string, o outbox.Outcome) {
		if o.Kind != outbox.Confirmed {
			failed = append(failed, AckFailure{IDs: ids, Outcome: o})
			return
		}
		e.observer.Observe(Event{Kind: Acked, Count: len(ids)})
		//mutant:manual-forget
		e.inbox.Forget(ids...)
	})
	return failed
}

// do writes one frame and waits for its outcome.
func (a *acks) do(ctx context.Context, status string, ids []string) outbox.Outcome {
	r, err := a.request(status, ids)
	if err != nil {
		return outbox.Outcome{Err: err}
	}
	if err := a.enter(ctx); err != nil {
		return outbox.Outcome{Err: err}
	}
	defer a.leave()
	if len(ids) == 1 {
		r.Attempts = 0 // until ctx ends
	} else {
		a.plural.Begin()
	}
	return a.e.outbox.Do(ctx, r)
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

// request makes one request: the singular action for one id, the plural for several. It is split id by id where the
// service does not take it.
func (a *acks) request(status string, ids []string) (outbox.Request, error) {
	if len(ids) == 1 {
		r, err := ackRequest(wire.ActionAck, status, ids)
		r.Attempts = max(a.e.cfg.SendAttempts, 0)
		return r, err
	}
	r, err := ackRequest(wire.ActionAcks, status, ids)
	r.Split = func() ([]outbox.Part, error) {
		parts := make([]outbox.Part, len(ids))
		for i := range ids {
			single, err := a.request(status, ids[i:i+1])
			if err != nil {
				return nil, err
			}
			parts[i].Request = single
		}
		return parts, nil
	}
	return r, err
}

func ackRequest(action, status string, ids []string) (outbox.Request, error) {
	id, err := wire.NewID()
	if err != nil {
		return outbox.Request{}, err
	}
	// Compressed, a frame of 80 ids would be a third as long, which is little beside the 80 messages; and
	// acknowledgements would leave 87 % and not 98 % of the rate of receiving (make bench, two cores, with the
	// server's share).
	frame := wire.Request(id, action, ackParams{status, ids})
	return outbox.Request{ID: id, Class: outbox.Ack, Frame: frame, Store: true}, nil
}
