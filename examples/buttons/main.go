// Buttons is a bot with a menu of several pages. A tap on a button makes the user say a command, so the bot keeps no
// state: buttons of old messages work too, also after a restart. The last button opens a web page.
//
// Without a keystore a conversation is played in memory:
//
//	go run ./examples/buttons
//	BLAZE_KEYSTORE=keystore.json go run ./examples/buttons
//
// Mixin Messenger opens links only of hosts in the app's Resource Patterns.
package main

import (
	"context"
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot, Script: script}.Main() }

const perPage = 3

var drinks = []string{"Assam", "Ceylon", "Darjeeling", "Espresso", "Flat white", "Ginger ale", "Hot chocolate"}

func newBot(c *blaze.Client) blaze.Handler {
	return blaze.Commands(c,
		blaze.CommandSpec{
			Name: "/menu", Help: "the drinks",
			Do: func(ctx context.Context, m *blaze.Message, args string) error {
				page, _ := strconv.Atoi(args) // /menu alone is the first page
				return c.Reply(ctx, m, menu(page))
			},
		},
		blaze.CommandSpec{
			Name: "/order", Help: "DRINK: orders a drink",
			Do: func(ctx context.Context, m *blaze.Message, args string) error {
				i := slices.IndexFunc(drinks, func(drink string) bool { return strings.EqualFold(drink, args) })
				if i < 0 { // typed, or a button of an older menu
					return c.Reply(ctx, m, blaze.Text("That is not on the menu. /menu shows the drinks."))
				}
				return c.Quote(ctx, m, blaze.Textf("One %s is on its way.", drinks[i]))
			},
		},
	)
}

// menu returns the buttons of a page. Pages are counted from 0. It returns the nearest page for a number out of range.
func menu(page int) blaze.ButtonGroup {
	last := (len(drinks) - 1) / perPage
	page = min(max(page, 0), last)
	var buttons blaze.ButtonGroup
	for _, drink := range drinks[page*perPage : min((page+1)*perPage, len(drinks))] {
		buttons = append(buttons, blaze.SayButton(drink, "/order "+drink))
	}
	if page > 0 {
		buttons = append(buttons, blaze.SayButton("< Back", "/menu "+strconv.Itoa(page-1)))
	}
	if page < last {
		buttons = append(buttons, blaze.SayButton("More >", "/menu "+strconv.Itoa(page+1)))
	}
	return append(buttons, blaze.LinkButton("Our tea house", "https://example.com/tea"))
}
