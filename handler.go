package blaze

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// Handler handles one message. What it returns decides what becomes of it:
//
//   - nil: done; the message is recorded and acknowledged, with [AckManual] once Client.Ack is called.
//   - [ErrNotHandled]: declined. Declined by all, the message is acknowledged and recorded, in every [AckMode].
//   - an error that wraps [ErrDrop], an [InvalidError], or an *[Error] that is neither Temporary nor
//     [CodeUnauthorized]: given up at once. A message given up is recorded and acknowledged too, with AckManual
//     neither. The InvalidError of an encrypted file in an answer that can only go out in plain text is no such error:
//     see Client.Reply.
//   - any other error, and a panic whatever its value: tried again, up to Config.HandlerAttempts, ahead of the rest of
//     its conversation.
//
// Messages of one conversation are handled one at a time, in order. The context carries the values of Run's context
// but outlives it: it ends when Config.Drain is over. An error returned after Run's context ended counts as no
// attempt: the message is neither recorded nor acknowledged and comes again on the next start (with AckReceived,
// where it was before, it is given up). A handler that should stop at once watches the context that was given to Run.
// Middleware is func(Handler) Handler.
type Handler func(ctx context.Context, m *Message) error

// mistake stops a program that could never do what it says, when it is first run.
func mistake(format string, args ...any) {
	panic("blaze: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // a mistake in the program, not in what it meets
}

// On returns a Handler for messages whose payload is a P, and declines all others. On[Payload] takes every message. P
// is a payload type, never a pointer to one: On panics at once if it is, because it would wait for ever, and if fn is
// nil.
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

// Route returns a Handler that asks one handler after the other and returns what the first says that does not
// decline. It declines when all do, and skips nil handlers.
func Route(hs ...Handler) Handler {
	return func(ctx context.Context, m *Message) error {
		for _, h := range hs {
			if h == nil {
				continue
			}
			if err := h(ctx, m); !errors.Is(err, ErrNotHandled) {
				return err
			}
		}
		return ErrNotHandled
	}
}
