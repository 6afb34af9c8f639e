package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// demo runs the bot with a server in memory and prints what alice and the bot say.
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
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running, newBot(c)) }()
	err = talk(ctx, w, s.User("alice"))
	stop()
	if ended := <-ended; err == nil {
		err = ended
	}
	return err
}

// talk says some texts and prints the answer to each.
func talk(ctx context.Context, w io.Writer, alice *blazetest.User) error {
	for _, text := range []string{"hello", "/help", "/order tea"} {
		fmt.Fprintln(w, "alice:", text)
		alice.Say(text)
		answer, err := alice.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "bot:  ", answer.Payload)
	}
	return nil
}
