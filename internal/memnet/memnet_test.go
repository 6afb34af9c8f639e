package memnet_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/memnet"
)

func TestDialReachesAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		defer func() { _ = ln.Close() }()
		go func() {
			c, err := ln.Accept()
			if assert.NoError(t, err) {
				_, _ = io.WriteString(c, "welcome")
				_ = c.Close()
			}
		}()
		c, err := ln.Dial(t.Context(), "tcp", "anywhere:1")
		require.NoError(t, err)
		text, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Equal(t, "welcome", string(text))
		assert.Equal(t, "localhost", ln.Addr().String())
	})
}

func TestDialEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := ln.Dial(ctx, "tcp", "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		assert.Equal(t, "dial", op.Op)

		failed := make(chan error)
		go func() {
			_, err := ln.Dial(context.Background(), "tcp", "")
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, ln.Close())
		require.ErrorIs(t, <-failed, net.ErrClosed)
		require.NoError(t, ln.Close(), "a second time")
		_, err = ln.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// Two writers and no reader: if the second one waited for a mutex, the clock would stop and the deadline never pass.
func TestTimePassesWhileWritersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, _ := memnet.Pipe()
		require.NoError(t, ours.SetWriteDeadline(time.Now().Add(time.Hour)))
		failed := make(chan error)
		for range 2 {
			go func() {
				_, err := ours.Write([]byte("x"))
				failed <- err
			}()
		}
		for range 2 {
			var timeout net.Error
			require.ErrorAs(t, <-failed, &timeout)
			assert.True(t, timeout.Timeout())
		}
	})
}
