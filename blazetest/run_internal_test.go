package blazetest

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestRestartBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		t.Cleanup(s.Close)
		require.Error(t, s.restartBot())
		var clients []*blaze.Client
		_, stop := Run(t, s, func(c *blaze.Client) blaze.Handler {
			clients = append(clients, c)
			return nil
		}, nil)
		synctest.Wait()
		require.NoError(t, s.restartBot())
		synctest.Wait()
		require.Len(t, clients, 2)
		require.False(t, clients[0].Stats().Connected)
		require.True(t, clients[1].Stats().Connected)
		stop()
		require.False(t, clients[1].Stats().Connected, "stop ends the present life")
	})
}
