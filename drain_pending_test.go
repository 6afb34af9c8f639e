package blaze_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Messages that wait when Run ends are not handled, neither while Run drains nor afterwards. The server redelivers
// them.
func TestNoHandlerStartsDuringOrAfterDrain(t *testing.T) {
	for _, offline := range []bool{false, true} {
		for _, drain := range []time.Duration{time.Second, -1} {
			bubble(t, fmt.Sprint("offline ", offline, ", Drain ", drain), func(t *testing.T) {
				var got diary
				r := run(t, func(_ context.Context, m *blaze.Message) error {
					got.add("%s", textOf(m))
					if textOf(m) == "fails" {
						return errAny
					}
					time.Sleep(10 * time.Second)
					return nil
				}, func(cfg *blaze.Config) { cfg.Workers, cfg.Drain = 2, drain })
				synctest.Wait()
				ids := []string{r.say("bob", "fails")} // it is in backoff
				time.Sleep(100 * time.Millisecond)
				for _, text := range []string{"1", "2"} {
					ids = append(ids, r.say("alice", text))
				}
				ids = append(ids, r.say("carol", "3"), r.say("dave", "4")) // no worker is free for the last one
				synctest.Wait()
				if offline {
					always(r.Server, handshake, blazetest.Refuse(blaze.CodeServer))
					r.Cut()
				}
				time.Sleep(100 * time.Millisecond)
				require.ErrorIs(t, r.stop(), blaze.ErrDrain)
				time.Sleep(time.Minute)
				assert.ElementsMatch(t, []string{"fails", "1", "3"}, got.all())
				assert.ElementsMatch(t, ids, r.Pending())
			})
		}
	}
}

// With AckReceived a message that failed before the end is dropped, because the server does not redeliver it. In the
// other modes it does.
func TestAMessageThatFailedBeforeTheEnd(t *testing.T) {
	for name, mode := range ackModes {
		for _, at := range []string{"in backoff", "fails after the end"} {
			bubble(t, name+", "+at, func(t *testing.T) {
				r := run(t, func(context.Context, *blaze.Message) error {
					if at == "fails after the end" {
						time.Sleep(2 * time.Second)
					}
					return errAny
				}, func(cfg *blaze.Config) { cfg.Ack = mode })
				id := r.say("alice", "hello")
				behind := r.say("alice", "behind it")
				time.Sleep(500 * time.Millisecond)
				require.NoError(t, r.stop())
				if mode == blaze.AckReceived {
					want := id + ": blaze: Run ended before another attempt: " + errAny.Error()
					assert.Equal(t, []string{want}, r.drops.all())
					assert.Equal(t, []string{id}, r.Acked())
					assert.Equal(t, []string{behind}, r.Pending())
					assert.EqualValues(t, 1, r.Stats().Dropped)
				} else {
					assert.Empty(t, r.drops.all())
					assert.Equal(t, []string{id, behind}, r.Pending())
				}
			})
		}
	}
}

// handledLate is a Ledger that returns when its context ends, as a database does.
type handledLate struct{ records atomic.Int32 }

func (l *handledLate) Handled(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (l *handledLate) Record(context.Context, string) error {
	l.records.Add(1)
	return nil
}

// A Ledger that is cut off by the end of Drain reports the message as not handled. The handler must not run then, since
// nothing would record its success.
func TestNoHandlerBeginsAfterRun(t *testing.T) {
	for _, mode := range []blaze.AckMode{blaze.AckReceived, blaze.AckHandled} {
		bubble(t, fmt.Sprint(mode), func(t *testing.T) {
			var began atomic.Int32
			ledger := new(handledLate)
			r := run(t, func(context.Context, *blaze.Message) error {
				began.Add(1)
				return nil
			}, func(cfg *blaze.Config) { cfg.Ledger, cfg.Ack = ledger, mode })
			synctest.Wait()
			r.say("alice", "pay")
			time.Sleep(time.Second)
			require.ErrorIs(t, r.stop(), blaze.ErrDrain)
			time.Sleep(time.Second)
			assert.Zero(t, began.Load())
			assert.Zero(t, ledger.records.Load())
		})
	}
}
