package blaze_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestAckManual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		var handled diary
		r := run(t, handled.texts(), func(cfg *blaze.Config) { cfg.Ack, cfg.Ledger = blaze.AckManual, &l })
		id, other := r.say("alice", "hello"), r.say("alice", "other")
		time.Sleep(time.Hour)
		assert.Empty(t, r.Acked())
		assert.Empty(t, l.all())
		assert.Zero(t, r.Stats().InboxMessages)
		r.Cut()
		time.Sleep(time.Minute)
		assert.Equal(t, 2, handled.len(), "redelivered, not handled again")
		assert.EqualValues(t, 2, r.Stats().Duplicates)

		assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead, id))
		assert.Equal(t, []string{id}, r.Acked())
		assert.Equal(t, []string{id}, l.all())
		assert.Equal(t, []string{other}, r.Pending())
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), MessageID: id})
		time.Sleep(time.Minute)
		assert.Equal(t, 2, handled.len(), "recorded, so it is acknowledged when redelivered")
		assert.Equal(t, []string{other}, r.Pending())

		// The server delivers unacknowledged messages to another process.
		assert.NoError(t, r.stop())
		next := prepareFor(t, r.Server, nil)
		next.start(t.Context(), handled.texts())
		next.idle()
		assert.Equal(t, []string{"hello", "other", "other"}, handled.all())
	})
}

func TestAckManualInsideTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		var handled diary
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			handled.add("%s", m.ID)
			return r.Ack(ctx, blaze.StatusRead, m.ID)
		}, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		ids := r.crowdSays(20)
		r.idle()
		assert.ElementsMatch(t, ids, r.Acked())
		assert.Empty(t, r.written.of(actionAcks), "each is sent at once")
		r.Deliver(userID("user0"), blaze.Outgoing{Payload: blaze.Text("hello"), MessageID: ids[0]})
		r.idle()
		assert.Equal(t, 20, handled.len())
	})
}

func TestAckManualLeavesDroppedMessagesPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		r := run(t, func(context.Context, *blaze.Message) error {
			return errors.Join(blaze.ErrDrop, errAny)
		}, func(cfg *blaze.Config) {
			cfg.Ack, cfg.Ledger = blaze.AckManual, &l
		})
		id := r.say("alice", "hello")
		time.Sleep(time.Minute)
		r.Cut()
		time.Sleep(time.Minute)
		assert.Equal(t, 1, r.failures.len())
		assert.Equal(t, 1, r.drops.len())
		assert.Equal(t, []string{id}, r.Pending())
		assert.Empty(t, l.all())
		assert.EqualValues(t, 1, r.Stats().Duplicates)
	})
}

// Ack accepts the id of every delivered message, whether or not it is a UUID.
func TestAckAcceptsEveryIDThatIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := []string{
			"no uuid", `"quoted" \ <&>`, "\u2028line\n", "\uFFFD", strings.Repeat("ü", 32), "ABC",
			"AAAAAAAA-0000-4000-8000-00000000000A", "x",
		}
		s := newReplyingServer(t)
		var ids []string
		r := s.run(func(_ context.Context, m *blaze.Message) error {
			ids = append(ids, m.ID)
			return nil
		}, func(cfg *blaze.Config) {
			cfg.Ack, cfg.Workers, cfg.AckBatch = blaze.AckManual, 1, 3
		})
		synctest.Wait()
		for _, id := range append(odd, "\xff") {
			v := message("alice", "hello")
			v["message_id"] = id
			s.conn().push(v)
		}
		synctest.Wait()
		require.Len(t, ids, len(odd), "an id that is not UTF-8 arrives as U+FFFD, a duplicate")
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, ids...))
		assert.Equal(t, ids, s.ackedIDs())
		odd[6] = strings.ToLower(odd[6])
		assert.Equal(t, odd, ids)
	})
}

func TestAckAcceptsIDsInAnyCaseAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		id := r.say("alice", "x")
		synctest.Wait()
		for _, no := range []string{"", strings.Repeat("x", 65), "\xff"} {
			requireInvalid(t, r.Ack(t.Context(), blaze.StatusRead, id, no), "messageIDs[1]")
		}
		assert.Empty(t, r.written.of(actionAck))
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, strings.ToUpper(id)))
		assert.Equal(t, []string{id}, r.Acked())
	})
}

// A slow Ledger does not occupy the limited slots for acknowledgement frames.
func TestASlowLedgerDelaysNoOtherAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error {
			return blaze.ErrNotHandled
		}, func(cfg *blaze.Config) {
			cfg.Ack = blaze.AckManual
			cfg.Ledger = ledgerFuncs{
				handled: func(context.Context, string) (bool, error) { return false, nil },
				record: func(_ context.Context, id string) error {
					if id == userID("slow") {
						time.Sleep(time.Minute)
					}
					return nil
				},
			}
		})
		synctest.Wait()
		for range 4 {
			go func() { assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead, userID("slow"))) }()
		}
		synctest.Wait()
		id := r.say("alice", "declined")
		time.Sleep(10 * time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		time.Sleep(time.Minute)
	})
}
