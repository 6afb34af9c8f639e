package blaze

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// outcome is how an attempt ended. A handler's error is user code: it is asked here, once, under the guard.
type outcome struct {
	err      error  // nil: handled. Trace gets it; nobody else asks it anything
	text     string // of err, for the log
	stack    []byte // of the panic that err is
	declined bool
	hopeless bool // no further attempt can succeed
}

// judge makes the outcome of err, the result of guard.Call, and calls done with it once. An error that fails when it
// is asked is that of an ordinary failed attempt. Where it calls runtime.Goexit, done runs as a deferred function.
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
	//mutant:judge-guard
	guard.Call(func() error {
		o = outcome{err: err, declined: errors.Is(err, ErrNotHandled), hopeless: hopeless(err), text: err.Error()}
		return nil
	}, func(failed error) {
		if failed != nil {
			text := fmt.Sprintf("the handler returned a %T that fails when it is asked: %v", err, failed)
			o = outcome{err: errors.New(text), text: text}
		}
		done(o)
	})
}

// failedOutcome is that of a handler that panicked or called runtime.Goexit. A panic is no decision, whatever its
// value: it is tried again.
func failedOutcome(err error) outcome {
	if p, ok := err.(*guard.PanicError); ok { //nolint:errorlint // made by guard.Call
		return outcome{err: &panicError{p}, text: "the handler panicked: " + p.Text, stack: p.Stack}
	}
	return outcome{err: err, text: err.Error()}
}

// hopeless reports whether a handler's error says that no further attempt can succeed. A send that may have been
// stored is never hopeless: the next attempt finds out. Nor is a nil pointer to an error type, which says nothing.
// It asks the error of a user: judge guards it.
func hopeless(err error) bool {
	var unconfirmed *UnconfirmedError
	if errors.As(err, &unconfirmed) {
		return false
	}
	if errors.Is(err, ErrDrop) {
		return true
	}
	//mutant:closed-hopeless
	if errors.Is(err, ErrClosed) { // it wraps the error of Run, which is none of the message
		return false
	}
	var batch *BatchError
	if errors.As(err, &batch) && batch != nil { // one message that another attempt may get through is enough
		return !slices.ContainsFunc(batch.Errs, func(err error) bool { return err != nil && !hopeless(err) })
	}
	var byDefault *defaultError
	//mutant:default-hopeless
	if errors.As(err, &byDefault) {
		return false
	}
	if errors.Is(err, ErrInvalid) {
		return true
	}
	// Of several refusals joined, one that is temporary is enough for another attempt. A 401 is about the session or
	// the sign-in, and not about the message.
	var refused *Error
	//mutant:handler-401
	return errors.As(err, &refused) && refused != nil && !errors.Is(err, CodeUnauthorized) && !temporary(err)
}

// temporary reports whether err is, wraps or joins a refusal that passes by itself.
func temporary(err error) bool {
	switch e := err.(type) { //nolint:errorlint // it looks at all of the tree; errors.As stops at the first
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

// Error returns the text of the panic and the stack.
func (e *panicError) Error() string {
	return fmt.Sprintf("the handler panicked: %s\n%s", e.panicked.Text, e.panicked.Stack)
}

// Unwrap returns the value of the panic if it is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.panicked.Value.(error)
	return err
}

// toldError is an error with a text of its own.
type toldError struct {
	text string
	err  error
}

// Error returns the text.
func (e *toldError) Error() string { return e.text }

// Unwrap returns the error that the text is about.
func (e *toldError) Unwrap() error { return e.err }

// failureText is the text of an error of user code, as it is logged, and the stack if it is a panic.
type failureText struct {
	text  string
	stack []byte
}

// Error returns the text.
func (e failureText) Error() string { return e.text }
