package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// brokenError is an error with methods that may fail.
type brokenError struct {
	onError, onIs, onAs, onUnwrap func()
	wraps                         error
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func (e *brokenError) Error() string {
	call(e.onError)
	return "asked"
}

func (e *brokenError) Is(error) bool {
	call(e.onIs)
	return false
}

func (e *brokenError) As(any) bool {
	call(e.onAs)
	return false
}

func (e *brokenError) Unwrap() error {
	call(e.onUnwrap)
	return e.wraps
}

// nilPointers are non-nil errors that hold nil pointers.
func nilPointers() map[string]error {
	var rejected *blaze.Error
	var unconfirmed *blaze.UnconfirmedError
	var batch *blaze.BatchError
	var invalid *blaze.InvalidError
	return map[string]error{
		"*Error": rejected, "*UnconfirmedError": unconfirmed, "*BatchError": batch, "*InvalidError": invalid,
		"wrapped *Error": fmt.Errorf("send: %w", rejected),
		"in a batch":     &blaze.BatchError{Errs: []error{nil, rejected}},
	}
}

func boom() { panic("boom") }

// A handler's error with methods that panic counts as a failed attempt and has no other effect.
func TestErrorsWithMethodsThatFail(t *testing.T) {
	var own *brokenError
	all := map[string]error{
		"its own nil pointer": own,
		"Error panics":        &brokenError{onError: boom}, "Error exits": &brokenError{onError: runtime.Goexit},
		"Is panics": &brokenError{onIs: boom}, "Is exits": &brokenError{onIs: runtime.Goexit},
		"As panics": &brokenError{onAs: boom}, "As exits": &brokenError{onAs: runtime.Goexit},
		"Unwrap panics": &brokenError{onUnwrap: boom}, "Unwrap exits": &brokenError{onUnwrap: runtime.Goexit},
		"it wraps ErrDrop and Error panics": &brokenError{wraps: blaze.ErrDrop, onError: boom},
		"Error panics with itself":          &brokenError{onError: func() { panic(&brokenError{onError: boom}) }},
	}
	for name, err := range nilPointers() {
		all["a nil "+name] = err
	}
	for name, result := range all {
		for how, end := range map[string]func() error{
			"returned":   func() error { return result },
			"panic with": func() error { panic(result) },
		} {
			bubble(t, name+"/"+how, func(t *testing.T) {
				attempts := 0
				r := run(t, func(_ context.Context, m *blaze.Message) error {
					if textOf(m) == "hello" {
						attempts++
						return end()
					}
					return nil
				}, func(cfg *blaze.Config) { cfg.HandlerAttempts = 3 })
				failing, behind := r.say("alice", "hello"), r.say("alice", "behind it")
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Equal(t, 3, attempts, "tries")
				assert.Equal(t, 3, r.failures.len(), "HandlerError")
				assert.Equal(t, 1, r.drops.len(), "Dropped")
				assert.Equal(t, []string{failing, behind}, r.Acked())
				assert.Equal(t, 2, r.log.count(slog.LevelWarn, "handler failed"))
				assert.Equal(t, 1, r.log.count(slog.LevelError, "message dropped"))
				require.NoError(t, r.stop())
			})
		}
	}
}

// The same error when Run ends and the server does not redeliver the message.
func TestAnErrorWithMethodsThatFailAtTheEnd(t *testing.T) {
	for name, result := range map[string]*brokenError{
		"panics": {onError: boom}, "exits": {onError: runtime.Goexit}, "later": {},
	} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, func(context.Context, *blaze.Message) error { return result }, func(cfg *blaze.Config) {
				cfg.Ack = blaze.AckReceived
				cfg.Trace.HandlerError = func(*blaze.Message, error) {
					if name == "later" { // the client has its text already
						result.onError = boom
					}
				}
			})
			r.say("alice", "hello")
			time.Sleep(500 * time.Millisecond)
			require.NoError(t, r.stop())
			require.Equal(t, 1, r.drops.len())
			assert.Contains(t, r.drops.String(), "Run ended before another attempt")
			assert.Equal(t, 1, r.log.count(slog.LevelError, "message dropped"))
		})
	}
}

func TestMethodsOfNilErrors(t *testing.T) {
	for name, err := range nilPointers() {
		assert.NotEmpty(t, err.Error(), name)
		assert.NotErrorIs(t, err, blaze.ErrInvalid, name)
		assert.NotErrorIs(t, err, blaze.CodeForbidden, name)
	}
	var rejected *blaze.Error
	assert.False(t, rejected.Temporary())
	assert.NoError(t, rejected.Unwrap())
	var unconfirmed *blaze.UnconfirmedError
	assert.NoError(t, unconfirmed.Unwrap())
	var batch *blaze.BatchError
	assert.Empty(t, batch.Unwrap())
}

// Trace receives the handler's own error with everything that it wraps.
func TestTraceGetsTheErrorOfTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := &brokenError{wraps: blaze.ErrDrop}
		var got []error
		run(t, func(context.Context, *blaze.Message) error { return own }, func(cfg *blaze.Config) {
			cfg.Trace.HandlerError = func(_ *blaze.Message, err error) { got = append(got, err) }
			cfg.Trace.Dropped = cfg.Trace.HandlerError
		}).say("alice", "hello")
		synctest.Wait()
		require.Len(t, got, 2, "it wraps ErrDrop")
		for _, err := range got {
			assert.True(t, errors.Is(err, blaze.ErrDrop))
			assert.Same(t, own, err)
		}
	})
}
