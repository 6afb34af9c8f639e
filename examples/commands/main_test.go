package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
	"github.com/mixin-blaze/blaze/examples/internal/show/showtest"
)

func TestBot(t *testing.T) {
	t.Setenv("BOT_ADMINS", blazetest.UserID("bob")+" "+blazetest.UserID("carol"))
	showtest.Run(t, func(*testing.T) show.Demo { return show.Demo{Bot: newBot, Script: script} })
}

// The second process handles /stats again, with another number. The answer is stored once.
func TestStatsAreAnsweredOnce(t *testing.T) {
	bob := blazetest.UserID("bob")
	t.Setenv("BOT_ADMINS", bob)
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		_, stop := blazetest.Run(t, s, newBot, nil)
		s.User("bob").Say("hello")
		require.NoError(t, s.Idle(t.Context()))
		stats := blaze.Outgoing{Payload: blaze.Text("/stats")}
		stats.MessageID = s.Deliver(bob, stats)
		require.NoError(t, s.Idle(t.Context()))
		stop()
		_, _ = blazetest.Run(t, s, newBot, nil)
		s.Deliver(bob, stats)
		require.NoError(t, s.Idle(t.Context()))
		require.Len(t, s.Sent(), 2)
		require.Equal(t, blaze.Text("messages handled: 1"), s.Sent()[1].Payload)
	})
}
