package blazetest_test

import (
	"context"
	"fmt"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// pollBot asks a question after /poll, and confirms the answer.
func pollBot(c *blaze.Client) blaze.Handler {
	return blaze.Route(
		blaze.Command("poll", func(ctx context.Context, m *blaze.Message, _ string) error {
			return c.Reply(ctx, m, blaze.ButtonGroup{
				{Label: "Tea", Color: "#2E7D32", Action: "input:tea"},
				{Label: "Coffee", Color: "#5D4037", Action: "input:coffee"},
			})
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, drink blaze.Text) error {
			return c.Reply(ctx, m, blaze.Textf("One %s for you.", drink))
		}),
	)
}

// A person writes, taps a button that the bot sent, and reads the answer.
func ExampleServer_User() {
	ctx := context.Background()
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, _ := blazetest.Start(t, pollBot, nil)

	alice := s.User("alice")
	alice.Say("/poll")
	question, err := alice.Next(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	alice.Tap(question, "Tea")
	answer, err := alice.Next(ctx)
	fmt.Println(answer.Payload, err)
	// Output:
	// One tea for you. <nil>
}

// Two people are in a group with the bot. Each of them receives all of the bot's messages there.
func ExampleServer_Group() {
	ctx := context.Background()
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, _ := blazetest.Start(t, pollBot, nil)

	alice, bob := s.User("alice"), s.User("bob")
	staff := s.Group("staff", alice, bob)
	staff.As(bob).Say("water")
	for _, member := range []*blazetest.User{alice, bob} {
		heard, err := staff.As(member).Next(ctx)
		fmt.Println(member.Name(), "hears:", heard.Payload, err)
	}
	// Output:
	// alice hears: One water for you. <nil>
	// bob hears: One water for you. <nil>
}

// A payment arrives as a message. A real bot must verify it over HTTP.
func ExampleServer_Transfer() {
	ctx := context.Background()
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
		return blaze.On(func(ctx context.Context, m *blaze.Message, paid blaze.SafeSnapshot) error {
			_, err := c.Send(ctx, c.ToUser(paid.OpponentID, blaze.Textf("Got %s for %s.", paid.Amount, paid.Memo)))
			return err
		})
	}, nil)

	alice := s.User("alice")
	s.Transfer(alice.ID(), "0.5", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "two coffees")
	answer, err := alice.Next(ctx)
	fmt.Println(answer.Payload, err)
	// Output:
	// Got 0.5 for two coffees. <nil>
}
