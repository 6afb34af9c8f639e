// Broadcast sends a text to many people, with a progress bar. It may be interrupted: the next run goes on where the
// last one ended, and nobody gets the text twice. Who did not get it is listed at the end, with the reason. It is a
// separate module because of its dependency, the progress bar.
//
// Without arguments it writes to 20,000 virtual people in memory, interrupts itself, and resumes. With a keystore it
// writes to the people in a file, which has a user id in each line. All of them must have written to the bot before.
// The name is part of the ids of the messages: a new name is a new broadcast.
//
//	cd examples/broadcast
//	go run .
//	BLAZE_KEYSTORE=keystore.json go run . -name sale-2026 -users users.txt -text "Our sale begins."
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/schollz/progressbar/v3"

	"github.com/mixin-blaze/blaze"
)

func main() { os.Exit(run()) }

func run() (status int) {
	name := flag.String("name", "", "the `name` of the broadcast, such as sale-2026; its progress is in NAME.jsonl")
	users := flag.String("users", "", "the `file` with the ids of the people, one in each line")
	text := flag.String("text", "", "the `text`")
	flag.Parse()
	keystore := os.Getenv("BLAZE_KEYSTORE") != ""
	if flag.NArg() > 0 || keystore != (*name != "" && *users != "" && *text != "") {
		fmt.Fprintln(os.Stderr, "broadcast: set BLAZE_KEYSTORE, -name, -users and -text, or none of them")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if keystore {
		err = write(ctx, *name, *users, blaze.Text(*text))
	} else {
		err = demo(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "broadcast:", err)
		return 1
	}
	return 0
}

// write broadcasts on Mixin Messenger. Failed messages are an error.
func write(ctx context.Context, name, users string, text blaze.Text) error {
	key, err := blaze.KeystoreFromEnv()
	if err != nil {
		return err
	}
	c, err := blaze.New(key, nil)
	if err != nil {
		return err
	}
	list, err := os.ReadFile(users) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return err
	}
	ids := strings.Fields(string(list))
	slices.Sort(ids)
	b := &broadcast{
		Client: c, Name: name, Users: slices.Compact(ids), Payload: text, File: name + ".jsonl",
	}
	failed, err := send(ctx, c, b, os.Stderr)
	for _, user := range slices.Sorted(maps.Keys(failed)) {
		fmt.Printf("%s: %s\n", user, failed[user])
	}
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("%d of %d people did not get it", len(failed), len(b.Users))
	}
	return err
}

// send runs the client and the broadcast, with a bar.
func send(ctx context.Context, c *blaze.Client, b *broadcast, bar io.Writer) (failed map[string]string, err error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // an interruption leaves time for the last chunk
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running, nil) }() // a nil handler: the client is send-only
	shown := progressbar.NewOptions(len(b.Users), progressbar.OptionSetWriter(bar), progressbar.OptionShowCount(),
		progressbar.OptionSetDescription("sending"), progressbar.OptionOnCompletion(func() { fmt.Fprintln(bar) }))
	then := b.Progress
	b.Progress = func(n int) {
		_ = shown.Set(n)
		if then != nil {
			then(n)
		}
	}
	failed, err = b.Run(ctx)
	if errors.Is(err, context.Canceled) {
		_ = shown.Exit()
		err = fmt.Errorf("interrupted; run it again to go on: %w", err)
	}
	stop()
	return failed, errors.Join(err, <-ended)
}
