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

// failuresEvery is the interval at which failures of one hook are logged.
const failuresEvery = time.Minute

// maxErrorText is the maximum length, in bytes, of a logged error.
const maxErrorText = 2000

// report queues a log record; repeated ones are counted (see thinner). The attributes are resolved values, such as the
// ids of a message and not the message. An error in args belongs to this package, or is the text of a user's error.
func (o *observer) report(level slog.Level, text string, args ...any) {
	o.thin.add(o.record(level, text, args))
}

// reportEach is like report, for records that should not be counted at once, such as a dropped message (see addEach).
func (o *observer) reportEach(level slog.Level, text string, args ...any) {
	o.thin.addEach(o.record(level, text, args))
}

// record returns the log record of an event reported by the caller's caller, and whether it has a stack. Strings in
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

// shortError returns err, or the beginning of its text if it is long.
func shortError(err error) error {
	text := err.Error()
	//mutant:log-error
	if len(text) <= maxErrorText {
		return err
	}
	return failureText{text: strings.ToValidUTF8(text[:maxErrorText], "") + "..."}
}

// emit queues a record for the Logger, with the values of Run's context.
func (o *observer) emit(r slog.Record) {
	ctx := context.Background() //nolint:forbidigo // as in slog.Logger.Info; Run was not called yet
	if running := o.running.Load(); running != nil {
		ctx = *running
	}
	o.hooks.add(hookLogger, func() {
		if o.log.Enabled(ctx, r.Level) {
			_ = o.log.Handle(ctx, r) // the error cannot be reported
		}
	})
}

// began makes later records carry the values of Run's context, but not its cancellation: the last records matter most.
func (o *observer) began(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	o.running.Store(&ctx)
}

// panicked returns the panic that err is or wraps, or nil. err belongs to this package.
func panicked(err error) *guard.PanicError {
	if p := guard.Panicked(err); p != nil {
		return p
	}
	return guard.Panicked(errors.Unwrap(err))
}

// hookLogger is the name of the Logger among the hooks.
const hookLogger = "Logger"

// hookFailed logs that a hook panicked or called runtime.Goexit, once a minute per hook. The hook is called again.
func (o *observer) hookFailed(name string, err error) {
	if name == hookLogger {
		o.hooks.dropped.Add(1) // its record is lost and cannot be reported
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
		o.reportEach(slog.LevelError, "blaze: a hook failed", "hook", name, "error", err)
	}
}

// messageHook calls a hook that the worker, or the caller of settle, waits for.
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

// frameHook calls a hook on the reader or writer. The first runtime.Goexit of a hook ends the link. Later calls use a
// goroutine of their own, so that no other link ends.
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

// callConnected calls Trace.Connected. If FrameRead is set, the first frame of the link waits for it.
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

// awaitConnected waits up to a second for Trace.Connected, which precedes the first FrameRead of its link. If the calls
// queued before it take longer, Connected is dropped, so that the reader does not wait longer.
func (o *observer) awaitConnected() {
	if t := o.connected.Load(); t != nil {
		o.connected.Store(nil)
		//mutant:connected-first
		if !t.await(hooksWait) {
			o.hooks.dropped.Add(1)
		}
	}
}

// maxUnencrypted bounds the users, and the groups, for which a logged unencrypted answer is remembered.
const maxUnencrypted = 4096

// logGroupOnce logs an unencrypted reply to an encrypted message in a group, once per group.
func (o *observer) logGroupOnce(conversationID string) {
	if o.isFirst(&o.groups, conversationID) {
		o.reportEach(slog.LevelWarn, "blaze: reply to an encrypted message sent unencrypted to a group",
			"conversation", conversationID, "hint", "further ones in this group are not logged")
	}
}

// logUserOnce logs an unencrypted answer to an encrypted message of a user, once per user.
func (o *observer) logUserOnce(userID, reason string) {
	if o.isFirst(&o.users, userID) {
		o.reportEach(slog.LevelWarn, "blaze: answer to an encrypted message sent unencrypted",
			"user", userID, "reason", reason, "hint", "further ones to this user are not logged")
	}
}

// isFirst adds id to a set and reports whether it was missing.
func (o *observer) isFirst(set *recent.Set, id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := !set.Has(id)
	set.Add(id)
	return first
}
