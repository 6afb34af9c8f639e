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

// slowUp takes time for what is written to it.
type slowUp struct {
	net.Conn
	perSecond int
}

func (c slowUp) Write(p []byte) (int, error) {
	time.Sleep(time.Second * time.Duration(len(p)) / time.Duration(c.perSecond))
	return c.Conn.Write(p)
}

// A backlog takes its acknowledgements a while on a slow connection. Who sends meanwhile waits for what is being
// written, and not for all of them.
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
				// What is being written when it comes, and what goes out with it, is 64 KiB each, and a frame.
				assert.LessOrEqual(t, time.Since(began), 2*time.Second*70_000/perSecond)
				if i == 0 {
					assert.Less(t, len(r.Acked()), backlog, "or there was nothing to wait behind")
				}
			}
			r.idle()
			assert.Len(t, r.Acked(), backlog)
		})
	}
}
