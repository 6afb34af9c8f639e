// Dialog is a bot with a form: an order in four questions. Answers are validated, /cancel closes the form, and a form
// without an answer for an hour expires. Forms are kept in files, so they survive a restart of the bot.
//
// Without a keystore a conversation is played in memory. With one, the files are in the directory forms:
//
//	go run ./examples/dialog
//	BLAZE_KEYSTORE=keystore.json go run ./examples/dialog
package main

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/dialog"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot(files{dir: "forms"}), Script: script}.Main() }

// order is the form. Its exported fields are stored as JSON.
type order struct {
	Tea, Address string
	Cups         int
	Confirmed    bool
}

func (o order) String() string { return fmt.Sprintf("%d x %s, to %s", o.Cups, o.Tea, o.Address) }

func newBot(store dialog.Store) func(*blaze.Client) blaze.Handler {
	return func(c *blaze.Client) blaze.Handler {
		orders := &dialog.Dialog[order]{
			Client: c, Store: store, Name: "order", Steps: steps,
			Expiry: time.Hour, Cancel: []string{"/cancel", "cancel"},
			Done: func(ctx context.Context, m *blaze.Message, o order) error {
				if !o.Confirmed {
					return c.Reply(ctx, m, blaze.Text("Nothing was ordered."))
				}
				// A real bot stores the order here, with m.ID as its key, because Done may run again after a crash.
				return c.Reply(ctx, m, blaze.Textf("Thank you. Your order: %s", o))
			},
		}
		return blaze.Route(
			blaze.Mentioned(c, orders.Handle), // declines messages of people without an open form
			blaze.Commands(c, blaze.CommandSpec{
				Name: "/order", Help: "orders tea",
				Do: func(ctx context.Context, m *blaze.Message, _ string) error { return orders.Start(ctx, m) },
			}),
			blaze.Mentioned(c, blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Text) error {
				return c.Reply(ctx, m, blaze.Text("/order orders tea."))
			})),
		)
	}
}

// steps are the questions. Forms that are open have the index of a step, so new steps belong at the end.
var steps = []dialog.Step[order]{{
	Ask: func(order) blaze.Payload {
		return question("Which tea?", "You can cancel at any time.", "Assam", "Ceylon", "Cancel")
	},
	Take: func(_ context.Context, m *blaze.Message, o *order) error {
		switch strings.ToLower(answer(m)) {
		case "assam":
			o.Tea = "Assam"
		case "ceylon":
			o.Tea = "Ceylon"
		default:
			return &dialog.Again{Text: "We have Assam and Ceylon."}
		}
		return nil
	},
}, {
	Ask: func(o order) blaze.Payload { return blaze.Textf("How many cups of %s?", o.Tea) },
	Take: func(_ context.Context, m *blaze.Message, o *order) error {
		n, err := strconv.Atoi(answer(m))
		if err != nil || n < 1 || n > 9 {
			return &dialog.Again{Text: "A number from 1 to 9, please."}
		}
		o.Cups = n
		return nil
	},
}, {
	Ask: func(order) blaze.Payload { return blaze.Text("Where to? You can also send a location.") },
	Take: func(_ context.Context, m *blaze.Message, o *order) error {
		o.Address = answer(m)
		if place, ok := m.Payload.(blaze.Location); ok {
			o.Address = strings.TrimSpace(place.Name + " " + place.Address)
		}
		if o.Address == "" || len(o.Address) > 200 {
			return &dialog.Again{Text: "Please send a short address."}
		}
		return nil
	},
}, {
	Ask: func(o order) blaze.Payload { return question("Is this right?", o.String(), "Yes", "No") },
	Take: func(_ context.Context, m *blaze.Message, o *order) error {
		switch strings.ToLower(answer(m)) {
		case "yes":
			o.Confirmed = true
		case "no":
		default:
			return &dialog.Again{Text: "Please tap Yes or No."}
		}
		return nil
	},
}}

// answer returns the text of an answer, or "" for a picture or another message without a text.
func answer(m *blaze.Message) string {
	text, _ := m.Payload.(blaze.Text)
	return strings.TrimSpace(string(text))
}

// question returns a card, because a message with buttons alone has no text.
func question(title, text string, answers ...string) blaze.Card {
	card := blaze.Card{Title: title, Description: text}
	for _, a := range answers {
		card.Actions = append(card.Actions, blaze.SayButton(a, a))
	}
	return card
}
