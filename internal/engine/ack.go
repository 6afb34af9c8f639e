package engine

import (
	"context"
	"slices"
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
	if e.cfg.ManualAcks {
		for _, id := range ids {
			e.owner.Record(ctx, id) // with the context of the caller: there may be no Run yet
		}
	}
	var failed []AckFailure
	for some := range slices.Chunk(ids, e.cfg.AckBatch) {
		failed = append(failed, e.ackFrame(ctx, status, some)...)
	}
	return failed, nil
}

// ackFrame acknowledges ids with one frame, or one by one.
func (e *Engine) ackFrame(ctx context.Context, status string, ids []string) []AckFailure {
	if len(ids) > 1 && !e.acks.plural.Usable() {
		return e.ackSingly(ctx, status, ids)
	}
	o := e.acks.do(ctx, status, ids)
	switch {
	case e.acks.needsSplit(ids, o):
		return e.ackSingly(ctx, status, ids)
	case o.Kind != outbox.Confirmed:
		return []AckFailure{{IDs: ids, Outcome: o}}
	}
	e.observer.Observe(Event{Kind: Acked, Count: len(ids)})
	e.inbox.Forget(ids...)
	return nil
}

func (e *Engine) ackSingly(ctx context.Context, status string, ids []string) (failed []AckFailure) {
	for i := range ids {
		failed = append(failed, e.ackFrame(ctx, status, ids[i:i+1])...)
	}
	return failed
}

// do writes one frame and waits for its outcome.
func (a *acks) do(ctx context.Context, status string, ids []string) outbox.Outcome {
	r, err := ackRequest(status, ids)
	if err != nil {
		return outbox.Outcome{Err: err}
	}
	if err := a.enter(ctx); err != nil {
		return outbox.Outcome{Err: err}
	}
	defer a.leave()
	if len(ids) > 1 {
		r.Attempts = a.attempts(ids) // a single id is tried until ctx ends
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

// ackRequest makes one request: the singular action for one id, the plural for several.
func ackRequest(status string, ids []string) (outbox.Request, error) {
	action := wire.ActionAcks
	if len(ids) == 1 {
		action = wire.ActionAck
	}
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
