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
//   - *[Error] when the server rejected the message; it was not stored;
//   - [UnconfirmedError] when it was written and ctx or the Client ended before an answer, or a refusal came only after
//     a try without one: Send again with its MessageID;
//   - the error of ctx, joined with what kept the message from being written ([ErrNotRunning], the last connection
//     error);
//   - [ErrClosed] after Run.
//
// An Encrypted message is encrypted for each session of its recipient and goes over HTTP: it does not wait for a
// connection, nor for the messages before it. It takes room in the outbox like any other (Config.OutboxLen). While
// the HTTP API does not answer, answers 401, or something before it answers, it is tried again until ctx or the
// Client ends. The error then wraps [ErrNoAnswer] or [CodeUnauthorized] too. If the recipient has no session that can
// open the message, the error is [ErrNoSession]; an answer that is Encrypted because the message answered was goes out
// in plain text then.
func (c *Client) Send(ctx context.Context, out Outgoing) (Sent, error) {
	d, err := c.draft(&out)
	if err != nil {
		return Sent{}, err
	}
	//mutant:limit-send
	if err := c.limit(ctx); err != nil {
		return Sent{}, err
	}
	if d.MessageID == "" {
		if d.MessageID, err = wire.NewID(); err != nil {
			return Sent{}, err
		}
	}
	if d.way == sealed {
		m := &item{draft: d, size: sealedSize(len(d.Data))}
		c.sendSealed(ctx, []*item{m})
		c.sendInPlain(ctx, m)
		err = m.err
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

// Reply sends m.NewReply(p). It is for handlers, and safe to call again, in the same attempt and in the next one:
//
//   - After any error but a refusal the next Reply in the same attempt with the same content has the same MessageID.
//     Only after that one is confirmed does another Reply with this content get a new MessageID.
//   - A reply that was confirmed in an earlier attempt is not written again while this process handles the message:
//     Reply returns nil.
//   - A 403 may be the answer to a MessageID that the server has stored. Reply returns it as an UnconfirmedError, so
//     that the handler is tried again, if the reply was written before without an answer, or if this is the first
//     attempt at a message of the Backlog, which an earlier process may have answered. Any other 403 is an *[Error]. So
//     such a message is dropped when its reply is refused in two attempts: the server has the reply, or will not take
//     it.
//
// Send with m.NewReply(p) does none of that, because Send does not know the message.
//
// A reply to an encrypted message is encrypted where that can be: see [Message.NewReply]. Upload a picture for it with
// [Client.UploadEncryptedImage], and another file with [Client.UploadEncrypted]. With a file that was uploaded in plain
// text the reply goes out in plain text, and the log says so once for each user. An encrypted file in a reply that can
// only go out in plain text is an [InvalidError] that names [Client.Reupload]; a handler that returns it is tried
// again.
func (c *Client) Reply(ctx context.Context, m *Message, p Payload) error {
	return c.answer(ctx, m, m.reply(p, true))
}

// Quote sends m.NewQuote(p). It is for handlers, and as safe to call again as Reply.
func (c *Client) Quote(ctx context.Context, m *Message, p Payload) error {
	return c.answer(ctx, m, m.quote(p, true))
}

// answer sends an answer to m, unless it is known to be stored.
func (c *Client) answer(ctx context.Context, m *Message, a answer) error {
	replies := m.counter()
	ended := replies.ended()
	end := ended.of(a.id)
	//mutant:reply-confirmed
	if end == stored {
		return nil
	}
	_, err := c.Send(ctx, a.Outgoing)
	switch {
	case err == nil:
		ended.note(a.id, stored)
	case unconfirmed(err):
		ended.note(a.id, unanswered)
	//mutant:reply-forbidden
	case forbidden(err, a.MessageID) && (end == unanswered || m.Backlog && m.Attempt <= 1):
		err = &UnconfirmedError{MessageID: a.MessageID, Err: err}
	}
	if err != nil && a.key != "" && (unconfirmed(err) || !refused(err)) {
		replies.giveBack(a.key, a.ordinal) // not confirmed, and not refused: the next equal reply is this one
	}
	return err
}

// refused reports whether the server refused a request.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// forbidden reports whether err is a 403 of the message with that id. The server may answer so to an id that it has.
func forbidden(err error, messageID string) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == CodeForbidden && refused.MessageID == messageID
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

// sendInPlain sends the plain form of a message that could not be sealed, if it may have one.
func (c *Client) sendInPlain(ctx context.Context, m *item) {
	if c.inPlain(m) {
		c.sendSingle(ctx, m)
		m.err = m.unsure(m.err)
	}
}

// sendSingle sends an item in a frame of its own.
func (c *Client) sendSingle(ctx context.Context, m *item) {
	o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &m.messageParams})
	m.err = c.sendError(o, wire.ActionCreateMessage, m.MessageID)
}

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
	switch o.Kind { //nolint:exhaustive // what was not answered is told apart below
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
