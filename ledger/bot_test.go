package ledger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/ledger"
)

// The service rejects all acknowledgements, so it redelivers all messages to the restarted bot.
func TestARestartedBotHandlesNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		handled := make(map[string]int)
		count := func(*blaze.Client) blaze.Handler {
			return blaze.On(func(_ context.Context, m *blaze.Message, _ blaze.Text) error {
				handled[m.ID]++
				return nil
			})
		}
		path := newPath(t)
		for _, action := range []string{"ACKNOWLEDGE_MESSAGE_RECEIPTS", "ACKNOWLEDGE_MESSAGE_RECEIPT"} {
			testkit.Always(s, action, testkit.Answer(blazetest.Refuse(blaze.CodeForbidden)))
		}
		var ids []string
		for process := range 3 {
			f, err := ledger.OpenFile(path, 0)
			require.NoError(t, err)
			_, stop := blazetest.Run(t, s, count, func(cfg *blaze.Config) { cfg.Ledger = f })
			for range 20 {
				ids = append(ids, s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")}))
			}
			time.Sleep(time.Second)
			stop()
			require.NoError(t, f.Close())
			assert.Len(t, s.Pending(), 20*(process+1))
		}
		for _, id := range ids {
			assert.Equal(t, 1, handled[id])
		}
		assert.Len(t, handled, 60)
	})
}
