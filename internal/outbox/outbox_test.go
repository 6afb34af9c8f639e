package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const (
	replyTimeout = 20 * time.Second
	forever      = time.Duration(-1)
)

var errEnd = errors.New("the end")

func backoff(rejections int) time.Duration { return time.Duration(rejections) * 3 * time.Second }

// config returns a Config for replies that are single words: "ok" confirms, words that begin with "busy" are transient
// rejections, "passing" has the verdict Passing, "whole" has the verdict Whole, and all others are final rejections.
func config() outbox.Config {
	return outbox.Config{
		Len: 100, Bytes: 10_000, ReplyTimeout: replyTimeout, Attempts: 3, Judge: judge, Rest: backoff,
	}
}

func judge(r *wire.Error) outbox.Verdict {
	switch {
	case busy(r.Description):
		return outbox.Transient
	case r.Description == "passing":
		return outbox.Passing
	case r.Description == "whole":
		return outbox.Whole
	}
	return outbox.Final
}

func busy(word string) bool { return strings.HasPrefix(word, "busy") }

// outcome is an Outcome with words for replies. It has no Kind, because that follows from the other fields, which words
// checks. The answer of a split request is "split", or "ok" if the whole was confirmed later.
type outcome struct {
	Answer      string
	Unconfirmed bool
	Err         error
	Attempts    int
	Parts       []outcome
}

// words converts an Outcome and checks its Kind against the other fields.
func words(t assert.TestingT, class outbox.Class, o outbox.Outcome) outcome {
	out := outcome{Unconfirmed: o.Unconfirmed, Err: o.Err, Attempts: o.Attempts}
	for _, part := range o.Parts {
		out.Parts = append(out.Parts, words(t, class, part))
	}
	want := outbox.Confirmed
	switch {
	case o.Kind == outbox.Split:
		assert.NotEmpty(t, o.Parts)
		assert.NoError(t, o.Err)
		out.Answer = "split"
		if o.Rejection != nil {
			out.Answer += ": " + o.Rejection.Description
		}
		return out
	case o.Err != nil:
		want = outbox.Unanswered
	case o.Rejection == nil:
		out.Answer = "ok"
	case class != outbox.List && busy(o.Rejection.Description):
		want = outbox.TransientExhausted
	default:
		want = outbox.Rejected
	}
	if o.Rejection != nil {
		out.Answer = o.Rejection.Description
	}
	assert.Equal(t, want, o.Kind, "%+v", o)
	return out
}

// box is a Box with words as ids and replies.
type box struct{ *outbox.Box }

func (b *box) Answer(id, word string) bool {
	if word == "ok" {
		return b.Box.Answer([]byte(id), nil)
	}
	return b.Box.Answer([]byte(id), &wire.Error{Description: word})
}

// pacer is a Request.Pace with words. A nil pacer is no Pace.
type pacer func(ctx context.Context, word string) error

func (p pacer) pace() func(context.Context, *wire.Error) error {
	if p == nil {
		return nil
	}
	return func(ctx context.Context, r *wire.Error) error { return p(ctx, r.Description) }
}

func (b *box) Do(ctx context.Context, t assert.TestingT, r outbox.Request, pace pacer) outcome {
	r.Pace = pace.pace()
	return words(t, r.Class, b.Box.Do(ctx, r))
}

func (b *box) Go(t assert.TestingT, r outbox.Request, done func(outcome)) {
	b.Box.Go(r, func(o outbox.Outcome) { done(words(t, r.Class, o)) })
}

// run runs a test in a synctest bubble, with a Box that has a link. At the end the Box must be empty.
func run(t *testing.T, cfg outbox.Config, test func(t *testing.T, b *box)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &box{outbox.New(cfg)}
		b.Up()
		test(t, b)
		b.Close(errEnd)
		synctest.Wait()
		assert.Equal(t, outbox.Left{}, b.Left(), "state after the end")
	})
}

// request returns a request with its id as the frame.
func request(id string, class outbox.Class) outbox.Request {
	return outbox.Request{ID: id, Class: class, Frame: []byte(id)}
}

// names returns the prefix with each number from first to last-1.
func names(prefix string, first, last int) (names []string) {
	for i := first; i < last; i++ {
		names = append(names, fmt.Sprint(prefix, i))
	}
	return names
}

// end is the pending or final result of a request.
type end struct {
	t   *testing.T
	out chan outcome
}

func (e end) pending() {
	e.t.Helper()
	synctest.Wait()
	select {
	case o := <-e.out:
		require.Fail(e.t, "ended", "%+v", o)
	default:
	}
}

func (e end) is(want outcome) {
	e.t.Helper()
	synctest.Wait()
	select {
	case o := <-e.out:
		assert.Equal(e.t, want, o)
	default:
		require.Fail(e.t, "has not ended")
	}
}

func start(t *testing.T, b *box, r outbox.Request) end {
	e := end{t, make(chan outcome, 1)}
	b.Go(t, r, func(o outcome) { e.out <- o })
	return e
}

// do calls Do in a goroutine. It returns the result and a function that cancels the context.
func do(t *testing.T, b *box, r outbox.Request, pace pacer) (end, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	e := end{t, make(chan outcome, 1)}
	go func() {
		e.out <- b.Do(ctx, t, r, pace)
		cancel(nil)
	}()
	synctest.Wait()
	return e, cancel
}

func send(t *testing.T, b *box, id string) end {
	e, _ := do(t, b, request(id, outbox.Send), nil)
	return e
}

// writes checks the frames to write now, and the wait until the next call of Next.
func writes(t *testing.T, b *box, wait time.Duration, frames ...string) {
	t.Helper()
	for _, want := range frames {
		frame, _, again, err := b.Next()
		require.NoError(t, err)
		require.Equal(t, want, string(frame))
		require.Zero(t, again)
	}
	frame, _, again, err := b.Next()
	require.NoError(t, err)
	require.Empty(t, string(frame), "more frames than expected")
	require.Equal(t, wait, again)
}

func TestListsFirstThenAcksAndSendsInTurn(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		writes(t, b, forever)
		send(t, b, "s1")
		start(t, b, request("a1", outbox.Ack))
		send(t, b, "s2")
		start(t, b, request("l1", outbox.List))
		start(t, b, request("a2", outbox.Ack))
		start(t, b, request("l2", outbox.List))
		writes(t, b, replyTimeout, "l1", "l2", "a1", "s1", "a2", "s2")
		assert.Equal(t, outbox.Len{Requests: 2}, b.Len())
		start(t, b, request("a3", outbox.Ack))
		writes(t, b, replyTimeout, "a3")
		// After an Ack, a new Send precedes all waiting Acks.
		for i := range 100 {
			start(t, b, request(fmt.Sprint("a", 4+i), outbox.Ack))
		}
		send(t, b, "s3")
		frame, _, _, err := b.Next()
		require.NoError(t, err)
		assert.Equal(t, "s3", string(frame))
		// Requests of a single class are written by age. On a new link, the original order applies to all waiting
		// requests.
		writes(t, b, replyTimeout, names("a", 4, 104)...)
		b.Down(false)
		b.Up()
		writes(t, b, replyTimeout, slices.Concat([]string{"s1", "a1", "s2", "a2", "s3"}, names("a", 3, 104))...)
	})
}

func TestNextReturnsStoreOfTheRequest(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		for _, store := range []bool{true, false} {
			r := request(fmt.Sprint(store), outbox.Ack)
			r.Store = store
			start(t, b, r)
			frame, stored, _, err := b.Next()
			require.NoError(t, err)
			assert.Equal(t, r.Frame, frame)
			assert.Equal(t, store, stored)
		}
	})
}

func TestWakeSignalsTheWriter(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		woken := func() bool {
			select {
			case <-b.Wake():
				return true
			default:
				return false
			}
		}
		assert.False(t, woken())
		send(t, b, "s1")
		send(t, b, "s2")
		assert.True(t, woken())
		assert.False(t, woken(), "one signal for several requests")
		writes(t, b, replyTimeout, "s1", "s2")
		b.Answer("s1", "busy")
		assert.True(t, woken(), "a backoff may end before the writer's wait")
	})
}

func TestAnswerInEachState(t *testing.T) {
	for _, answer := range []string{"ok", "no"} {
		run(t, config(), func(t *testing.T, b *box) {
			neverWritten := send(t, b, "new")
			require.True(t, b.Answer("new", answer), "a reply to an unwritten request")
			neverWritten.is(outcome{Answer: answer})

			e := send(t, b, "written")
			writes(t, b, replyTimeout, "written")
			require.True(t, b.Waiting("written"))
			require.True(t, b.Answer("written", answer))
			e.is(outcome{Answer: answer, Attempts: 1})
			require.False(t, b.Waiting("written"))
			writes(t, b, forever)

			e = send(t, b, "backing off")
			writes(t, b, replyTimeout, "backing off")
			require.True(t, b.Answer("backing off", "busy"))
			writes(t, b, backoff(1))
			require.True(t, b.Answer("backing off", answer))
			e.is(outcome{Answer: answer, Attempts: 1})
			writes(t, b, forever)

			e, _ = do(t, b, request("limiting", outbox.Send), func(ctx context.Context, no string) error {
				assert.Equal(t, "busy", no)
				time.Sleep(time.Minute)
				return nil
			})
			writes(t, b, replyTimeout, "limiting")
			require.True(t, b.Answer("limiting", "busy"))
			synctest.Wait()
			writes(t, b, forever)
			require.True(t, b.Answer("limiting", answer))
			e.pending() // its caller is still running Pace
			time.Sleep(time.Minute)
			e.is(outcome{Answer: answer, Attempts: 1})

			e = send(t, b, "waiting again")
			writes(t, b, replyTimeout, "waiting again")
			b.Down(true)
			require.True(t, b.Answer("waiting again", answer))
			e.is(outcome{Answer: answer, Unconfirmed: true, Attempts: 1})
			writes(t, b, forever)
		})
	}
}

func TestUnknownLateAndDuplicateAnswers(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		for _, answer := range []string{"ok", "busy"} {
			assert.False(t, b.Answer("", answer))
			assert.False(t, b.Answer("never", answer))
		}
		e := send(t, b, "s")
		writes(t, b, replyTimeout, "s")
		require.True(t, b.Answer("s", "busy 1"))
		assert.False(t, b.Answer("s", "busy 2"), "in backoff: the rejection was processed")
		writes(t, b, backoff(1))
		require.True(t, b.Answer("s", "ok"))
		for _, answer := range []string{"ok", "busy", "no"} {
			assert.False(t, b.Answer("s", answer))
		}
		e.is(outcome{Answer: "ok", Attempts: 1})

		// A late rejection of the first attempt, when the second one is already due.
		e = send(t, b, "late")
		writes(t, b, replyTimeout, "late")
		time.Sleep(replyTimeout)
		b.Down(true)
		require.True(t, b.Answer("late", "busy"))
		writes(t, b, backoff(1))
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout, "late")
		b.Answer("late", "ok")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 2})
	})
}

func TestTransientRejections(t *testing.T) {
	for _, attempts := range []int{1, 3, -1} {
		cfg := config()
		cfg.Attempts = attempts
		run(t, cfg, func(t *testing.T, b *box) {
			e := send(t, b, "s")
			young := send(t, b, "young")
			last := attempts
			if attempts < 0 {
				last = 50
			}
			for n := 1; n < last; n++ {
				frame, _, _, _ := b.Next()
				require.Equal(t, "s", string(frame), "after its backoff it is still the oldest")
				require.True(t, b.Answer("s", "busy"))
				e.pending()
				time.Sleep(backoff(n) - 1)
				if n == 1 {
					writes(t, b, 1, "young")
					require.True(t, b.Answer("young", "ok"))
					young.is(outcome{Answer: "ok", Attempts: 1})
				} else {
					writes(t, b, 1)
				}
				time.Sleep(time.Nanosecond)
			}
			frame, _, _, _ := b.Next()
			require.Equal(t, "s", string(frame))
			require.True(t, b.Answer("s", "busy for good"))
			if attempts < 0 {
				e.pending()
				return
			}
			e.is(outcome{Answer: "busy for good", Attempts: last})
			assert.EqualValues(t, last-1, b.Len().Resent)
		})
	}
}

func TestPace(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		var rejections []string
		errPace := errors.New("limiter failed")
		e, _ := do(t, b, request("s", outbox.Send), func(ctx context.Context, no string) error {
			rejections = append(rejections, no)
			if len(rejections) == 2 {
				return errPace
			}
			time.Sleep(5 * time.Second)
			return nil
		})
		writes(t, b, replyTimeout, "s")
		require.True(t, b.Answer("s", "busy 1"))
		synctest.Wait()
		writes(t, b, forever) // neither in backoff nor written
		time.Sleep(5 * time.Second)
		synctest.Wait()
		writes(t, b, backoff(1)) // the backoff begins after Pace
		time.Sleep(backoff(1))
		writes(t, b, replyTimeout, "s")
		require.True(t, b.Answer("s", "busy 2"))
		e.is(outcome{Answer: "busy 2", Err: errPace, Attempts: 2})
		assert.Equal(t, []string{"busy 1", "busy 2"}, rejections)

		// The last rejection is final, so Pace is not called again.
		e, _ = do(t, b, request("last", outbox.Send), func(context.Context, string) error { return nil })
		for n := 1; n < 3; n++ {
			writes(t, b, replyTimeout, "last")
			b.Answer("last", "busy")
			synctest.Wait()
			time.Sleep(backoff(n))
		}
		writes(t, b, replyTimeout, "last")
		b.Answer("last", "busy")
		e.is(outcome{Answer: "busy", Attempts: 3})
	})
}
