package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// logMeter measures the records logged.
type logMeter struct {
	logbook
	records, bytes, largest, stacks atomic.Int64
}

func (l *logMeter) Enabled(context.Context, slog.Level) bool { return true }

func (l *logMeter) Handle(ctx context.Context, r slog.Record) error {
	var b strings.Builder
	stack := 0
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stack" {
			stack = len(a.Value.String())
			l.stacks.Add(1)
		}
		return true
	})
	if err := slog.NewTextHandler(&b, nil).Handle(ctx, r); err != nil {
		return err
	}
	l.records.Add(1)
	l.bytes.Add(int64(b.Len()))
	if size := int64(b.Len() - stack); size > l.largest.Load() {
		l.largest.Store(size)
	}
	return nil
}

// The number of records is bounded for any number of events and kinds. Each of 256 kinds, and one for all others, logs
// its first event, a count after a second and a count each minute, and starts anew after a quiet minute.
func TestLogsAreBoundedWhateverHappens(t *testing.T) {
	const events, minutes = 60_000, 4
	long := strings.Repeat("x ", 5000)
	for _, kinds := range []int{1, 1000, events} {
		bubble(t, fmt.Sprint(kinds, " kinds of frames"), func(t *testing.T) {
			l := new(logMeter)
			r := prepare(t, func(cfg *blaze.Config) { cfg.Logger = slog.New(l) })
			for i := range events {
				text := strconv.Itoa(i % kinds)
				if i%100 == 0 {
					text += long
				}
				blaze.ObserveBadFrame(r.Client, errors.New(text))
				if i%(events/minutes/60) == 0 {
					time.Sleep(time.Second)
					synctest.Wait()
				}
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			reported := min(2*kinds, 256+1) // a long text makes another kind
			assert.GreaterOrEqual(t, l.records.Load(), int64(min(kinds, 256)))
			assert.LessOrEqual(t, l.records.Load(), int64(reported*(2+minutes+2)))
			assert.LessOrEqual(t, l.largest.Load(), int64(4<<10), "an error of 2,000 bytes and its attributes")
			assert.LessOrEqual(t, l.bytes.Load(), l.records.Load()*(4<<10))
			assert.EqualValues(t, events, r.Stats().BadFrames)
			assert.Zero(t, r.Stats().TraceDropped)
		})
	}
}

// The first 60 dropped messages are logged singly. Later ones are counted. Trace reports all of them.
func TestDroppedMessagesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(logMeter)
		n := 0
		r := run(t, func(context.Context, *blaze.Message) error {
			n++
			return fmt.Errorf("%w: %d %s", blaze.ErrDrop, n, strings.Repeat("long ", 10_000))
		}, func(cfg *blaze.Config) { cfg.Workers, cfg.Logger = 1, slog.New(l) })
		synctest.Wait()
		ids := r.crowdSays(1000)
		r.idle()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, len(ids), r.drops.len())
		assert.EqualValues(t, len(ids), r.Stats().Dropped)
		assert.LessOrEqual(t, l.records.Load(), int64(1+60+2), "connected, 60 messages, and at most two counts")
		assert.Greater(t, l.records.Load(), int64(1+60))
		assert.LessOrEqual(t, l.largest.Load(), int64(4<<10))
	})
}

// deep panics n calls deeper.
func deep(n int) {
	if n == 0 {
		panic(strings.Repeat("boom ", 10_000))
	}
	deep(n - 1)
}

// The panic of a handler is logged with the beginning of its text and of its stack.
func TestAPanicIsLoggedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(logMeter)
		r := run(t, func(context.Context, *blaze.Message) error { deep(100); return nil }, func(cfg *blaze.Config) {
			cfg.Logger, cfg.HandlerAttempts = slog.New(l), 1
		})
		r.crowdSays(200)
		r.idle()
		assert.LessOrEqual(t, l.records.Load(), int64(1+60+2))
		assert.EqualValues(t, 1, l.stacks.Load(), "one place")
		assert.LessOrEqual(t, l.bytes.Load(), l.records.Load()*(4<<10)+2*(8<<10))
	})
}

// Records of connections are counted too.
func TestAFlappingConnectionIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(logMeter)
		r := run(t, nil, func(cfg *blaze.Config) { cfg.Logger = slog.New(l) })
		const cuts = 500
		for range cuts {
			r.Cut()
			time.Sleep(30 * time.Second)
		}
		synctest.Wait()
		require.Greater(t, r.Stats().Connects, uint64(cuts/2))
		// There are two kinds, and one logs 60 events singly. Each logs a count per minute and its first event
		// after a pause.
		assert.LessOrEqual(t, l.records.Load(), int64(60+2+2*(cuts/2+1)))
	})
}

// A peer chooses ids and texts. In the log they are short and on one line.
func TestTextOfAPeerIsEscapedInLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evil := "\x1b[2J\nlevel=ERROR msg=fake\u202e"
		var values []string
		var walk func(a slog.Attr)
		walk = func(a slog.Attr) {
			if a.Value.Kind() == slog.KindGroup {
				for _, a := range a.Value.Group() {
					walk(a)
				}
				return
			}
			values = append(values, a.Value.String())
		}
		s := newReplyingServer(t)
		r := s.run(func(context.Context, *blaze.Message) error { return errAny }, func(cfg *blaze.Config) {
			cfg.Ledger = failingLedger(func(string) error { return errAny })
			cfg.HandlerAttempts = 1
			cfg.OnReceipt = func(blaze.Receipt) { panic("boom") }
			cfg.Logger = slog.New(logFunc(func(r slog.Record) {
				r.Attrs(func(a slog.Attr) bool {
					walk(slog.Attr{Key: a.Key, Value: a.Value.Resolve()})
					return true
				})
			}))
		})
		synctest.Wait()
		for _, field := range []string{"message_id", "conversation_id", "user_id", "category"} {
			s.conn().push(with(message("alice", field), map[string]any{field: evil}))
		}
		evilJSON := toJSON(t, evil)
		s.conn().json(`{"id":"x","action":` + evilJSON + `,"error":{"code":500,"description":` + evilJSON + `}}`)
		s.conn().json(`{"id":"y","action":"ACKNOWLEDGE_MESSAGE_RECEIPT","data":{"message_id":` + evilJSON +
			`,"status":"READ"}}`)
		time.Sleep(time.Minute)
		require.NoError(t, r.stop())
		synctest.Wait()
		require.NotEmpty(t, values)
		seen := 0
		for _, v := range values {
			if strings.Contains(v, "[running") {
				continue // a stack
			}
			requireTame(t, v, 1000)
			if strings.Contains(v, "msg=fake") {
				seen++
			}
		}
		assert.Greater(t, seen, 5)
	})
}
