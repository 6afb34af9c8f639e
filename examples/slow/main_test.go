package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
	"github.com/mixin-blaze/blaze/examples/internal/show/showtest"
)

func TestBot(t *testing.T) {
	showtest.Run(t, func(*testing.T) show.Demo { return show.Demo{Bot: newBot, Config: config, Script: script} })
}

// A process that is killed in the middle of an answer leaves the question to the next one. No paragraph appears twice.
func TestAnAnswerIsFinishedByTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		kill := showtest.Kill(t, s, newBot)
		alice := s.User("alice")
		alice.Say("one?")
		_, err := alice.Next(t.Context())
		require.NoError(t, err)
		kill()
		_, _ = blazetest.Run(t, s, newBot, nil)
		require.NoError(t, s.Idle(t.Context()))
		assert.Len(t, s.Sent(), 3)
	})
}
