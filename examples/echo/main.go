// Echo is a bot that sends every message back, in its own category.
//
// Without arguments it runs against an in-memory server with a virtual user, prints the conversation, and exits. With a
// keystore it is a bot on Mixin Messenger until it is interrupted:
//
//	go run ./examples/echo
//	go run ./examples/echo -keystore keystore.json
package main

import (
	"context"
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
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "echo: unexpected arguments; set the keystore with -keystore FILE")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *keystore != "" {
		err = serve(ctx, *keystore)
	} else {
		err = demo(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// bot returns a handler that answers a text with "echo: " and the text, and any other payload with the same payload. It
// does not handle system messages.
func bot(c *blaze.Client) blaze.Handler {
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

// serve runs the bot on Mixin Messenger.
func serve(ctx context.Context, file string) error {
	key, err := blaze.LoadKeystore(file)
	if err != nil {
		return err
	}
	c, err := blaze.New(key, nil)
	if err != nil {
		return err
	}
	return c.Run(ctx, bot(c))
}

// demo lets a virtual user talk to the bot.
func demo(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running, bot(c)) }()

	alice := s.User("alice")
	for _, text := range []string{"hello", "/help"} {
		fmt.Fprintln(w, "alice:", text)
		alice.Say(text)
		reply, err := alice.Next(ctx)
		if err != nil {
			return fmt.Errorf("no reply to %q: %w", text, err)
		}
		fmt.Fprintln(w, "bot:  ", reply.Payload)
	}
	stop()
	return <-ended
}
