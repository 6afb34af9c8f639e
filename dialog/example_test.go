package dialog_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/dialog"
)

// booking is a form. Its exported fields are saved as JSON.
type booking struct {
	Name   string
	People int
}

// bookingBot asks two questions after /book.
func bookingBot(c *blaze.Client) blaze.Handler {
	bookings := &dialog.Dialog[booking]{
		Client: c,
		Cancel: []string{"/cancel"},
		Steps: []dialog.Step[booking]{{
			Ask: func(booking) blaze.Payload { return blaze.Text("Your name, please.") },
			Take: func(_ context.Context, m *blaze.Message, form *booking) error {
				name, ok := m.Payload.(blaze.Text)
				if !ok {
					return &dialog.Again{Text: "Please write your name."}
				}
				form.Name = string(name)
				return nil
			},
		}, {
			Ask: func(form booking) blaze.Payload { return blaze.Textf("How many people, %s?", form.Name) },
			Take: func(_ context.Context, m *blaze.Message, form *booking) error {
				text, _ := m.Payload.(blaze.Text)
				n, err := strconv.Atoi(string(text))
				if err != nil || n < 1 {
					return &dialog.Again{Text: "A number, please."}
				}
				form.People = n
				return nil
			},
		}},
		Done: func(ctx context.Context, m *blaze.Message, form booking) error {
			return c.Reply(ctx, m, blaze.Textf("A table for %d, %s.", form.People, form.Name))
		},
	}
	return blaze.Route(
		bookings.Handle,
		blaze.Command("/book", func(ctx context.Context, m *blaze.Message, _ string) error {
			return bookings.Start(ctx, m)
		}),
	)
}

// A bot books tables in three messages.
func ExampleDialog() {
	ctx := context.Background()
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- c.Run(running, bookingBot(c)) }()

	alice := s.User("alice")
	for _, text := range []string{"/book", "Alice", "many", "4"} {
		alice.Say(text)
		answer, err := alice.Next(ctx)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(answer.Payload)
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// Your name, please.
	// How many people, Alice?
	// A number, please.
	// A table for 4, Alice.
	// <nil>
}
