// Demo shows the delivery of this library in four scenes, against a server in memory, and echoes every category. It
// needs no keystore and no network, and exits after the last scene:
//
//	go run ./examples/demo
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func main() {
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	if err := run(context.Background(), os.Stdout, terminal); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// newBot answers /price with buttons or a price, and echoes everything else.
func newBot(c *blaze.Client) blaze.Handler {
	return blaze.Route(
		blaze.Command("/price", func(ctx context.Context, m *blaze.Message, coin string) error {
			if coin == "" {
				return c.Reply(ctx, m, blaze.ButtonGroup{
					blaze.SayButton("BTC", "/price BTC"), blaze.SayButton("ETH", "/price ETH"),
				})
			}
			return c.Reply(ctx, m, blaze.Textf("%s is at 64,000 today.", coin))
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.Payload) error { return c.Reply(ctx, m, p) }),
	)
}

// stage is a server with alice and the bot. It is the blazetest.TB of the bot.
type stage struct {
	w      io.Writer
	color  bool
	s      *blazetest.Server
	alice  *blazetest.User
	ends   []func()
	faults []string
	seen   int // messages of the bot that were printed
}

func (g *stage) Helper() {}
func (g *stage) Errorf(format string, args ...any) {
	g.faults = append(g.faults, fmt.Sprintf(format, args...))
}
func (g *stage) Cleanup(f func()) { g.ends = append(g.ends, f) }

func run(ctx context.Context, w io.Writer, color bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	g := &stage{w: w, color: color, s: blazetest.NewServer()}
	defer g.s.Close()
	g.alice = g.s.User("alice")
	c, stop := blazetest.Run(g, g.s, newBot, nil) //nolint:contextcheck // it ends with the stage
	err := g.scenes(ctx, c, stop)
	for _, end := range slices.Backward(g.ends) {
		end()
	}
	if err != nil {
		return err
	}
	if len(g.faults) > 0 {
		return errors.New(strings.Join(g.faults, "; "))
	}
	fmt.Fprint(w, "\nnext: README.md has a bot to paste and its test; make help lists the rest\n")
	return nil
}

func (g *stage) scenes(ctx context.Context, c *blaze.Client, stop func()) error {
	g.title("1. A question and its answer")
	g.say("/price")
	if err := g.answers(ctx, 1); err != nil {
		return err
	}
	menu := g.s.Sent()[0]
	g.print("36", "alice", "taps [BTC]")
	g.alice.Tap(menu, "BTC")
	if err := g.answers(ctx, 1); err != nil {
		return err
	}

	g.title("2. The connection is cut before the answer is confirmed: it arrives once")
	g.s.Intercept("CREATE_MESSAGE", func(blazetest.Frame) blazetest.Answer {
		return blazetest.Answer{Hang: true, Cut: true} // stored, not confirmed
	})
	g.say("/price ETH")
	if err := g.answers(ctx, 1); err != nil {
		return err
	}
	g.print("2", "", fmt.Sprintf("(connection %d)", c.Stats().Connects))

	g.title("3. The acknowledgement is lost, the server pushes again: answered once")
	g.s.Intercept("ACKNOWLEDGE_MESSAGE_RECEIPT", func(blazetest.Frame) blazetest.Answer {
		return blazetest.Answer{Cut: true} // not carried out
	})
	g.say("/price SOL")
	if err := g.answers(ctx, 1); err != nil {
		return err
	}
	g.print("2", "", fmt.Sprintf("(pushed again, and recognized: %t)", c.Stats().Duplicates > 0))

	g.title("4. The bot is stopped and started: nothing is missed")
	stop()
	g.say("/price DOGE")
	g.print("2", "", "(the bot starts)")
	blazetest.Run(g, g.s, newBot, nil) //nolint:contextcheck // it ends with the stage
	if err := g.answers(ctx, 1); err != nil {
		return err
	}
	return g.echoes(ctx)
}

// echoes sends a message of each category.
func (g *stage) echoes(ctx context.Context) error {
	g.title("Twelve categories, echoed")
	for _, p := range samples() {
		g.alice.Send(p)
		if err := g.s.Idle(ctx); err != nil {
			return err
		}
		sent := g.s.Sent()
		if len(sent) != g.seen+1 || !reflect.DeepEqual(sent[g.seen].Payload, p) {
			return fmt.Errorf("%s was not echoed", p.Category())
		}
		g.seen++
		fmt.Fprintf(g.w, "  %s\n", p.Category())
	}
	return nil
}

// answers prints the bot's messages since the last call, after everything is acknowledged.
func (g *stage) answers(ctx context.Context, want int) error {
	if err := g.s.Idle(ctx); err != nil {
		return err
	}
	sent := g.s.Sent()[g.seen:]
	for _, out := range sent {
		g.print("32", "bot", show(out.Payload))
	}
	g.seen += len(sent)
	if len(sent) != want {
		return fmt.Errorf("%d answers, want %d", len(sent), want)
	}
	return nil
}

func (g *stage) say(text string) {
	g.print("36", "alice", text)
	g.alice.Say(text)
}

func (g *stage) title(text string) { g.print("1", "\n"+text, "") }

// print writes a line. color is an SGR parameter of ECMA-48, for terminals.
func (g *stage) print(color, who, text string) {
	line := strings.TrimRight(fmt.Sprintf("  %-6s %s", who, text), " ")
	if strings.HasPrefix(who, "\n") {
		line = who
	}
	if g.color {
		line = "\x1b[" + color + "m" + line + "\x1b[0m"
	}
	fmt.Fprintln(g.w, line)
}

// show returns a payload as an app would show it.
func show(p blaze.Payload) string {
	buttons, ok := p.(blaze.ButtonGroup)
	if !ok {
		return fmt.Sprint(p)
	}
	var labels []string
	for _, b := range buttons {
		labels = append(labels, "["+b.Label+"]")
	}
	return strings.Join(labels, " ")
}
