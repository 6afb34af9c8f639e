package main

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze"
)

// newBot returns the handler of all messages. If it returns an error, the error is logged and the message is handled
// again, for about two minutes. A message that was not finished when the bot stopped is handled again after the next
// start; the same reply to it is stored once.
func newBot(c *blaze.Client) blaze.Handler {
	limit := blaze.RateLimit(20, time.Minute, nil) // of each user; further messages are not answered
	sorry := blaze.Apologize(c, "Sorry, that did not work. Please try again later.")
	return sorry(limit(blaze.Route(
		blaze.Commands(c,
			blaze.CommandSpec{
				Name: "/menu", Help: "what there is",
				Do: func(ctx context.Context, m *blaze.Message, _ string) error {
					return c.Reply(ctx, m, blaze.ButtonGroup{
						blaze.SayButton("Tea", "/order tea"), blaze.SayButton("Coffee", "/order coffee"),
					})
				},
			},
			blaze.CommandSpec{
				Name: "/order", Help: "DRINK: orders a drink",
				Do: func(ctx context.Context, m *blaze.Message, drink string) error {
					if drink == "" {
						return c.Reply(ctx, m, blaze.Text("What would you like? /menu shows what there is."))
					}
					return c.Reply(ctx, m, blaze.Textf("One %s is on its way.", drink))
				},
			},
		),
		// Everything else: texts, pictures and so on. In a group, only messages that mention the bot.
		blaze.Mentioned(c, blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Payload) error {
			if m.Category.System() {
				return blaze.ErrNotHandled // for example, a member has left the group
			}
			return c.Reply(ctx, m, blaze.Text("I take orders. /help lists what you can write."))
		})),
	)))
}
