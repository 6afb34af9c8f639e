package blaze

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// Handler handles one message. Its result decides how the message continues:
//
//   - nil: done. The message is recorded and acknowledged. With [AckManual], Client.Ack does both.
//   - [ErrNotHandled]: declined. If every handler declines, the message is acknowledged and recorded, in every
//     [AckMode].
//   - An error that is or wraps [ErrDrop], an [InvalidError], or an *[Error] that is neither Temporary nor
//     [CodeUnauthorized]: dropped at once. A dropped message is recorded and acknowledged, except with AckManual.
//   - Any other error, and a panic with any value: retried, up to Config.HandlerAttempts, before the rest of its
//     conversation.
//   - Exceptions to the errors that are dropped at once: an error that is or wraps an [UnconfirmedError] or
//     [ErrClosed], a [BatchError] with an error that would be retried, and the InvalidError of an encrypted file in an
//     answer that must be sent unencrypted (see Client.Reply). Unless they wrap ErrDrop, they are retried.
//
// Messages of one conversation are handled one at a time, in order. The context carries the values of Run's context and
// ends when Config.Drain has passed after Run's context ended. A handler that should stop sooner must watch Run's
// context itself. An error returned after Run's context ended does not count as an attempt: the message is neither
// recorded nor acknowledged, and is redelivered on the next start. With AckReceived it was acknowledged already, and is
// dropped.
//
// Middleware is func(Handler) Handler.
type Handler func(ctx context.Context, m *Message) error

// mistake panics with the text of a mistake in the calling program.
func mistake(format string, args ...any) {
	panic("blaze: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // a programming error, independent of input
}

// On returns a Handler for messages with a payload of type P. It declines all others. On[Payload] handles every
// message. On panics if fn is nil or if P is a pointer type, because payloads are never pointers.
func On[P Payload](fn func(ctx context.Context, m *Message, p P) error) Handler {
	t := reflect.TypeFor[P]()
	if t.Kind() == reflect.Pointer {
		mistake("On[%v]: payloads arrive as values; write On[%v]", t, t.Elem())
	}
	if fn == nil {
		mistake("On[%v]: the function is nil", t)
	}
	return func(ctx context.Context, m *Message) error {
		p, ok := m.Payload.(P)
		if !ok {
			return ErrNotHandled
		}
		return fn(ctx, m, p)
	}
}

// Route returns a Handler that tries handlers in order and returns the first result that is not ErrNotHandled. It
// declines if all do. Nil handlers are skipped. A message that one of them declined because it does not address the bot
// (see [Mentioned]) is not logged as declined.
func Route(hs ...Handler) Handler {
	return func(ctx context.Context, m *Message) error {
		all := ErrNotHandled
		for _, h := range hs {
			if h == nil {
				continue
			}
			err := h(ctx, m)
			switch {
			case !errors.Is(err, ErrNotHandled):
				return err
			//mutant:route-quiet
			case errors.Is(err, errNotAddressed):
				all = errNotAddressed
			}
		}
		return all
	}
}
