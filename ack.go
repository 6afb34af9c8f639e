package blaze

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Ack acknowledges messages with status s immediately, and waits until the server has confirmed it or ctx ends. Several
// ids are sent in frames of Config.AckBatch. With AckManual, Ack also records the messages in the Ledger. With the
// other modes it can report StatusRead after an automatic StatusDelivered. Acknowledging a message again is harmless.
//
// A status other than StatusDelivered and StatusRead is an [InvalidError]. So is an id that no message can have: empty,
// over 64 bytes, or not UTF-8. Nothing is written then. An id need not be a UUID.
//
// Other errors are joined: one for each rejected message, and one for each frame that got no reply or a 401. If Run has
// ended, or ends before the reply, the error wraps [ErrClosed].
func (c *Client) Ack(ctx context.Context, s Status, messageIDs ...string) error {
	if s != StatusDelivered && s != StatusRead {
		return invalid("Status", "must be StatusDelivered or StatusRead")
	}
	ids := make([]string, len(messageIDs))
	for i, id := range messageIDs {
		//mutant:ack-any-id
		if id == "" || len(id) > wire.MaxID || !utf8.ValidString(id) {
			field := "messageIDs[" + strconv.Itoa(i) + "]"
			return invalid(field, "must be 1 to %d bytes of UTF-8, as Message.ID is", wire.MaxID)
		}
		ids[i] = wire.LowerID(id) // incoming messages have lower-case ids too
	}
	//mutant:limit-ack
	failed, err := c.engine.Ack(ctx, string(s), ids)
	if err != nil {
		return c.closed()
	}
	errs := make([]error, len(failed))
	for i, f := range failed {
		errs[i] = c.ackError(f)
	}
	return errors.Join(errs...)
}

// ackError returns the error for an acknowledgement frame that was not confirmed.
func (c *Client) ackError(f engine.AckFailure) error {
	if f.Kind != outbox.Unanswered {
		return ackRejected(f.Rejection, f.IDs[0])
	}
	what := "the acknowledgement was not confirmed"
	if f.Attempts == 0 {
		what = "the acknowledgement was not written"
	}
	err := unwrittenError(what, f.Err, c.engine.Offline())
	if f.Rejection != nil {
		err = fmt.Errorf("%w: %w", err, ackRejected(f.Rejection, f.IDs[0]))
	}
	return err
}
