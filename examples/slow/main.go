// Slow is a bot for a language model that takes its time. It answers paragraph by paragraph, and meanwhile the
// conversation goes on: /stop ends an answer, and a further question waits for its turn.
//
// The model is a stand-in that thinks for a moment before each paragraph. Without a keystore a conversation is played
// in memory:
//
//	go run ./examples/slow
//	BLAZE_KEYSTORE=keystore.json go run ./examples/slow
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot, Config: config, Script: script}.Main() }

// config gives running answers half a minute when the bot is stopped.
func config(cfg *blaze.Config) { cfg.Drain = 30 * time.Second }

func newBot(c *blaze.Client) blaze.Handler {
	jobs := &blaze.Jobs{Workers: 8}
	return blaze.Route(
		blaze.Command("/stop", func(ctx context.Context, m *blaze.Message, _ string) error {
			text := "Nothing to stop."
			if jobs.Cancel(m) > 0 {
				text = "Stopped."
			}
			// A second attempt would stop nothing. With the same id, the first text stays.
			out := m.NewReply(blaze.Text(text))
			out.MessageID = blaze.DeriveID(c.AppID(), m.ID, "stop")
			_, err := c.Send(ctx, out)
			return err
		}),
		jobs.Background(blaze.Apologize(c, "Sorry, I have no answer. Please ask again.")(
			blaze.On(func(ctx context.Context, m *blaze.Message, question blaze.Text) error {
				err := answer(ctx, c, m, think(ctx, string(question)))
				if errors.Is(context.Cause(ctx), blaze.ErrCanceled) {
					return nil
				}
				return err
			}))),
	)
}

// answer sends each paragraph in a message of its own, because a message cannot be edited. The ids depend on the number
// of the paragraph only: after an interruption the answer begins again, maybe in other words, and no paragraph appears
// twice.
func answer(ctx context.Context, c *blaze.Client, m *blaze.Message, paragraphs iter.Seq2[string, error]) error {
	n := 0
	for text, err := range paragraphs {
		if err != nil {
			return fmt.Errorf("paragraph %d: %w", n+1, err)
		}
		out := m.NewReply(blaze.Text(text))
		out.MessageID = blaze.DeriveID(c.AppID(), m.ID, "part", strconv.Itoa(n))
		if _, err := c.Send(ctx, out); err != nil {
			return err
		}
		n++
	}
	return nil
}

// think is the stand-in for a model. It ends with the error of ctx when that ends.
func think(ctx context.Context, question string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range []string{
			fmt.Sprintf("You ask: %q. Let me see.", question),
			"There are two sides to this.",
			"All in all, it depends.",
		} {
			select {
			case <-time.After(thought):
			case <-ctx.Done():
				yield("", context.Cause(ctx))
				return
			}
			if !yield(text, nil) {
				return
			}
		}
	}
}

// thought is the time for a paragraph.
const thought = 400 * time.Millisecond
