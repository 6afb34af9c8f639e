package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// fate is the outcome of a message.
type fate int

const (
	finished fate = iota // at the first attempt
	declined
	dropped // at the first attempt
	retried // and dropped after the last attempt
)

var errAny = errors.New("something went wrong")

// results are all ways in which a handler can end.
var results = []struct {
	name string
	end  func() error
	want fate
}{
	{"nil", func() error { return nil }, finished},
	{"ErrNotHandled", func() error { return blaze.ErrNotHandled }, declined},
	{"ErrNotHandled wrapped", func() error { return fmt.Errorf("no: %w", blaze.ErrNotHandled) }, declined},
	{"ErrDrop", func() error { return blaze.ErrDrop }, dropped},
	{"ErrDrop wrapped", func() error { return fmt.Errorf("useless: %w", blaze.ErrDrop) }, dropped},
	{
		"InvalidError",
		func() error { return fmt.Errorf("send: %w", &blaze.InvalidError{Field: "Outgoing.ConversationID"}) }, dropped,
	},
	{
		"permanent Error",
		func() error { return fmt.Errorf("send: %w", &blaze.Error{Code: blaze.CodeForbidden}) }, dropped,
	},
	{"temporary Error", func() error { return &blaze.Error{Code: blaze.CodeTooManyRequests} }, retried},
	{"a temporary status", func() error { return &blaze.Error{Code: 10001, Status: 503} }, retried},
	{"a code of another kind", func() error { return &blaze.Error{Code: 10001, Status: 202} }, dropped},
	{"several rejections, one of them transient", func() error {
		return fmt.Errorf("both: %w", errors.Join(&blaze.Error{Code: 403}, &blaze.Error{Status: 503}))
	}, retried},
	{"several rejections", func() error {
		return errors.Join(errAny, &blaze.Error{Code: 403}, fmt.Errorf("and %w", &blaze.Error{Code: 404}))
	}, dropped},
	{"UnconfirmedError of a rejection", func() error {
		return &blaze.UnconfirmedError{Err: &blaze.Error{Code: blaze.CodeForbidden}}
	}, retried},
	{"ErrDrop with an UnconfirmedError", func() error {
		return fmt.Errorf("%w: %w", blaze.ErrDrop, &blaze.UnconfirmedError{Err: errAny})
	}, dropped},
	{"any error", func() error { return errAny }, retried},
	{"a deadline of its own", func() error { return context.DeadlineExceeded }, retried},
	{"panic", func() error { panic("boom") }, retried},
	{"panic with an error", func() error { panic(errAny) }, retried},
	{"panic with ErrDrop", func() error { panic(blaze.ErrDrop) }, retried},
	{"panic with ErrNotHandled", func() error { panic(fmt.Errorf("no: %w", blaze.ErrNotHandled)) }, retried},
	{"Goexit", func() error { runtime.Goexit(); return nil }, retried},
}

var ackModes = map[string]blaze.AckMode{
	"AckHandled": blaze.AckHandled, "AckReceived": blaze.AckReceived, "AckManual": blaze.AckManual,
}

func TestResultsOfHandlers(t *testing.T) {
	for mode, ack := range ackModes {
		for _, tt := range results {
			bubble(t, mode+"/"+tt.name, func(t *testing.T) {
				var l ledger
				var attempts atomic.Int32
				r := run(t, func(context.Context, *blaze.Message) error {
					attempts.Add(1)
					return tt.end()
				}, func(cfg *blaze.Config) {
					cfg.Ack, cfg.HandlerAttempts, cfg.Ledger = ack, 3, &l
				})
				id := r.say("alice", "hello")
				time.Sleep(time.Minute + time.Second) // until counted warnings are logged

				wantAttempts, wantFailed, wantDropped := 1, 0, 0
				switch tt.want {
				case dropped:
					wantFailed, wantDropped = 1, 1
				case retried:
					wantAttempts, wantFailed, wantDropped = 3, 3, 1
				}
				assert.EqualValues(t, wantAttempts, attempts.Load(), "tries")
				assert.Equal(t, wantFailed, r.failures.len(), "HandlerError")
				assert.Equal(t, wantDropped, r.drops.len(), "Dropped")
				for _, reported := range append(r.failures.all(), r.drops.all()...) {
					assert.True(t, strings.HasPrefix(reported, id+": "), reported)
				}

				var want []string
				if ack != blaze.AckManual || tt.want == declined {
					want = []string{id}
				}
				assert.Equal(t, want, r.Acked(), "acknowledged")
				assert.Equal(t, want, l.all(), "recorded")
				assert.Equal(t, want == nil, slices.Contains(r.Pending(), id), "pending")

				s := r.Stats()
				assert.Equal(t, tt.want == finished, s.Handled == 1, "Handled")
				assert.Equal(t, tt.want == declined, s.Declined == 1, "Declined")
				assert.EqualValues(t, wantFailed, s.Failed, "Failed")
				assert.EqualValues(t, wantDropped, s.Dropped, "Dropped")
				assert.EqualValues(t, len(want), s.Acked, "Acked")
				assert.Zero(t, s.InboxMessages+s.HandlersRunning+s.AcksWaiting)

				assert.Equal(t, min(wantFailed-wantDropped, 1),
					r.log.count(slog.LevelWarn, "handler failed")-r.log.count(slog.LevelWarn, "repeated="),
					"equal ones are thinned")
				assert.Equal(t, wantDropped, r.log.count(slog.LevelError, "message dropped"))
				assert.Equal(t, tt.want == declined, r.log.count(slog.LevelWarn, "every handler declined") == 1)
			})
		}
	}
}

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []error
		values := []any{errAny, "boom"}
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			panic(values[m.Attempt-1])
		}, func(cfg *blaze.Config) {
			cfg.HandlerAttempts = 2
			cfg.Trace = &blaze.Trace{HandlerError: func(_ *blaze.Message, err error) { got = append(got, err) }}
		})
		r.say("alice", "hello")
		r.idle()
		require.Len(t, got, 2)
		assert.ErrorIs(t, got[0], errAny)
		for i, err := range got {
			assert.ErrorContains(t, err, fmt.Sprint(values[i]))
			assert.ErrorContains(t, err, "deliver_results_test.go")
		}
	})
}

func TestOnlyTheFirstDeclineOfACategoryIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled }, nil)
		for range 3 {
			r.say("alice", "hello")
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Post("hello")})
		}
		r.idle()
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "PLAIN_TEXT"))
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "PLAIN_POST"))
		assert.EqualValues(t, 6, r.Stats().Declined)
	})
}

// attempt is a call of a handler.
type attempt struct {
	at     time.Duration
	number int
	last   bool
}

func TestAttemptsAreFurtherAndFurtherApart(t *testing.T) {
	for _, tt := range []struct {
		name     string
		attempts int
		wait     time.Duration
		want     int
	}{
		{"default", 0, time.Hour, 8},
		{"one", 1, time.Hour, 1},
		{"unlimited", -1, time.Hour, 0},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			start := time.Now()
			var got []attempt
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				got = append(got, attempt{time.Since(start), m.Attempt, m.LastAttempt})
				return errAny
			}, func(cfg *blaze.Config) { cfg.HandlerAttempts = tt.attempts })
			id := r.say("alice", "hello")
			time.Sleep(tt.wait)
			synctest.Wait()

			if tt.want > 0 {
				require.Len(t, got, tt.want)
				assert.Equal(t, []string{id}, r.Acked())
			} else {
				assert.Greater(t, len(got), 55)
				assert.Empty(t, r.Acked())
			}
			for i, a := range got {
				assert.Equal(t, i+1, a.number)
				assert.Equal(t, i+1 == tt.want, a.last)
				if i == 0 {
					continue
				}
				want := min(time.Second<<min(i-1, 6), time.Minute)
				assert.InDelta(t, want.Seconds(), (a.at - got[i-1].at).Seconds(),
					want.Seconds()/10, "before attempt %d", i+1)
			}
		})
	}
}

func TestEachAttemptGetsAFreshMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []*blaze.Message
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			assert.Equal(t, blaze.Text("hello"), m.Payload)
			assert.Equal(t, []byte("hello"), m.Data)
			assert.Equal(t, blaze.CategoryPlainText, m.Category)
			clear(m.Data)
			*m = blaze.Message{ID: "scribbled"}
			seen = append(seen, m)
			if len(seen) < 3 {
				return errAny
			}
			return nil
		}, nil)
		id := r.say("alice", "hello")
		next := r.say("alice", "hello")
		r.idle()
		require.Len(t, seen, 4)
		assert.NotSame(t, seen[0], seen[1])
		assert.Equal(t, []string{id, next}, r.Acked())
	})
}

func TestMessagesInBackoffNeedNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error { return errAny }, nil)
		synctest.Wait()
		before := runtime.NumGoroutine()
		for i := range 20 {
			r.say(fmt.Sprint("user", i), "hello")
		}
		synctest.Wait()
		assert.Equal(t, 20, r.Stats().InboxMessages)
		assertGoroutines(t, before)
		assert.NoError(t, r.stop())
		assert.Len(t, r.Pending(), 20)
	})
}

// One transient error among several, wherever it stands, is enough for another attempt.
func TestSeveralErrorsAreDroppedTogether(t *testing.T) {
	forbidden, busy := &blaze.Error{Code: blaze.CodeForbidden}, &blaze.Error{Code: blaze.CodeServer}
	invalid := &blaze.InvalidError{Field: "x"}
	for name, c := range map[string]struct {
		errs  []error
		drops int
	}{
		"403, 500": {[]error{forbidden, busy}, 0}, "500, 403": {[]error{busy, forbidden}, 0},
		"403, 403":     {[]error{forbidden, forbidden}, 1},
		"invalid, 500": {[]error{nil, invalid, busy}, 0}, "invalid, 403": {[]error{invalid, forbidden}, 1},
	} {
		bubble(t, name, func(t *testing.T) {
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				if m.Attempt == 1 {
					return &blaze.BatchError{Errs: c.errs}
				}
				return nil
			}, nil)
			r.say("alice", "x")
			r.idle()
			assert.Equal(t, c.drops, r.drops.len())
		})
	}
}
