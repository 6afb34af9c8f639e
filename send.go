package blaze

import (
	"context"
	"errors"
	"fmt"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Send sends a message and waits until the server has confirmed it, with the same MessageID on every try. Lost
// connections, missing replies and temporary refusals are tried again; before Run, and while there is no connection,
// it waits. The error is an
//
//   - [InvalidError] when the message cannot be sent: nothing was written;
//   - *[Error] when the server refused it: by its word nothing was stored;
//   - [UnconfirmedError] when it was written and ctx or the Client ended before an answer, or a refusal came only after a try
//     without one: Send again with its MessageID;
//   - the error of ctx, joined with what kept the message from being written ([ErrNotRunning], the last connection error);
//   - [ErrClosed] after Run.
//
// An Encrypted message is sealed for each session of its recipient and goes over HTTP: it does not wait for a
// connection, nor for the messages before it. One whose recipient has no session that could open it is
// [ErrNoSession].
func (c *Client) Send(ctx context.Context, out Outgoing) (Sent, error) {
	d, err := out.draft()
	if err != nil {
		return Sent{}, err
	}
	if err := c.limit(ctx); err != nil {
		return Sent{}, err
	}
	if d.MessageID == "" {
		if d.MessageID, err = wire.NewID(); err != nil {
			return Sent{}, err
		}
	}
	if d.sealed {
		err = c.sendSealed(ctx, []*draft{d})[0]
	} else {
		//mutant:send-do
		o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams})
		err = c.sendError(o, wire.ActionCreateMessage, d.MessageID)
	}
	if err != nil {
		return Sent{}, err
	}
	c.observer.Observe(engine.Event{Kind: messageSent})
	return Sent{MessageID: d.MessageID, ConversationID: d.ConversationID}, nil
}

// Reply sends m.NewReply(p), for handlers.
func (c *Client) Reply(ctx context.Context, m *Message, p Payload) error {
	_, err := c.Send(ctx, m.NewReply(p))
	return err
}

// Quote sends m.NewQuote(p), for handlers.
func (c *Client) Quote(ctx context.Context, m *Message, p Payload) error {
	_, err := c.Send(ctx, m.NewQuote(p))
	return err
}

// ToUser returns a message to a user, in the conversation between the user and the bot. The service takes it only if
// the user has written to the bot, or added it, before.
func (c *Client) ToUser(userID string, p Payload) Outgoing {
	if userID == "" {
		return Outgoing{Payload: p} // which Send refuses: there is no conversation with nobody
	}
	return Outgoing{ConversationID: c.ConversationWith(userID), RecipientID: userID, Payload: p}
}

// ConversationWith returns the id of the conversation between the bot and a user.
func (c *Client) ConversationWith(userID string) string { return ConversationID(c.appID, userID) }

// do makes one request and waits for its end.
func (c *Client) do(ctx context.Context, r engine.Request) outbox.Outcome {
	if c.cfg.Limiter != nil {
		r.Pace = c.pace
	}
	return c.engine.Do(ctx, r)
}

// sendError returns the error of a message whose request has ended. It always tells whether the message may be stored.
func (c *Client) sendError(o outbox.Outcome, action, messageID string) error {
	var rejected *Error
	if o.Rejection != nil {
		rejected = newError(o.Rejection, action, messageID)
	}
	switch o.Kind {
	case outbox.Confirmed:
		return nil
	case outbox.Rejected, outbox.TransientExhausted:
		if o.Unconfirmed && rejected.Code != CodeBadRequest && rejected.Code != CodeInvalidField {
			// An earlier attempt may have been stored, and something else have changed since: a 403 may even be the
			// answer to its repetition. A fault of the request itself was in the earlier attempts too.
			return &UnconfirmedError{MessageID: messageID, Err: rejected}
		}
		return rejected
	}
	err := o.Err
	if errors.Is(err, engine.ErrClosed) {
		err = c.closed()
	}
	switch {
	case o.Unconfirmed:
		return &UnconfirmedError{MessageID: messageID, Err: err}
	case rejected != nil:
		return fmt.Errorf("%w: %w", err, rejected)
	}
	return unwrittenError("message "+clip(messageID)+" was not written", o.Err, c.engine.Offline())
}
