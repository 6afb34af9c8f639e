package blaze

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Timing and bounds of acknowledgements.
const (
	ackDelay = 200 * time.Millisecond // how long the first of a frame waits for others
	// ackFrames is how many frames are unanswered at once. Their answers come behind all that the server has pushed meanwhile: at
	// 100,000 messages a second, 4 frames would confirm 3,000 acknowledgements a second, and the ids of the rest fill the inbox.
	// Sends do not wait behind them: the outbox lets both take turns.
	ackFrames = 512
)

// Status is how far a message has come.
type Status string

// The statuses of the protocol.
const (
	StatusSent      Status = "SENT"      // stored by the server
	StatusDelivered Status = "DELIVERED" // received by the recipient's client
	StatusRead      Status = "READ"      // read by the recipient
)

// Receipt says that a recipient's client got or read one of our messages.
type Receipt struct {
	MessageID string
	Status    Status    // StatusDelivered or StatusRead
	At        time.Time // by the server's clock
}

// ackParams are the params of ACKNOWLEDGE_MESSAGE_RECEIPT for one id, and of ACKNOWLEDGE_MESSAGE_RECEIPTS for several.
type ackParams struct {
	status Status
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
	return wire.AppendEnd(wire.AppendField(b, "status", string(p.status)), '}')
}

// ackRequest makes one request: the singular action for one id, the plural for several.
func ackRequest(s Status, ids []string) (outbox.Request, error) {
	action := wire.ActionAcks
	if len(ids) == 1 {
		action = wire.ActionAck
	}
	id, err := newID()
	if err != nil {
		return outbox.Request{}, err
	}
	// Compressed, a frame of 80 would be a third as long, which is little beside the 80 messages, and of the messages that can be
	// received in a second acknowledgements would leave 87 % and not 98 % (make bench, two cores, with the server's share).
	return outbox.Request{ID: id, Class: outbox.Ack, Frame: wire.Request(id, action, ackParams{s, ids}), Store: true}, nil
}

// plural is what is known of an action that carries several messages in one frame. Not every server has it: until it was
// confirmed once, a frame that is refused for good or not answered is sent again message by message, and the action not used
// again. Any other frame that fails is sent message by message, only this once.
type plural struct{ state atomic.Int32 }

const (
	unproven int32 = iota
	confirmed
	unusable
)

func (p *plural) usable() bool { return p.state.Load() != unusable }

// tries is how often a frame is written without an answer; 0: any number.
func (p *plural) tries() int {
	if p.state.Load() == confirmed {
		return 0
	}
	return 1 // where it is unusable too: the caller may have asked just before
}

// heard notes the outcome of a frame, and reports whether its messages are to be sent one by one.
func (p *plural) heard(o outbox.Outcome) (singly bool) {
	switch {
	case o.Kind == outbox.Confirmed:
		p.state.CompareAndSwap(unproven, confirmed)
		return false
	case o.Kind == outbox.TransientExhausted:
		return false // a server that is busy for too long has said nothing about the action
	case o.Kind == outbox.Rejected || errors.Is(o.Err, outbox.ErrNoReply):
		p.state.CompareAndSwap(unproven, unusable)
		return true
	}
	return false
}

// Ack acknowledges messages with a status, at once, and waits until the server has confirmed it or ctx ends. Several ids
// go out in frames of Config.AckBatch. It is what AckManual needs, where it records the messages in the Ledger too; in the
// other modes it can say StatusRead later than Config.AckStatus said StatusDelivered. StatusSent, and an id that is not a
// UUID, is an [InvalidError], and nothing is written. Errors of single messages are joined; acknowledging a message again is
// harmless. After Run it returns [ErrClosed].
func (c *Client) Ack(ctx context.Context, s Status, messageIDs ...string) error {
	if s != StatusDelivered && s != StatusRead {
		return invalid("Status", "must be StatusDelivered or StatusRead")
	}
	ids := make([]string, len(messageIDs))
	check := idCheck{}
	for i, id := range messageIDs {
		ids[i] = check.required("messageIDs["+strconv.Itoa(i)+"]", id)
	}
	if check.err != nil {
		return check.err
	}
	if !c.acker.begin(len(ids)) {
		return c.closed()
	}
	defer c.acker.end(len(ids))
	if c.cfg.Ack == AckManual {
		for _, id := range ids {
			c.record(ctx, id) // of the caller: there may be no Run yet
		}
	}
	var errs []error
	for some := range slices.Chunk(ids, c.cfg.AckBatch) {
		errs = append(errs, c.ackNow(ctx, s, some))
	}
	return errors.Join(errs...)
}

func (c *Client) ackNow(ctx context.Context, s Status, ids []string) error {
	if len(ids) > 1 && !c.acker.plural.usable() {
		return c.ackSingly(ctx, s, ids)
	}
	r, err := ackRequest(s, ids)
	if err != nil {
		return err
	}
	if err := c.acker.enter(ctx); err != nil {
		return c.gaveUp("the acknowledgement was not written", err)
	}
	if len(ids) > 1 {
		r.Attempts = c.acker.tries(ids) // one alone is tried until ctx ends
	}
	o := c.outbox.Do(ctx, r)
	c.acker.leave()
	if c.acker.failed(ids, o) {
		return c.ackSingly(ctx, s, ids)
	}
	switch o.Kind {
	case outbox.Rejected, outbox.TransientExhausted:
		return newError(o.Rejection, wire.ActionAck, ids[0])
	case outbox.Unanswered:
		return c.gaveUp("the acknowledgement was not confirmed", o.Err)
	}
	c.stats.acked.Add(uint64(len(ids)))
	c.inbox.Forget(ids...)
	return nil
}

func (c *Client) ackSingly(ctx context.Context, s Status, ids []string) error {
	var errs []error
	for i := range ids {
		errs = append(errs, c.ackNow(ctx, s, ids[i:i+1]))
	}
	return errors.Join(errs...)
}
