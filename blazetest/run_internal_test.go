package blazetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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

// A bot that ends slowly is stopped and restarted concurrently.
func TestStopDuringARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		t.Cleanup(s.Close)
		began := make(chan struct{}, 2)
		_, stop := Run(t, s, func(*blaze.Client) blaze.Handler {
			return func(context.Context, *blaze.Message) error {
				began <- struct{}{}
				<-time.After(3 * time.Second)
				return nil
			}
		}, nil)
		s.User("alice").Say("hello")
		<-began
		restarted := make(chan error, 1)
		go func() { restarted <- s.restartBot() }()
		synctest.Wait()
		stop()
		require.NoError(t, <-restarted)
		require.Error(t, s.restartBot(), "it was stopped")
	})
}
