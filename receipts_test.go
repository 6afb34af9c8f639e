package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestReceiptsArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []blaze.Receipt
		release := make(chan struct{})
		r := run(t, func(context.Context, *blaze.Message) error {
			<-release
			return nil
		}, func(cfg *blaze.Config) {
			cfg.Workers = 2
			cfg.OnReceipt = func(receipt blaze.Receipt) {
				time.Sleep(time.Second)
				got = append(got, receipt)
			}
		})
		var want []blaze.Receipt
		r.say("alice", "blocks a worker")
		for i := range 5 {
			sent, err := r.Send(t.Context(), r.ToUser(userID(fmt.Sprint("user", i)), blaze.Text("hello")))
			require.NoError(t, err)
			for _, status := range []blaze.Status{blaze.StatusDelivered, blaze.StatusRead} {
				r.Receipt(sent.MessageID, status)
				want = append(want, blaze.Receipt{MessageID: sent.MessageID, Status: status})
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, got, len(want), "a blocked handler does not delay them")
		for i := range got {
			assert.WithinDuration(t, time.Now(), got[i].At, 2*time.Minute)
			got[i].At = time.Time{}
		}
		assert.Equal(t, want, got)
		assert.Empty(t, r.Acked(), "receipts are not acknowledged")
		assert.Zero(t, r.Stats().Handled)
		close(release)
		r.idle()
	})
}

func TestOnReceiptMayFail(t *testing.T) {
	for name, end := range map[string]func(){"panics": func() { panic("boom") }, "exits": runtime.Goexit} {
		bubble(t, name, func(t *testing.T) {
			var got diary
			r := run(t, ok, func(cfg *blaze.Config) {
				cfg.Workers = 1
				cfg.OnReceipt = func(receipt blaze.Receipt) {
					got.add("%s", receipt.Status)
					if got.len() == 1 {
						end()
					}
				}
			})
			sent, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			require.NoError(t, err)
			r.Receipt(sent.MessageID, blaze.StatusDelivered)
			r.Receipt(sent.MessageID, blaze.StatusRead)
			r.say("alice", "hello")
			r.idle()
			assert.Equal(t, []string{"DELIVERED", "READ"}, got.all(), "not retried")
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, "OnReceipt failed"))
			assert.NotContains(t, r.log.lines("OnReceipt failed")[0], "handler", "it is not at fault")
			assert.Zero(t, r.failures.len())
		})
	}
}

func TestReceiptsWithoutOnReceiptAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		sent, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		require.NoError(t, err)
		r.Receipt(sent.MessageID, blaze.StatusRead)
		r.say("alice", "hello")
		r.idle()
		assert.EqualValues(t, 1, r.Stats().Ignored)
		assert.EqualValues(t, 1, r.Stats().Connects)
	})
}

func TestInvalidReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		before, r, _ := surprised(t, func(cfg *blaze.Config) {
			cfg.OnReceipt = func(receipt blaze.Receipt) { got.add("%s", receipt.Status) }
		}, func(c *rawConn) {
			for _, v := range []map[string]any{
				{"status": "READ"},
				{"message_id": string(make([]byte, 65))},
				{"message_id": "x", "status": string(make([]byte, 65))},
				{"message_id": "x", "status": "SEEN", "updated_at": "yesterday"},
			} {
				c.json(frameOf(actionAck, v))
			}
		})
		assert.Empty(t, before)
		assert.Equal(t, []string{"SEEN"}, got.all())
		assert.EqualValues(t, 3, r.Stats().BadFrames)
	})
}

func TestWithoutAHandlerNothingIsRequested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		id := r.say("alice", "hello")
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		require.NoError(t, err)
		r.Cut()
		time.Sleep(time.Minute)
		assert.True(t, r.Stats().Connected)
		assert.EqualValues(t, 2, r.Stats().Connects)
		assert.Empty(t, r.written.of(actionList))
		assert.Empty(t, r.written.of(actionAck))
		assert.Equal(t, []string{id}, r.Pending())
		assert.Len(t, r.Sent(), 1)
	})
}

func TestWithoutAHandlerPushesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(nil, nil)
		synctest.Wait()
		s.conn().push(message("alice", "hello"))
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, r.Stats().Ignored)
		assert.Empty(t, s.ackedIDs())
	})
}

func TestReceiptsBypassAFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got diary
		const capacity = 64 << 10
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(10 * time.Minute)
			}
			return nil
		}, func(cfg *blaze.Config) {
			cfg.InboxBytes = capacity
			cfg.OnReceipt = func(r blaze.Receipt) { got.add("%s", r.Status) }
		})
		sent, err := r.Send(t.Context(), r.ToUser(userID("dave"), blaze.Text("hello")))
		require.NoError(t, err)
		r.say("alice", "slow")
		synctest.Wait()
		r.say("carol", strings.Repeat("x", capacity-100)) // exceeds the capacity that is left
		synctest.Wait()
		require.Equal(t, 1, r.Stats().InboxMessages)
		for range 10 {
			r.Receipt(sent.MessageID, blaze.StatusRead)
		}
		time.Sleep(time.Minute)
		assert.Equal(t, 10, got.len())
		r.idle()
	})
}
