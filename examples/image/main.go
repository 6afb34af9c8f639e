// Image sends a picture and shows the progress of its upload. It is a separate module because of its dependency, the
// progress bar.
//
// Without arguments it draws a picture and sends it to a virtual user of an in-memory server. With a keystore it sends
// a file to a user of Mixin Messenger:
//
//	cd examples/image
//	go run .
//	go run . -keystore keystore.json -to USER_ID picture.jpg
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func main() { os.Exit(run()) }

func run() (status int) {
	keystore := flag.String("keystore", "", "the bot's keystore `file`; without it, a demo in memory")
	to := flag.String("to", "", "the id of the `user` to write to, with -keystore")
	flag.Parse()
	if (*keystore == "") != (*to == "") || (*keystore == "") != (flag.NArg() == 0) || flag.NArg() > 1 {
		fmt.Fprintln(os.Stderr, "image: set -keystore FILE, -to USER and the file of a picture, or none of them")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *keystore != "" {
		err = write(ctx, *keystore, *to, flag.Arg(0))
	} else {
		err = demo(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// write sends a file on Mixin Messenger.
func write(ctx context.Context, keystore, user, file string) error {
	key, err := blaze.LoadKeystore(keystore)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := blaze.New(key, &blaze.Config{HTTPClient: withBar(http.DefaultTransport, os.Stderr)})
	if err != nil {
		return err
	}
	return send(ctx, c, user, f)
}

// send uploads a picture and sends it while the client runs. The user need not have written to the bot before.
func send(ctx context.Context, c *blaze.Client, user string, picture io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running, nil) }() // a nil handler: the client is send-only
	_, err := c.OpenConversation(ctx, user)
	var out blaze.Image
	if err == nil {
		out, err = c.UploadImage(ctx, picture)
	}
	if err == nil {
		_, err = c.Send(ctx, c.ToUser(user, out))
	}
	stop()
	return errors.Join(err, <-ended)
}

// withBar returns an HTTP client that shows the progress of uploads.
func withBar(base http.RoundTripper, w io.Writer) *http.Client {
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodPut {
			return base.RoundTrip(req)
		}
		bar := progressbar.NewOptions64(req.ContentLength,
			progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription("uploading"), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
		shown := req.Clone(req.Context())
		reader := progressbar.NewReader(req.Body, bar)
		shown.Body = &reader
		return base.RoundTrip(shown)
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// demo sends a picture to alice.
func demo(ctx context.Context, w, bar io.Writer) error {
	s := blazetest.NewServer()
	defer s.Close()
	cfg := s.Config
	cfg.HTTPClient = withBar(&http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}, bar)
	c, err := blaze.New(s.Key, &cfg)
	if err != nil {
		return err
	}
	picture, err := draw()
	if err != nil {
		return err
	}
	if err := send(ctx, c, blazetest.UserID("alice"), bytes.NewReader(picture)); err != nil {
		return err
	}
	sent := s.Sent()
	if len(sent) != 1 {
		return fmt.Errorf("%d messages arrived", len(sent))
	}
	got, ok := sent[0].Payload.(blaze.Image)
	if !ok {
		return fmt.Errorf("alice got %s", sent[0].Payload.Category())
	}
	fmt.Fprintf(w, "alice got a picture: %s of %d by %d pixels, %d bytes, with a thumbnail of %d characters\n",
		got.MimeType, got.Width, got.Height, got.Size, len(got.Thumbnail))
	return nil
}
