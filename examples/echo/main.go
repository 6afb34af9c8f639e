// Echo is a bot that sends every message back, in its own category.
//
// Without a keystore a conversation is played in memory:
//
//	go run ./examples/echo
//	BLAZE_KEYSTORE=keystore.json go run ./examples/echo
package main

import (
	"context"
	_ "embed"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot, Script: script}.Main() }

// newBot returns a handler that answers a text with "echo: " and the text, and any other payload with the same payload.
// It does not handle system messages.
func newBot(c *blaze.Client) blaze.Handler {
	return blaze.Route(
		blaze.Command("/help", func(ctx context.Context, m *blaze.Message, _ string) error {
			return c.Reply(ctx, m, blaze.Post("**echo**: send me anything, and I send it back"))
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+t)
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.Payload) error {
			if m.Category.System() {
				return blaze.ErrNotHandled
			}
			if _, unknown := p.(blaze.Raw); unknown {
				return c.Reply(ctx, m, blaze.Textf("I cannot read %s messages", m.Category))
			}
			return c.Reply(ctx, m, p)
		}),
	)
}
