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
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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

// id is used for attachments, albums and users. The in-memory server does not look it up.
const id = "d9c1e4a0-6c0e-4b6e-9b53-8f0f5c1a7e21"

// samples returns one payload of each category that a user can send.
func samples() []blaze.Payload {
	file := blaze.Attachment{ID: id, MimeType: "application/pdf", Size: 1024}
	picture := blaze.Attachment{ID: id, MimeType: "image/png", Size: 1024}
	sound := blaze.Attachment{ID: id, MimeType: "audio/ogg", Size: 1024}
	film := blaze.Attachment{ID: id, MimeType: "video/mp4", Size: 1024}
	return []blaze.Payload{
		blaze.Text("hello"),
		blaze.Post("# Hello\n\nthis is *Markdown*"),
		blaze.Image{Attachment: picture, Width: 1024, Height: 768},
		blaze.Data{Attachment: file, Name: "paper.pdf"},
		blaze.Sticker{Name: "hello", AlbumID: id},
		blaze.Contact{UserID: id},
		blaze.ButtonGroup{{Label: "Mixin Website", Color: "#ABABAB", Action: "https://mixin.one"}},
		blaze.Card{
			IconURL: "https://mixin.one/assets/98b586edb270556d1972112bd7985e9e.png", Title: "Mixin",
			Description: "A network for digital assets", Action: "https://mixin.one",
		},
		blaze.Audio{
			Attachment: sound, Duration: 2 * time.Second, Waveform: blaze.Waveform([]int16{0, 1200, -2400, 3600}),
		},
		blaze.Video{Attachment: film, Width: 640, Height: 360, Duration: 3 * time.Second},
		blaze.Live{Width: 650, Height: 366, ThumbURL: "https://mixin.one/logo.png", URL: "https://mixin.one/live.m3u8"},
		blaze.Location{
			Longitude: 126.5893955829421, Latitude: 53.47845177824066, Name: "China", Address: "中国北京市",
		},
	}
}

// demo sends one message of each category from a virtual user to the bot.
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

	fmt.Fprintln(w, "An echo bot and an in-memory server. alice writes, the bot replies:")
	alice := blazetest.UserID("alice")
	sent := make(map[string]blaze.Category)
	for _, p := range samples() {
		messageID := s.Deliver(alice, blaze.Outgoing{Payload: p})
		sent[messageID] = p.Category()
		reply, err := s.Next(ctx)
		if err != nil {
			return fmt.Errorf("no reply to %s: %w", p.Category(), err)
		}
		fmt.Fprintf(w, "\n%s\n  alice  %s\n  bot    %s\n", p.Category(), show(p), show(reply.Payload))
		fmt.Fprintf(w, "  server received message %s in reply to %s\n", reply.MessageID, messageID)
	}
	if err := s.Idle(ctx); err != nil {
		return fmt.Errorf("some messages were not acknowledged: %w", err)
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	acked := s.Acked()
	fmt.Fprintf(w, "\n%d messages delivered and acknowledged, %d pending, %d received.\n",
		len(acked), len(s.Pending()), len(s.Sent()))
	for i, id := range acked {
		fmt.Fprintf(w, "  acknowledged %2d  %s  %s\n", i+1, id, sent[id])
	}
	if len(acked) != len(samples()) || len(s.Sent()) != len(samples()) {
		return errors.New("the numbers of messages do not match")
	}
	return nil
}

// show returns the wire form of a payload on one line, shortened to 140 characters.
func show(p blaze.Payload) string {
	data, err := blaze.EncodePayload(p)
	if err != nil {
		return err.Error()
	}
	const most = 140
	line := []rune(strings.ReplaceAll(string(data), "\n", `\n`))
	if len(line) > most {
		return string(line[:most]) + "..."
	}
	return string(line)
}
