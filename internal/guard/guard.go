// Package guard calls user code, which may panic or end its goroutine with runtime.Goexit. Every call of user code in
// this module uses Call or Apart.
package guard

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/mixin-blaze/blaze/internal/tame"
)

// ErrGoexit is the result of user code that called runtime.Goexit.
var ErrGoexit = errors.New("runtime.Goexit was called")

// PanicError is the result of user code that panicked. It has no Unwrap, because a panic with an error value is not a
// returned error.
type PanicError struct {
	Value any
	Text  string // text of Value at the time of the panic
	Stack []byte // the innermost functions, up to 8 KiB
}

// Error returns the text of the value.
func (e *PanicError) Error() string { return "panic: " + e.Text }

// Call calls f on this goroutine, and then done once with the result: the error of f, a *[PanicError] or [ErrGoexit]. A
// Goexit cannot be recovered: done then runs as a deferred function, and the goroutine ends after it. So all necessary
// work belongs in done. Call allocates only if f fails.
func Call(f func() error, done func(error)) {
	err := ErrGoexit
	defer func() { done(err) }()
	defer func() {
		//mutant:handler-panic
		if value := recover(); value != nil {
			err = ErrGoexit // the result if formatting the value, which is user code too, calls Goexit
			err = &PanicError{Value: value, Text: text(value), Stack: stack()}
		}
	}()
	err = f()
}

// mostStack is the maximum size of a stack, which starts with the innermost function.
const mostStack = 8 << 10

func stack() []byte {
	b := make([]byte, mostStack)
	return b[:runtime.Stack(b, false)]
}

// Apart calls f on a goroutine of its own and waits for it. The caller survives a Goexit of f.
func Apart(f func() error) error {
	result := make(chan error, 1)
	go Call(f, func(err error) { result <- err })
	return <-result
}

// Failed reports whether err is the result of user code that panicked or called Goexit. It does not unwrap err.
func Failed(err error) bool {
	_, panicked := err.(*PanicError)    //nolint:errorlint // made by Call
	return panicked || err == ErrGoexit //nolint:errorlint // made by Call
}

// text formats a value. The formatting may panic.
func text(value any) (s string) {
	s = fmt.Sprintf("a %T that cannot be printed", value)
	defer func() { _ = recover() }()
	return fmt.Sprint(value)
}

// Panicked returns the panic that caused err, or nil. It recognizes a result of Call or Apart, and the errors that
// Foreign and Retold make of one. It calls no method of err.
func Panicked(err error) *PanicError {
	switch e := err.(type) { //nolint:errorlint // made here; errors.As would call methods of err
	case *PanicError:
		return e
	case *foreign:
		return e.panicked
	}
	return nil
}

// Foreign wraps an error of user code so that any goroutine may store and format it. It calls Error once, to fix the
// text, so it must itself be called under a guard. [errors.Is] and [errors.As] call methods of err under a guard and
// wait for the result. A goroutine that must not wait for user code uses type switches instead.
func Foreign(err error) error {
	if err == nil {
		return nil
	}
	if known, ok := err.(*foreign); ok { //nolint:errorlint // made here
		return known
	}
	return &foreign{text: err.Error(), err: err}
}

// Retold is like Foreign with another text. It calls no method of err.
func Retold(err error, text string) error {
	return &foreign{text: text, err: err, panicked: Panicked(err)}
}

// Short returns err unchanged if its text has at most most characters and nothing to sanitize. Otherwise it wraps err
// with the text sanitized by package tame: errors of net/http quote text of a peer, of any length. It does not wrap an
// error with a possible key or token in its text. Short calls Error.
func Short(err error, most int) error {
	text := err.Error()
	switch line := tame.Line(text, most); {
	case line == text:
		return err
	case tame.Hide(text) != text:
		return Retold(nil, line)
	default:
		return Retold(err, line)
	}
}

// ReadError is like Foreign for the error of a Reader. It returns io.EOF unchanged, because callers compare it with ==.
func ReadError(err error) error {
	if err == io.EOF { //nolint:errorlint // see above; errors.Is would call methods of err
		return err
	}
	return Foreign(err)
}

// Count returns the result of a Read or a Write of user code with a buffer of of bytes. An impossible count, which
// would make the caller panic, is an error.
func Count(n, of int, err error) (int, error) {
	//mutant:guard-count
	if n < 0 || n > of {
		return 0, fmt.Errorf("impossible count: %d of %d bytes", n, of)
	}
	return n, err
}

type foreign struct {
	text     string
	err      error
	panicked *PanicError // nil: no panic
}

// Error implements error.
func (e *foreign) Error() string { return e.text }

// Is calls errors.Is for the wrapped error. It returns false if a method of that error fails.
func (e *foreign) Is(target error) bool {
	return e.ask(func() bool { return errors.Is(e.err, target) })
}

// As calls errors.As for the wrapped error, with the same rule.
func (e *foreign) As(target any) bool { return e.ask(func() bool { return errors.As(e.err, target) }) }

func (e *foreign) ask(question func() bool) (yes bool) {
	err := Apart(func() error {
		yes = question()
		return nil
	})
	return yes && err == nil
}
