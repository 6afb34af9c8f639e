// Echo is a bot that says back what it is told, in every category.
//
// Without arguments it talks to a virtual user over a server in memory, prints the conversation, and ends. With a
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
	keystore := flag.String("keystore", "", "the bot's keystore `file`; without one, a demonstration in memory")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "echo takes no arguments; a keystore is given with -keystore FILE")
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

// bot answers texts with an echo in front, everything else with itself, and leaves notices of the system alone.
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

// Of an attachment, an album, a user: the server in memory asks no further.
const id = "d9c1e4a0-6c0e-4b6e-9b53-8f0f5c1a7e21"

// samples holds a payload of each category a user can send.
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

// demo lets a virtual user send one message of each category to the bot.
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

	fmt.Fprintln(w, "An echo bot and a server in memory. alice writes, the bot answers:")
	alice := blazetest.UserID("alice")
	said := make(map[string]blaze.Category)
	for _, p := range samples() {
		messageID := s.Deliver(alice, blaze.Outgoing{Payload: p})
		said[messageID] = p.Category()
		answer, err := s.Next(ctx)
		if err != nil {
			return fmt.Errorf("no answer to %s: %w", p.Category(), err)
		}
		fmt.Fprintf(w, "\n%s\n  alice  %s\n  bot    %s\n", p.Category(), show(p), show(answer.Payload))
		fmt.Fprintf(w, "  server received message %s in answer to %s\n", answer.MessageID, messageID)
	}
	if err := s.Idle(ctx); err != nil {
		return fmt.Errorf("not everything was acknowledged: %w", err)
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	acked := s.Acked()
	fmt.Fprintf(w, "\nThe server's view: %d messages delivered and acknowledged, %d pending, %d received.\n",
		len(acked), len(s.Pending()), len(s.Sent()))
	for i, id := range acked {
		fmt.Fprintf(w, "  acknowledged %2d  %s  %s\n", i+1, id, said[id])
	}
	if len(acked) != len(samples()) || len(s.Sent()) != len(samples()) {
		return errors.New("the numbers do not match")
	}
	return nil
}

// show returns a payload as the wire has it, on one line and not too long.
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
