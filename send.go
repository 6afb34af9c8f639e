package blaze

import (
	"context"
	"errors"
	"fmt"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Send sends a message and waits until the server has confirmed it. Before Run, and while there is no connection, it
// waits. After a lost connection, a missing reply or a transient rejection it retries with the same MessageID. The
// error is one of these:
//
//   - [InvalidError]: the message cannot be sent; nothing was written.
//   - *[Error]: the server rejected the message; it was not stored.
//   - [UnconfirmedError]: the message was written without a reply, and then ctx or the Client ended, a later
//     attempt was rejected, or the connection was lost Config.SendAttempts times while nothing else was in flight.
//     Send it again with the same MessageID.
//   - The error of ctx, or of Config.Limiter: nothing was stored. It is joined with the reason, if there is one:
//     [ErrNotRunning], the last connection error, or the last rejection.
//   - [ErrClosed]: Run has ended; nothing was stored.
//
// An Encrypted message is encrypted for each session of its recipient and sent over HTTP. It waits neither for a
// connection nor for earlier messages, and uses outbox capacity like any other (Config.OutboxLen). If the HTTP API does
// not respond, responds with 401, or a gateway responds in its place, Send retries until ctx or the Client ends. The
// error then also wraps [ErrNoAnswer] or [CodeUnauthorized]. If no session of the recipient can decrypt the message,
// the error is [ErrNoSession]. An answer that is encrypted by default is sent unencrypted in that case (see
// Outgoing.Encrypted).
func (c *Client) Send(ctx context.Context, out Outgoing) (Sent, error) {
	d, err := c.prepare(&out)
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
		m := &item{prepared: d, size: sealedSize(len(d.Data))}
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

// Reply sends m.NewReply(p). It is for handlers, and safe to call again in the same attempt and in the next one:
//
//   - After any error except a rejection, the next Reply with equal content in the same attempt has the same
//     MessageID. A new MessageID is used only after that one is confirmed or rejected.
//   - A reply that was confirmed in an earlier attempt in this process is not written again: Reply returns nil.
//   - The server may answer a MessageID that it has stored with 403. After a write that the server did not answer,
//     Reply returns every 403 as an UnconfirmedError. It does so, too, in the first attempt at a Backlog message, which
//     an earlier process may have answered. A handler that returns it is retried. Any other 403 is an *[Error].
//
// Send with m.NewReply(p) does none of this, because it does not know the message.
//
// A reply to an encrypted message is encrypted where possible; see [Message.NewReply]. Upload files for it with
// [Client.UploadEncrypted] and pictures with [Client.UploadEncryptedImage]. A reply with an unencrypted file is sent
// unencrypted, which is logged once per user. An encrypted file in a reply that can only be sent unencrypted is an
// [InvalidError] that names [Client.Reupload]; a handler that returns it is retried.
func (c *Client) Reply(ctx context.Context, m *Message, p Payload) error {
	return c.answer(ctx, m, m.reply(p, true))
}

// Quote sends m.NewQuote(p). Like Reply, it is for handlers and safe to call again.
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
	if err != nil && a.key != "" && (unconfirmed(err) || !rejected(err)) {
		replies.giveBack(a.key, a.ordinal) // neither confirmed nor rejected: the next equal reply reuses it
	}
	return err
}

// rejected reports whether the server rejected a request.
func rejected(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// forbidden reports whether err is a 403 for the given message. The server may respond so to an id that it has stored.
func forbidden(err error, messageID string) bool {
	var rejection *Error
	return errors.As(err, &rejection) && rejection.Code == CodeForbidden && rejection.MessageID == messageID
}

// ToUser returns a message to the conversation between the bot and a user. The service accepts it only if the user has
// written to the bot or added it, or after [Client.OpenConversation].
func (c *Client) ToUser(userID string, p Payload) Outgoing {
	if userID == "" {
		return Outgoing{Payload: p} // Send rejects it, because it has no conversation
	}
	return Outgoing{ConversationID: c.ConversationWith(userID), RecipientID: userID, Payload: p}
}

// ConversationWith returns the id of the conversation between the bot and a user.
func (c *Client) ConversationWith(userID string) string { return ConversationID(c.appID, userID) }

// sendInPlain sends a message unencrypted if it could not be encrypted and may be sent so.
func (c *Client) sendInPlain(ctx context.Context, m *item) {
	if c.asPlain(m) {
		c.sendSingle(ctx, m)
		m.err = m.keepUnconfirmed(m.err)
	}
}

// sendSingle sends an item in a frame of its own.
func (c *Client) sendSingle(ctx context.Context, m *item) {
	o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &m.messageParams})
	m.err = c.sendError(o, wire.ActionCreateMessage, m.MessageID)
}

// do makes one request and waits for its outcome.
func (c *Client) do(ctx context.Context, r engine.Request) outbox.Outcome {
	if c.cfg.Limiter != nil {
		r.Pace = c.pace
	}
	return c.engine.Do(ctx, r)
}

// sendError returns the error of a message with a finished request. It always says whether the message may be stored.
func (c *Client) sendError(o outbox.Outcome, action, messageID string) error {
	var rejected *Error
	if o.Rejection != nil {
		rejected = newError(o.Rejection, action, messageID)
	}
	switch o.Kind { //nolint:exhaustive // an unanswered request is handled below
	case outbox.Confirmed:
		return nil
	case outbox.Rejected, outbox.TransientExhausted:
		if o.Unconfirmed && rejected.Code != CodeBadRequest && rejected.Code != CodeInvalidField {
			// An earlier attempt may have been stored, and circumstances may have changed since: a 403 may even be the
			// reply to its repetition. An invalid request was invalid in earlier attempts too.
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
