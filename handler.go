package blaze

import "context"

// Handler handles one message. What it returns decides what happens to it:
//
//   - nil: done; the message is recorded and acknowledged.
//   - [ErrNotHandled]: declined. Declined by all, the message is acknowledged and recorded, in every [AckMode].
//   - an error that wraps [ErrDrop], an [InvalidError], or an *[Error] that is not Temporary: given up at once.
//   - any other error, a panic too: tried again, up to Config.HandlerAttempts, ahead of the rest of its conversation.
//
// Messages of one conversation are handled one at a time, in order. The context carries the values of Run's context but
// outlives it: it ends when Config.Drain is over. An error returned after Run's context ended counts as no attempt: the
// message is neither recorded nor acknowledged and comes again on the next start. Middleware is func(Handler) Handler.
type Handler func(ctx context.Context, m *Message) error
