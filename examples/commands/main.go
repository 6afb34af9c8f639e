// Commands is a bot with several commands: with an alias, with arguments, and one for administrators. /help and the
// answer to unknown commands are made from the list.
//
// Without a keystore a conversation is played in memory. With one, BOT_ADMINS has the ids of the administrators; /id
// shows them their ids:
//
//	go run ./examples/commands
//	BLAZE_KEYSTORE=keystore.json BOT_ADMINS="ID ID" go run ./examples/commands
package main

import (
	"context"
	_ "embed"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot, Script: script}.Main() }

// prices are in USD.
var prices = map[string]float64{"BTC": 64000, "ETH": 3400, "XIN": 120.5}

func newBot(c *blaze.Client) blaze.Handler {
	admins := strings.Fields(os.Getenv("BOT_ADMINS"))
	return blaze.Route(
		blaze.Commands(c,
			blaze.CommandSpec{
				Name: "/price", Aliases: []string{"/p"}, Help: "SYMBOL: the price of a coin, also /p",
				Do: func(ctx context.Context, m *blaze.Message, args string) error {
					return c.Reply(ctx, m, value("1 "+args))
				},
			},
			blaze.CommandSpec{
				Name: "/value", Help: "AMOUNT SYMBOL: the value of an amount",
				Do: func(ctx context.Context, m *blaze.Message, args string) error {
					return c.Reply(ctx, m, value(args))
				},
			},
			blaze.CommandSpec{
				Name: "/id", Help: "your id",
				Do: func(ctx context.Context, m *blaze.Message, _ string) error {
					return c.Reply(ctx, m, blaze.Text(m.UserID))
				},
			},
			blaze.CommandSpec{
				Name: "/stats", // no Help: /help does not list it
				Do: func(ctx context.Context, m *blaze.Message, _ string) error {
					if !slices.Contains(admins, m.UserID) {
						return c.Reply(ctx, m, blaze.Text("This command is for administrators."))
					}
					out := m.NewReply(blaze.Textf("messages handled: %d", c.Stats().Handled))
					// If m is delivered again, the number may differ. With the same id the answer is stored once.
					out.MessageID = blaze.DeriveID(c.AppID(), "stats", m.ID)
					_, err := c.Send(ctx, out)
					return err
				},
			},
		),
		// In a group, a text without a mention of the bot is not for the bot.
		blaze.Mentioned(c, blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Text) error {
			return c.Reply(ctx, m, blaze.Text("I answer commands only. /help lists them."))
		})),
	)
}

// value answers "AMOUNT SYMBOL".
func value(args string) blaze.Text {
	words := strings.Fields(args)
	if len(words) != 2 {
		return "Please write it like /price BTC or /value 0.5 BTC."
	}
	amount, err := strconv.ParseFloat(words[0], 64)
	if err != nil || !(amount > 0 && amount < 1e9) { // NaN too
		return "The amount must be a number such as 0.5."
	}
	symbol := strings.ToUpper(words[1])
	price, known := prices[symbol]
	if !known {
		return "I know the prices of BTC, ETH and XIN."
	}
	return blaze.Textf("%s %s = %.2f USD", words[0], symbol, amount*price)
}
