package blaze

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// outcome is the result of an attempt. A handler's error is user code, so its methods are called here, once, under
// guard.
type outcome struct {
	err       error  // nil: handled. Passed to Trace; no other code calls its methods
	text      string // of err, for the log
	stack     []byte // if err is a panic
	declined  bool
	quiet     bool // declined because the bot is not addressed; not logged
	permanent bool // another attempt cannot succeed
}

// judge converts err, a result of guard.Call, to an outcome and calls done with it once. An error with methods that
// panic counts as an ordinary failure. If a method calls runtime.Goexit, done runs deferred.
func judge(err error, done func(outcome)) {
	switch {
	case err == nil:
		done(outcome{})
		return
	case guard.Failed(err):
		done(failedOutcome(err))
		return
	}
	var o outcome
	//mutant:outcome-guard
	guard.Call(func() error {
		o = outcome{
			err: err, declined: errors.Is(err, ErrNotHandled), quiet: errors.Is(err, errNotAddressed),
			permanent: permanent(err), text: err.Error(),
		}
		return nil
	}, func(failed error) {
		if failed != nil {
			text := fmt.Sprintf("the handler returned a %T with a method that fails: %v", err, failed)
			o = outcome{err: errors.New(text), text: text}
		}
		done(o)
	})
}

// failedOutcome returns the outcome of a handler, or of OnReceipt, that panicked or called runtime.Goexit. A
// handler that panicked is retried, whatever the value.
func failedOutcome(err error) outcome {
	if p, ok := err.(*guard.PanicError); ok { //nolint:errorlint // made by guard.Call
		return outcome{err: &panicError{p}, text: p.Error(), stack: p.Stack}
	}
	return outcome{err: err, text: err.Error()}
}

// Final reports whether err, the error of a send, means that no further attempt to send the message can succeed: it is
// an [InvalidError], or an *[Error] that is neither Temporary nor [CodeUnauthorized]. A [BatchError] is final if all of
// its errors are. It is false for nil, an [UnconfirmedError], [ErrClosed], [ErrNoAnswer] and the error of a context:
// another attempt with the same MessageID may succeed. The Client makes attempts itself; see Config.SendAttempts.
func Final(err error) bool { return permanent(err) }

// permanent reports whether an error of a handler means that no further attempt can succeed. ErrDrop is permanent in
// any case. An unconfirmed send is not permanent, because the next attempt resolves it. Neither is a nil pointer to an
// error type. permanent calls methods of the user's error and must run under guard.
func permanent(err error) bool {
	if errors.Is(err, ErrDrop) {
		return true
	}
	var unconfirmed *UnconfirmedError
	if errors.As(err, &unconfirmed) {
		return false
	}
	//mutant:closed-permanent
	if errors.Is(err, ErrClosed) { // it wraps the error of Run, which does not concern the message
		return false
	}
	var batch *BatchError
	if errors.As(err, &batch) && batch != nil { // another attempt may succeed for one message
		return !slices.ContainsFunc(batch.Errs, func(err error) bool { return err != nil && !permanent(err) })
	}
	var byDefault *defaultError
	//mutant:default-permanent
	if errors.As(err, &byDefault) {
		return false
	}
	if errors.Is(err, ErrInvalid) {
		return true
	}
	// If one of several joined rejections is temporary, another attempt may succeed. A 401 concerns the session and not
	// the message.
	var rejection *Error
	//mutant:handler-401
	return errors.As(err, &rejection) && rejection != nil && !errors.Is(err, CodeUnauthorized) && !temporary(err)
}

// temporary reports whether err is, wraps or joins a transient rejection.
func temporary(err error) bool {
	switch e := err.(type) { //nolint:errorlint // errors.As would stop at the first match
	case *Error:
		return e.Temporary()
	case Code:
		return passing(int(e))
	case interface{ Unwrap() error }:
		return temporary(e.Unwrap())
	case interface{ Unwrap() []error }:
		//mutant:temporary-joined
		return slices.ContainsFunc(e.Unwrap(), temporary)
	}
	return false
}

// panicError is the error of a handler, or of OnReceipt, that panicked.
type panicError struct{ panicked *guard.PanicError }

// Error returns the panic's text and stack.
func (e *panicError) Error() string {
	return fmt.Sprintf("%v\n%s", e.panicked, e.panicked.Stack)
}

// Unwrap returns the panic's value if it is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.panicked.Value.(error)
	return err
}

// rewordedError is an error with another text.
type rewordedError struct {
	text string
	err  error
}

// Error returns the text.
func (e *rewordedError) Error() string { return e.text }

// Unwrap returns the original error.
func (e *rewordedError) Unwrap() error { return e.err }

// failureText is the text of a user's error, as logged, and the stack if it is a panic.
type failureText struct {
	text  string
	stack []byte
}

// Error returns the text.
func (e failureText) Error() string { return e.text }
