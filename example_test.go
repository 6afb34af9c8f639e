package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// This bot echoes messages. Here it talks to a server in memory. On Mixin the keystore comes from LoadKeystore, and the
// configuration may be nil.
func Example() {
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- c.Run(ctx, blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+t)
		}))
	}()

	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	answer, err := s.Next(ctx)
	fmt.Println(answer.Payload, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// echo: hello <nil>
	// <nil>
}

// This bot handles commands first, then photos, then everything else that a person may write.
func ExampleRoute() {
	h := blaze.Route(
		blaze.Command("/price", func(_ context.Context, _ *blaze.Message, args string) error {
			fmt.Printf("the price of %q\n", args)
			return nil
		}),
		blaze.On(func(_ context.Context, _ *blaze.Message, p blaze.Image) error {
			fmt.Printf("a picture of %d x %d\n", p.Width, p.Height)
			return nil
		}),
		blaze.On(func(_ context.Context, m *blaze.Message, _ blaze.Payload) error {
			if m.Category.System() {
				return blaze.ErrNotHandled
			}
			fmt.Println("something else")
			return nil
		}),
	)
	for _, p := range []blaze.Payload{
		blaze.Text("@7000101488 /PRICE  BTC"),
		blaze.Image{Width: 640, Height: 480},
		blaze.Text("hello"),
	} {
		_ = h(context.Background(), &blaze.Message{Category: p.Category(), Payload: p})
	}
	// Output:
	// the price of "BTC"
	// a picture of 640 x 480
	// something else
}

// This broadcast can be repeated: nobody gets the message twice.
func ExampleClient_SendBatch() {
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx, nil) }() // send-only

	users := []string{blazetest.UserID("alice"), blazetest.UserID("bob"), "nobody"}
	for _, user := range users[:2] { // a bot may write to users who have written to it
		s.Deliver(user, blaze.Outgoing{Payload: blaze.Text("tell me about sales")})
	}
	for range 2 {
		var outs []blaze.Outgoing
		for _, user := range users {
			out := c.ToUser(user, blaze.Text("the sale begins"))
			out.MessageID = blaze.DeriveID(c.AppID(), "sale-2026", user)
			outs = append(outs, out)
		}
		sent, err := c.SendBatch(ctx, outs...)
		var failed *blaze.BatchError
		if errors.As(err, &failed) {
			for i, err := range failed.Errs {
				fmt.Println(i, sent[i] != blaze.Sent{}, err)
			}
		}
	}
	fmt.Println(len(s.Sent()), "stored")
	stop()
	fmt.Println(<-ended)
	// Output:
	// 0 true <nil>
	// 1 true <nil>
	// 2 false blaze: invalid Outgoing.RecipientID: is not a UUID
	// 0 true <nil>
	// 1 true <nil>
	// 2 false blaze: invalid Outgoing.RecipientID: is not a UUID
	// 2 stored
	// <nil>
}

// Logging a Message does not log its content.
func ExampleMessage_LogValue() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	m := &blaze.Message{
		ID: "m1", Category: blaze.CategoryPlainText,
		Payload: blaze.Text("a secret"), Data: []byte("a secret"), Attempt: 1,
	}
	log.Info("got", "message", m)
	fmt.Fprintln(io.Discard, m)
	// Output:
	// level=INFO msg=got message.id=m1 message.category=PLAIN_TEXT message.conversation="" message.user="" message.bytes=8 message.attempt=1
}
