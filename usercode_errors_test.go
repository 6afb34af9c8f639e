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

// askedError is an error with methods that may fail.
type askedError struct {
	onError, onIs, onAs, onUnwrap func()
	wraps                         error
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func (e *askedError) Error() string {
	call(e.onError)
	return "asked"
}

func (e *askedError) Is(error) bool {
	call(e.onIs)
	return false
}

func (e *askedError) As(any) bool {
	call(e.onAs)
	return false
}

func (e *askedError) Unwrap() error {
	call(e.onUnwrap)
	return e.wraps
}

// nilPointers are non-nil errors that hold nil pointers.
func nilPointers() map[string]error {
	var refused *blaze.Error
	var unconfirmed *blaze.UnconfirmedError
	var batch *blaze.BatchError
	var invalid *blaze.InvalidError
	return map[string]error{
		"*Error": refused, "*UnconfirmedError": unconfirmed, "*BatchError": batch, "*InvalidError": invalid,
		"wrapped *Error": fmt.Errorf("send: %w", refused),
		"in a batch":     &blaze.BatchError{Errs: []error{nil, refused}},
	}
}

func boom() { panic("boom") }

// A handler's error with methods that panic counts as a failed attempt and has no other effect.
func TestErrorsThatFailWhenTheyAreAsked(t *testing.T) {
	var own *askedError
	all := map[string]error{
		"its own nil pointer": own,
		"Error panics":        &askedError{onError: boom}, "Error exits": &askedError{onError: runtime.Goexit},
		"Is panics": &askedError{onIs: boom}, "Is exits": &askedError{onIs: runtime.Goexit},
		"As panics": &askedError{onAs: boom}, "As exits": &askedError{onAs: runtime.Goexit},
		"Unwrap panics": &askedError{onUnwrap: boom}, "Unwrap exits": &askedError{onUnwrap: runtime.Goexit},
		"it wraps ErrDrop and Error panics": &askedError{wraps: blaze.ErrDrop, onError: boom},
		"Error panics with itself":          &askedError{onError: func() { panic(&askedError{onError: boom}) }},
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
				tries := 0
				r := run(t, func(_ context.Context, m *blaze.Message) error {
					if textOf(m) == "hello" {
						tries++
						return end()
					}
					return nil
				}, func(cfg *blaze.Config) { cfg.HandlerAttempts = 3 })
				failing, behind := r.say("alice", "hello"), r.say("alice", "behind it")
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Equal(t, 3, tries, "tries")
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
func TestAnErrorThatFailsWhenItIsAskedAtTheEnd(t *testing.T) {
	for name, result := range map[string]*askedError{
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
	var refused *blaze.Error
	assert.False(t, refused.Temporary())
	assert.NoError(t, refused.Unwrap())
	var unconfirmed *blaze.UnconfirmedError
	assert.NoError(t, unconfirmed.Unwrap())
	var batch *blaze.BatchError
	assert.Empty(t, batch.Unwrap())
}

// Trace receives the handler's own error with everything that it wraps.
func TestTraceGetsTheErrorOfTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := &askedError{wraps: blaze.ErrDrop}
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
