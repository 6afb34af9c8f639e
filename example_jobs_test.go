package blaze_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// A slow handler does not hold up the conversation, and /stop ends it.
func ExampleJobs() {
	var tb exampleTB
	defer tb.end()
	s, _ := blazetest.Start(&tb, func(c *blaze.Client) blaze.Handler {
		jobs := &blaze.Jobs{Workers: 8}
		return blaze.Route(
			blaze.Command("/stop", func(ctx context.Context, m *blaze.Message, _ string) error {
				jobs.Cancel(m)
				return c.Reply(ctx, m, blaze.Text("Stopped."))
			}),
			jobs.Background(func(ctx context.Context, m *blaze.Message) error {
				if err := c.Reply(ctx, m, blaze.Text("let me think")); err != nil {
					return err
				}
				<-ctx.Done() // it thinks for ever
				return context.Cause(ctx)
			}),
		)
	}, nil)
	alice := s.User("alice")
	for _, text := range []string{"what is the answer?", "/stop"} {
		alice.Say(text)
		answer, err := alice.Next(context.Background())
		fmt.Println(answer.Payload, err)
	}
	// Output:
	// let me think <nil>
	// Stopped. <nil>
}

// A message is answered when somebody else has decided. Until then it is not acknowledged, so that it is not lost.
func ExampleMessage_Detach() {
	var tb exampleTB
	defer tb.end()
	boss := blazetest.UserID("boss")
	s, _ := blazetest.Start(&tb, func(c *blaze.Client) blaze.Handler {
		var open sync.Map // from the id of a question to the function that answers it
		return func(ctx context.Context, m *blaze.Message) error {
			if m.UserID != boss {
				settle := m.Detach()
				open.Store(m.ID, func(answer blaze.Payload) { settle(c.Reply(ctx, m, answer)) })
				return c.Reply(ctx, m, blaze.Text("I will ask."))
			}
			open.Range(func(id, decide any) bool {
				open.Delete(id)
				decide.(func(blaze.Payload))(m.Payload)
				return true
			})
			return nil
		}
	}, nil)
	alice := s.User("alice")
	alice.Say("may I go home?")
	answer, err := alice.Next(context.Background())
	fmt.Println(answer.Payload, err)
	s.User("boss").Say("you may")
	answer, err = alice.Next(context.Background())
	fmt.Println(answer.Payload, err)
	// Output:
	// I will ask. <nil>
	// you may <nil>
}
