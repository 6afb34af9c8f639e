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
	showtest.Run(t, func(*testing.T) show.Demo { return show.Demo{Bot: newBot, Talk: talk} })
}

func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, newBot, nil)
		alice, bob := s.User("alice"), s.User("bob")
		group := s.Group("tea", alice)
		for _, change := range []func(){
			func() {}, group.RemoveBot, group.AddBot, func() { group.Add(bob) }, func() { group.Remove(bob) },
		} {
			change()
			require.NoError(t, s.Idle(t.Context()))
		}
		sent := s.Sent()
		require.Len(t, sent, 2, "the bot introduces itself once and says nothing about who leaves")
		require.Equal(t, blaze.Textf("Welcome, @%s!", bob.IdentityNumber()), sent[1].Payload)
		require.Equal(t, []string{bob.ID()}, sent[1].Mentions)
	})
}
