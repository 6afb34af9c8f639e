package blaze_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// slowUp limits the rate of writes.
type slowUp struct {
	net.Conn
	perSecond int
}

func (c slowUp) Write(p []byte) (int, error) {
	time.Sleep(time.Second * time.Duration(len(p)) / time.Duration(c.perSecond))
	return c.Conn.Write(p)
}

// On a slow connection the acknowledgements of a backlog take a while. A send meanwhile waits only for the bytes that
// are being written, not for all acknowledgements.
func TestASendDoesNotWaitBehindAcknowledgements(t *testing.T) {
	for _, batch := range []int{1, 80} {
		bubble(t, fmt.Sprint("AckBatch=", batch), func(t *testing.T) {
			const backlog, perSecond = 5000, 20_000
			r := prepare(t, func(cfg *blaze.Config) {
				cfg.AckBatch = batch
				dial := cfg.DialContext
				cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dial(ctx, network, addr)
					return slowUp{c, perSecond}, err
				}
			})
			for i := range backlog {
				r.say(fmt.Sprint("user ", i%100), "backlog")
			}
			r.start(t.Context(), func(context.Context, *blaze.Message) error { return nil })
			time.Sleep(time.Second)
			for i := range 3 {
				began := time.Now()
				_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("now")))
				require.NoError(t, err)
				// The send waits for the current write and for its own, with 64 KiB and a frame each.
				assert.LessOrEqual(t, time.Since(began), 2*time.Second*70_000/perSecond)
				if i == 0 {
					assert.Less(t, len(r.Acked()), backlog, "otherwise the test shows nothing")
				}
			}
			r.idle()
			assert.Len(t, r.Acked(), backlog)
		})
	}
}
