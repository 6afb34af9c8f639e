// Encrypted sends an end-to-end encrypted text.
//
// Without arguments it sends the text to a virtual user of an in-memory server, and prints the request and the message
// received. With a keystore it writes to a user of Mixin Messenger:
//
//	go run ./examples/encrypted
//	go run ./examples/encrypted -keystore keystore.json -to USER_ID -text "between us"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func main() { os.Exit(run()) }

func run() (status int) {
	keystore := flag.String("keystore", "", "the bot's keystore `file`; without it, a demo in memory")
	to := flag.String("to", "", "the id of the `user` to write to, with -keystore")
	text := flag.String("text", "between us", "what to write")
	flag.Parse()
	if flag.NArg() > 0 || (*keystore == "") != (*to == "") {
		fmt.Fprintln(os.Stderr, "encrypted: set both -keystore FILE and -to USER, or neither")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	if *keystore != "" {
		err = write(ctx, *keystore, *to, blaze.Text(*text))
	} else {
		err = demo(ctx, os.Stdout, blaze.Text(*text))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// write sends one encrypted message on Mixin Messenger. That needs no websocket, so it does not call Run.
func write(ctx context.Context, file, user string, text blaze.Text) error {
	key, err := blaze.LoadKeystore(file)
	if err != nil {
		return err
	}
	c, err := blaze.New(key, nil)
	if err != nil {
		return err
	}
	return send(ctx, c, user, text)
}

// send opens the conversation, in case the user has never written to the bot, and sends the text.
func send(ctx context.Context, c *blaze.Client, user string, text blaze.Text) error {
	if _, err := c.OpenConversation(ctx, user); err != nil {
		return err
	}
	out := c.ToUser(user, text)
	out.Encrypted = true
	_, err := c.Send(ctx, out)
	return err
}

// demo sends a text from the bot to alice, and a reply from alice to the bot.
func demo(ctx context.Context, w io.Writer, text blaze.Text) error {
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		return err
	}
	s.Intercept("POST /encrypted_messages", func(req blazetest.Frame) blazetest.Answer {
		fmt.Fprintf(w, "request         %.150s...\n", req.Params)
		return blazetest.Answer{}
	})
	alice := blazetest.UserID("alice")
	if err := send(ctx, c, alice, text); err != nil {
		return err
	}
	got, err := s.Next(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "alice reads     %q, encrypted: %v\n", got.Payload, got.Encrypted)
	return answer(ctx, w, s, c, alice)
}

// answer runs the bot until it has handled a message from alice.
func answer(ctx context.Context, w io.Writer, s *blazetest.Server, c *blaze.Client, alice string) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	handled := false
	s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("I heard you"), Encrypted: true})
	err := c.Run(running, blaze.On(func(_ context.Context, m *blaze.Message, text blaze.Text) error {
		fmt.Fprintf(w, "the bot reads   %q, category %s\n", text, m.Category)
		handled = true
		stop()
		return nil
	}))
	if err == nil && !handled {
		return errors.New("the reply of alice was not handled")
	}
	return err
}
