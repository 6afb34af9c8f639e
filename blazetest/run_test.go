package blazetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		s.Errorf = t.Errorf
		t.Cleanup(s.Close)
		alice := blazetest.UserID("alice")
		lives := 0
		bot := func(c *blaze.Client) blaze.Handler {
			lives++
			if lives == 1 {
				return func(context.Context, *blaze.Message) error { return errors.New("not in this life") }
			}
			return echo(c)
		}
		first, stop := blazetest.Run(t, s, bot, nil)
		s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hello")})
		synctest.Wait()
		stop()
		stop()
		require.False(t, first.Stats().Connected)
		require.Len(t, s.Pending(), 1, "it was not acknowledged")
		second, stop := blazetest.Run(t, s, bot, nil)
		require.NotSame(t, first, second)
		out, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("echo: hello"), out.Payload)
		require.NoError(t, s.Idle(t.Context()))
		stop()
		require.False(t, second.Stats().Connected, "the restart has a stop of its own")
	})
}

// Two clients of one session are reported.
func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		blazetest.Run(t, s, echo, nil)
		synctest.Wait()
		require.Empty(t, f.take())
		blazetest.Run(t, s, echo, nil)
		synctest.Wait()
		require.Len(t, f.take(), 1)
	})
}

func TestRunReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := new(fakeTB)
		s := blazetest.NewServer()
		tb.Cleanup(s.Close)
		c, stop := blazetest.Run(tb, s, nil, func(cfg *blaze.Config) { cfg.Workers = -1 })
		require.Nil(t, c)
		stop()
		require.Len(t, tb.take(), 1)
		s.Deliver("alice", blaze.Outgoing{})
		require.Len(t, tb.take(), 1, "Errorf has become that of the test")
		ended := false
		_, _ = blazetest.Run(tb, s, nil, func(cfg *blaze.Config) {
			cfg.Trace = &blaze.Trace{FrameWritten: func([]byte) {}}
			ended = true
		})
		synctest.Wait()
		tb.end()
		require.True(t, ended)
		require.Empty(t, tb.take())
	})
}
