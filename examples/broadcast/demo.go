package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

const (
	people = 20_000
	early  = 8000 // people after whom the demo interrupts itself
)

// demo broadcasts to virtual people, of whom two have blocked the bot.
func demo(ctx context.Context, w, bar io.Writer) error {
	dir, err := os.MkdirTemp("", "broadcast-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s := blazetest.NewServerWith(blazetest.Options{Lenient: true}) // nobody has written to the bot
	defer s.Close()
	b := &broadcast{
		Name: "sale-2026", Users: make([]string, people), Payload: blaze.Text("Our sale begins."),
		File: filepath.Join(dir, "sale-2026.jsonl"),
	}
	for i := range b.Users {
		b.Users[i] = blazetest.UserID(fmt.Sprint("user", i))
	}
	block(s, b.Users[777], b.Users[12_345])
	for run := 1; ; run++ {
		failed, err := once(ctx, s, b, run == 1, bar)
		switch {
		case err == nil:
			return result(w, s, failed)
		case ctx.Err() != nil || !errors.Is(err, context.Canceled):
			return err
		}
		fmt.Fprintln(w, "broadcast:", err)
	}
}

// once is one process of the broadcast. If interrupted is set, it ends early.
func once(
	ctx context.Context, s *blazetest.Server, b *broadcast, interrupted bool, bar io.Writer,
) (map[string]string, error) {
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		return nil, err
	}
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	next := *b
	next.Client = c
	if interrupted {
		next.Progress = func(done int) {
			if done >= early {
				interrupt()
			}
		}
	}
	return send(ctx, c, &next, bar)
}

// block makes the server refuse every message to some users.
func block(s *blazetest.Server, users ...string) {
	refuse := func(req blazetest.Frame) blazetest.Answer {
		for _, user := range users {
			if bytes.Contains(req.Params, []byte(user)) {
				return blazetest.Refuse(blaze.CodeForbidden)
			}
		}
		return blazetest.Answer{}
	}
	s.InterceptAll("CREATE_PLAIN_MESSAGES", refuse)
	s.InterceptAll("CREATE_MESSAGE", refuse)
}

// result prints who got the message.
func result(w io.Writer, s *blazetest.Server, failed map[string]string) error {
	got := make(map[string]int)
	for _, out := range s.Sent() {
		got[out.RecipientID]++
	}
	for user, n := range got {
		if n > 1 {
			return fmt.Errorf("%s got the message %d times", user, n)
		}
	}
	fmt.Fprintf(w, "%d people got the message once, %d did not:\n", len(got), len(failed))
	for _, user := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(w, "%s: %s\n", user, failed[user])
	}
	return nil
}
