// Package guard calls user code, which may panic or end its goroutine with runtime.Goexit. Every call of user code in
// this module goes through Call or Apart.
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

// PanicError is the result of user code that panicked. It does not unwrap: a panic is no decision, whatever its value.
type PanicError struct {
	Value any
	Text  string // of Value, fixed when the panic was recovered
	Stack []byte // its innermost functions, up to 8 KiB
}

// Error returns the text of the value.
func (e *PanicError) Error() string { return "panic: " + e.Text }

// Call calls f on this goroutine, and then calls done once with the result: the error of f, a *[PanicError] or
// [ErrGoexit]. A Goexit cannot be recovered from: done then runs as a deferred function and the goroutine ends after
// it, so everything that must happen belongs into done. Call allocates nothing unless f fails.
func Call(f func() error, done func(error)) {
	err := ErrGoexit
	defer func() { done(err) }()
	defer func() {
		//mutant:handler-panic
		if value := recover(); value != nil {
			err = ErrGoexit // printing the value is user code, too
			err = &PanicError{Value: value, Text: text(value), Stack: stack()}
		}
	}()
	err = f()
}

// mostStack bounds the stack of a panic, from the innermost function on.
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

// text prints a value that may panic while it is printed.
func text(value any) (s string) {
	s = fmt.Sprintf("a %T that cannot be printed", value)
	defer func() { _ = recover() }()
	return fmt.Sprint(value)
}

// Panicked returns the panic that err is the result of, or nil. It finds one in a result of Call or Apart, and in what
// Foreign or Retold made of one. It calls no method of err.
func Panicked(err error) *PanicError {
	switch e := err.(type) { //nolint:errorlint // made here; errors.As would ask an error of user code
	case *PanicError:
		return e
	case *foreign:
		return e.panicked
	}
	return nil
}

// Foreign makes an error of user code safe to keep and to print on any goroutine. Its text is fixed now, by a call of
// Error, so Foreign itself is called under a guard. [errors.Is] and [errors.As] ask err under a guard, and wait for it:
// a goroutine that must not wait for user code takes errors apart by their types.
func Foreign(err error) error {
	if err == nil {
		return nil
	}
	if known, ok := err.(*foreign); ok { //nolint:errorlint // made here
		return known
	}
	return &foreign{text: err.Error(), err: err}
}

// Retold is Foreign with another text, and calls no method of err.
func Retold(err error, text string) error {
	return &foreign{text: text, err: err, panicked: Panicked(err)}
}

// Short returns err as it is if its text is tame and has at most so many characters. Otherwise it is retold as package
// tame does it: errors of package net/http quote what a peer wrote, of any length. An error with a text that may hold a
// key or a token is not kept. Short calls Error.
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

// ReadError is Foreign for the error of a Reader: io.EOF stays as it is, because it is compared with ==.
func ReadError(err error) error {
	if err == io.EOF { //nolint:errorlint // see above; errors.Is would ask err
		return err
	}
	return Foreign(err)
}

// Count returns the result of a Read or a Write of user code of so many bytes. A count that is impossible, which would
// make the caller panic, is an error.
func Count(n, of int, err error) (int, error) {
	//mutant:guard-count
	if n < 0 || n > of {
		return 0, fmt.Errorf("%d of %d bytes were read or written, which is impossible", n, of)
	}
	return n, err
}

type foreign struct {
	text     string
	err      error
	panicked *PanicError // nil: it is the result of no panic
}

// Error implements error.
func (e *foreign) Error() string { return e.text }

// Is asks the error itself. One that fails when it is asked is none.
func (e *foreign) Is(target error) bool {
	return e.ask(func() bool { return errors.Is(e.err, target) })
}

// As asks the error itself.
func (e *foreign) As(target any) bool { return e.ask(func() bool { return errors.As(e.err, target) }) }

func (e *foreign) ask(question func() bool) (yes bool) {
	err := Apart(func() error {
		yes = question()
		return nil
	})
	return yes && err == nil
}
