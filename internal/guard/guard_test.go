package guard_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// nasty is an error with methods that fail.
type nasty struct{ end func() }

func (e nasty) Error() string {
	e.end()
	return "nasty"
}

func (e nasty) Is(error) bool {
	e.end()
	return true
}

func (e nasty) As(any) bool {
	e.end()
	return true
}

var ends = map[string]func(){"panics": func() { panic("boom") }, "exits": runtime.Goexit}

func TestCallTellsTheResultOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		f    func() error
		want string
	}{
		"nil":      {func() error { return nil }, "<nil>"},
		"an error": {func() error { return io.EOF }, "EOF"},
		"a panic":  {func() error { panic("boom") }, "panic: boom"},
		"Goexit":   {func() error { runtime.Goexit(); return nil }, "runtime.Goexit was called"},
		"a panic with a value that panics": {
			func() error { panic(nasty{func() { panic(nasty{ends["panics"]}) }}) },
			"panic: a guard_test.nasty that cannot be printed",
		},
		"a panic with a value that exits": {func() error { panic(nasty{runtime.Goexit}) }, "runtime.Goexit was called"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				guard.Call(tt.f, func(err error) { got = append(got, fmt.Sprint(err)) })
			}()
			<-ended
			assert.Equal(t, []string{tt.want}, got)
			assert.Equal(t, tt.want, fmt.Sprint(guard.Apart(tt.f)))
		})
	}
}

func TestAPanicKeepsItsStackAndDoesNotUnwrap(t *testing.T) {
	err := guard.Apart(func() error { panic(io.EOF) })
	var p *guard.PanicError
	require.ErrorAs(t, err, &p)
	assert.Equal(t, io.EOF, p.Value)
	assert.Contains(t, string(p.Stack), "guard_test.go")
	assert.NotErrorIs(t, err, io.EOF)
}

func TestFailed(t *testing.T) {
	assert.True(t, guard.Failed(guard.Apart(func() error { panic("boom") })))
	assert.True(t, guard.Failed(guard.Apart(func() error { panic(nil) })))
	assert.True(t, guard.Failed(guard.Apart(func() error { runtime.Goexit(); return nil })))
	for _, err := range []error{nil, io.EOF, fmt.Errorf("wrapped: %w", guard.ErrGoexit), nasty{ends["panics"]}} {
		assert.False(t, guard.Failed(err))
	}
}

func TestAForeignErrorIsWhatItWas(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "x", Err: io.EOF}
	err := guard.Foreign(cause)
	assert.EqualError(t, err, cause.Error())
	assert.ErrorIs(t, err, io.EOF)
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	assert.Same(t, cause, path)
	assert.NotErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Same(t, err, guard.Foreign(err))
	assert.NoError(t, guard.Foreign(nil))
}

func TestReadError(t *testing.T) {
	assert.NoError(t, guard.ReadError(nil))
	assert.Equal(t, io.EOF, guard.ReadError(io.EOF))
	assert.ErrorIs(t, guard.ReadError(fs.ErrClosed), fs.ErrClosed)
	assert.NotEqual(t, fs.ErrClosed, guard.ReadError(fs.ErrClosed))
}

func TestAForeignErrorThatFailsWhenItIsAsked(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			quiet := true
			err := guard.Foreign(nasty{func() {
				if !quiet {
					end()
				}
			}})
			quiet = false
			assert.EqualError(t, err, "nasty")
			assert.NotErrorIs(t, err, io.EOF)
			var path *fs.PathError
			assert.False(t, errors.As(err, &path))
		})
	}
}

func TestCallAllocatesNothing(t *testing.T) {
	n := 0
	f := func(k int) {
		guard.Call(func() error { n += k; return nil }, func(err error) {
			if err != nil {
				n = -1
			}
		})
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { f(3) }))
	assert.Positive(t, n)
}

// A panic is found through wrappers, and no method of a user's error is called for it.
func TestPanickedAndRetold(t *testing.T) {
	err := guard.Apart(func() error { panic("boom") })
	p := guard.Panicked(err)
	require.NotNil(t, p)
	retold := guard.Retold(err, "calling it: panic: boom")
	assert.EqualError(t, retold, "calling it: panic: boom")
	assert.Same(t, p, guard.Panicked(retold))
	assert.Same(t, p, guard.Panicked(guard.Retold(guard.Foreign(retold), "again")))
	for _, err := range []error{
		nil, io.EOF, guard.ErrGoexit, nasty{ends["panics"]}, guard.Retold(nasty{ends["panics"]}, "x"),
	} {
		assert.Nil(t, guard.Panicked(err))
	}
	assert.ErrorIs(t, guard.Retold(io.EOF, "x"), io.EOF)
}

// Text of a peer is shortened and printable. An error that needs no change is returned itself.
func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"as it is": "as it is", "0123456789": "0123456789", "0123456789a": "0123456...", "r\x1b[3m": `r\x1b[3m`,
		"a\nb": `a\nb`, "123456789é": "123456789é", "1234567890é": "1234567...",
	} {
		err := errors.New(text)
		got := guard.Short(err, 10)
		assert.EqualError(t, got, want)
		assert.ErrorIs(t, got, err)
		assert.Equal(t, text == want, got == err) //nolint:errorlint // the same value
	}
}
