package blaze

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/recent"
)

// failuresEvery is how often the failures of one hook are logged.
const failuresEvery = time.Minute

// mostErrorText is how many bytes of the text of an error are logged.
const mostErrorText = 2000

// tell has the Logger handle a record, soon; of equal ones the first, and then their number: see thinner. The record
// carries resolved values: the ids of a message, not the message. An error in args is one of this package's or the text
// of a user's.
func (o *observer) tell(level slog.Level, text string, args ...any) {
	o.thin.add(o.record(level, text, args))
}

// tellEach is tell for what matters each time, such as a message that was dropped.
func (o *observer) tellEach(level slog.Level, text string, args ...any) {
	o.thin.addEach(o.record(level, text, args))
}

// record makes the record of an event that the caller's caller tells. hasStack says that it carries a stack. Texts of
// args may come from the network.
func (o *observer) record(level slog.Level, text string, args []any) (r slog.Record, hasStack bool) {
	var caller [1]uintptr
	runtime.Callers(3, caller[:])
	r = slog.NewRecord(time.Now(), level, text, caller[0])
	for i := 0; i+1 < len(args); i += 2 {
		key, _ := args[i].(string)
		var stack []byte
		arg := args[i+1]
		switch v := arg.(type) {
		case string:
			arg = clip(v)
		case failureText:
			stack, arg = v.stack, shortError(v)
		case error:
			if p := panicked(v); p != nil {
				stack = p.Stack
			}
			arg = shortError(v)
		}
		r.AddAttrs(slog.Attr{Key: key, Value: slog.AnyValue(arg).Resolve()})
		if len(stack) > 0 && o.stacks.first(stack) {
			r.AddAttrs(slog.String("stack", string(stack)))
			hasStack = true
		}
	}
	return r, hasStack
}

// shortError returns err, or the beginning of its text where that is long.
func shortError(err error) error {
	text := err.Error()
	//mutant:log-error
	if len(text) <= mostErrorText {
		return err
	}
	return failureText{text: strings.ToValidUTF8(text[:mostErrorText], "") + "..."}
}

// emit queues a record for the Logger, with the context of Run.
func (o *observer) emit(r slog.Record) {
	ctx := context.Background() //nolint:forbidigo // as slog.Logger.Info passes on; there was no Run yet
	if running := o.running.Load(); running != nil {
		ctx = *running
	}
	o.hooks.add(hookLogger, func() {
		if o.log.Enabled(ctx, r.Level) {
			_ = o.log.Handle(ctx, r) // there is nobody to tell
		}
	})
}

// began has later records carry the values of Run's context. Its end is none of theirs: what is logged last matters
// most.
func (o *observer) began(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	o.running.Store(&ctx)
}

// panicked returns the panic that is err or the error in it, or nil. err is one of this package's.
func panicked(err error) *guard.PanicError {
	if p := guard.Panicked(err); p != nil {
		return p
	}
	return guard.Panicked(errors.Unwrap(err))
}

// hookLogger names the Logger among the hooks.
const hookLogger = "Logger"

// hookFailed logs that a hook panicked or called runtime.Goexit, once a minute for each. It is called again all the
// same.
func (o *observer) hookFailed(name string, err error) {
	if name == hookLogger {
		o.hooks.dropped.Add(1) // its record is lost, and there is nobody else to tell
		return
	}
	o.mu.Lock()
	last, logged := o.failures[name]
	again := !logged || time.Since(last) >= failuresEvery
	if again {
		o.failures[name] = time.Now()
	}
	o.mu.Unlock()
	if again {
		o.tellEach(slog.LevelError, "blaze: a hook failed", "hook", name, "error", err)
	}
}

// messageHook calls a hook that the worker waits for.
func (o *observer) messageHook(name string, hook func(*Message, error), e event) {
	if hook == nil {
		return
	}
	err := guard.Apart(func() error {
		hook(e.message, e.Err)
		return nil
	})
	if err != nil {
		o.hookFailed(name, err)
	}
}

// frameHook calls a hook on the reader or the writer. One that calls runtime.Goexit ends the link; it gets a
// goroutine for each later call, so that this happens once.
func (o *observer) frameHook(name string, hook func([]byte), json []byte) {
	if o.apart.Load() {
		if err := guard.Apart(func() error { hook(json); return nil }); err != nil {
			o.hookFailed(name, err)
		}
		return
	}
	guard.Call(func() error { hook(json); return nil }, func(err error) {
		if err == nil {
			return
		}
		if err == guard.ErrGoexit { //nolint:errorlint // made by guard.Call
			o.apart.Store(true)
		}
		o.hookFailed(name, err)
	})
}

// callConnected calls Trace.Connected. With FrameRead, the first frame of the link waits for it.
func (o *observer) callConnected(endpoint string) {
	hook := o.trace.Connected
	if hook == nil {
		return
	}
	t := newTurn()
	if !o.hooks.add("Trace.Connected", func() { t.take(func() { hook(endpoint) }) }) {
		t = nil
	}
	if o.tracesFrames() {
		o.connected.Store(t)
	}
}

// awaitConnected keeps the order of Trace.Connected and the first FrameRead of its link. Where the calls before
// Connected take more than a second, Connected is dropped: the reader of the link waits no longer.
func (o *observer) awaitConnected() {
	if t := o.connected.Load(); t != nil {
		o.connected.Store(nil)
		//mutant:connected-first
		if !t.await(hooksWait) {
			o.hooks.dropped.Add(1)
		}
	}
}

// mostOpened is for how many users, and for how many groups, it is remembered that plain answers to encrypted messages
// were logged.
const mostOpened = 4096

// opensGroup logs that a reply to an encrypted message goes out in plain text to a group, once for each group.
func (o *observer) opensGroup(conversationID string) {
	if o.isFirst(&o.groups, conversationID) {
		o.tellEach(slog.LevelWarn, "blaze: a reply to an encrypted message goes out in plain text, for all members "+
			"of the group; further ones in this group are not reported", "conversation", conversationID)
	}
}

// opensUser logs that an answer to an encrypted message goes out in plain text to a user, once for each user.
func (o *observer) opensUser(userID, reason string) {
	if o.isFirst(&o.users, userID) {
		o.tellEach(slog.LevelWarn, "blaze: an answer to an encrypted message goes out in plain text; further ones to "+
			"this user are not reported", "user", userID, "reason", reason)
	}
}

// isFirst reports whether id is not in a set, and adds it.
func (o *observer) isFirst(set *recent.Set, id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := !set.Has(id)
	set.Add(id)
	return first
}
