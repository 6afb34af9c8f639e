package blaze_test

import (
	"context"
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

// ledgerFuncs is a Ledger of two functions.
type ledgerFuncs struct {
	handled func(ctx context.Context, id string) (bool, error)
	record  func(ctx context.Context, id string) error
}

func (l ledgerFuncs) Handled(ctx context.Context, id string) (bool, error) { return l.handled(ctx, id) }

func (l ledgerFuncs) Record(ctx context.Context, id string) error { return l.record(ctx, id) }

func TestAMessageInTheLedgerIsAcknowledgedAtOnce(t *testing.T) {
	for name, mode := range ackModes {
		bubble(t, name, func(t *testing.T) {
			var handled diary
			known := userID("a message")
			l := ledger{known: map[string]bool{known: true}}
			r := run(t, handled.texts(), func(cfg *blaze.Config) { cfg.Ack, cfg.Ledger = mode, &l })
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), MessageID: known})
			r.idle()
			assert.Zero(t, handled.len())
			assert.Equal(t, []string{known}, r.Acked())
			assert.Empty(t, l.all())
			assert.EqualValues(t, 1, r.Stats().Duplicates)
			assert.Zero(t, r.Stats().Handled)
		})
	}
}

func TestTheDefaultLedgerRemembersWhatThisProcessHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled diary
		r := run(t, handled.texts(), nil)
		ids := r.crowdSays(5)
		r.idle()
		for i, id := range ids {
			r.Deliver(userID(fmt.Sprint("user", i)), blaze.Outgoing{Payload: blaze.Text("again"), MessageID: id})
		}
		r.idle()
		assert.Equal(t, 5, handled.len())
		assert.EqualValues(t, 5, r.Stats().Duplicates)

		// Each client has its own default Ledger.
		other := prepareFor(t, r.Server, nil)
		assert.NoError(t, r.stop())
		r.Deliver(userID("user0"), blaze.Outgoing{Payload: blaze.Text("once more"), MessageID: ids[0]})
		other.start(t.Context(), handled.texts())
		other.idle()
		assert.Equal(t, 6, handled.len())
	})
}

func TestALedgerThatDoesNotWork(t *testing.T) {
	fails := ledgerFuncs{
		func(context.Context, string) (bool, error) { return true, errAny },
		func(context.Context, string) error { return errAny },
	}
	panics := ledgerFuncs{
		func(context.Context, string) (bool, error) { panic(errAny) },
		func(context.Context, string) error { panic("boom") },
	}
	for name, l := range map[string]blaze.Ledger{"fails": fails, "panics": panics} {
		bubble(t, name, func(t *testing.T) {
			var handled diary
			r := run(t, handled.texts(), func(cfg *blaze.Config) { cfg.Ledger = l })
			id := r.say("alice", "hello")
			r.idle()
			assert.Equal(t, []string{"hello"}, handled.all(), "the handler runs")
			assert.Equal(t, []string{id}, r.Acked(), "and the message acknowledged")
			assert.Zero(t, r.failures.len())
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, "Ledger.Handled failed"))
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, "Ledger.Record failed"))
		})
	}
}

func TestASlowLedgerDelaysItsConversationOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled diary
		start := time.Now()
		slow := userID("slow")
		wait := func(id string) {
			if id == slow {
				time.Sleep(time.Minute)
			}
		}
		l := ledgerFuncs{
			func(_ context.Context, id string) (bool, error) { wait(id); return false, nil },
			func(ctx context.Context, id string) error { wait(id); return ctx.Err() },
		}
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			handled.add("%s at %v", textOf(m), time.Since(start).Round(time.Second))
			return nil
		}, func(cfg *blaze.Config) { cfg.Ledger, cfg.Workers = l, 2 })
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("slow"), MessageID: slow})
		r.say("alice", "behind it")
		other := r.say("bob", "other")
		time.Sleep(90 * time.Second)
		assert.Equal(t, []string{other}, r.Acked(), "no acknowledgement before it is recorded")
		r.idle()
		assert.Equal(t, []string{"other at 0s", "slow at 1m0s", "behind it at 2m0s"}, handled.all())
	})
}

func TestTheLedgerIsCalledOncePerMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var queried, recorded diary
		l := ledgerFuncs{
			func(_ context.Context, id string) (bool, error) { queried.add("%s", id); return false, nil },
			func(_ context.Context, id string) error { recorded.add("%s", id); return nil },
		}
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if m.Attempt < 4 {
				return errAny
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.Ledger = l })
		id := r.say("alice", "hello")
		r.idle()
		assert.Equal(t, []string{id}, queried.all())
		assert.Equal(t, []string{id}, recorded.all())
	})
}

// For the race detector: two clients share one Ledger and use it in many conversations at once.
func TestALedgerIsUsedConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		first := run(t, ok, func(cfg *blaze.Config) { cfg.Ledger = &l })
		second := run(t, ok, func(cfg *blaze.Config) { cfg.Ledger = &l })
		own := run(t, ok, nil)
		for _, r := range []*rig{first, second, own} {
			r.crowdSays(50)
		}
		for _, r := range []*rig{first, second, own} {
			r.idle()
			assert.EqualValues(t, 50, r.Stats().Handled)
		}
		assert.Len(t, l.all(), 100)
	})
}

// A message is handled and acknowledged once, even if its Ledger and its handler end their goroutines.
func TestALedgerThatExitsItsGoroutine(t *testing.T) {
	for _, where := range []string{"Handled", "Record"} {
		bubble(t, where, func(t *testing.T) {
			exited := false
			exit := func(here string) {
				if here == where && (!exited || here == "Handled") {
					exited = true
					runtime.Goexit()
				}
			}
			handled := 0
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				if handled++; m.Attempt == 1 && textOf(m) == "3" {
					runtime.Goexit()
				}
				return nil
			}, func(cfg *blaze.Config) {
				cfg.Workers = 1
				cfg.Ledger = ledgerFuncs{
					handled: func(context.Context, string) (bool, error) { exit("Handled"); return false, nil },
					record:  func(context.Context, string) error { exit("Record"); return nil },
				}
				cfg.Trace = &blaze.Trace{HandlerError: func(m *blaze.Message, _ error) { assert.NotNil(t, m) }}
			})
			ids := []string{r.say("alice", "1"), r.say("bob", "2"), r.say("carol", "3")}
			time.Sleep(time.Minute)
			assert.ElementsMatch(t, ids, r.Acked())
			assert.Equal(t, 4, handled)
			require.NoError(t, r.stop())
		})
	}
}

// AckReceived acknowledges the message even if its Ledger exits the goroutine before.
func TestALedgerThatExitsBeforeAnEarlyAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exited := false
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.Ack = blaze.AckReceived
			cfg.Ledger = ledgerFuncs{
				handled: func(context.Context, string) (bool, error) { return false, nil },
				record: func(context.Context, string) error {
					if !exited {
						exited = true
						runtime.Goexit()
					}
					return nil
				},
			}
		})
		r.say("alice", "x")
		time.Sleep(time.Minute)
		assert.Empty(t, r.Pending())
	})
}

// A Ledger that exits its goroutine does not end the goroutine that calls Client.Ack.
func TestALedgerThatExitsInAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) {
			cfg.Ack = blaze.AckManual
			cfg.Ledger = ledgerFuncs{
				handled: func(context.Context, string) (bool, error) { return false, nil },
				record:  func(context.Context, string) error { runtime.Goexit(); return nil },
			}
		})
		id := r.say("alice", "x")
		synctest.Wait()
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id))
		synctest.Wait()
		assert.Equal(t, []string{id}, r.Acked())
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "Ledger.Record failed"))
	})
}
