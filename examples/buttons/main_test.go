package main

import (
	"testing"

	"github.com/mixin-blaze/blaze/examples/internal/show"
	"github.com/mixin-blaze/blaze/examples/internal/show/showtest"
)

func TestBot(t *testing.T) {
	showtest.Run(t, func(*testing.T) show.Demo { return show.Demo{Bot: newBot, Script: script} })
}
