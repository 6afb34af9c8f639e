package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// exampleTB is a blazetest.TB outside of a test.
type exampleTB []func()

func (tb *exampleTB) Helper()                           {}
func (tb *exampleTB) Errorf(format string, args ...any) { fmt.Printf("FAIL: "+format+"\n", args...) }
func (tb *exampleTB) Cleanup(f func())                  { *tb = append(*tb, f) }

func (tb *exampleTB) end() {
	for _, f := range slices.Backward(*tb) {
		f()
	}
}

// talk runs a bot against a server in memory. It says some texts as alice and prints the answers to each.
func talk(bot func(*blaze.Client) blaze.Handler, texts ...string) {
	var tb exampleTB
	defer tb.end()
	s, _ := blazetest.Start(&tb, bot, nil)
	said := 0
	for _, text := range texts {
		fmt.Println("alice:", text)
		s.User("alice").Say(text)
		if err := s.Idle(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		sent := s.Sent()
		for _, out := range sent[said:] {
			fmt.Println("bot:", out.Payload)
		}
		said = len(sent)
	}
}

// client returns a client of a server in memory, for methods that need no Run.
func client() (c *blaze.Client, s *blazetest.Server, end func()) {
	s = blazetest.NewServer()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		panic(err)
	}
	return c, s, s.Close
}

func ExampleOn() {
	talk(func(c *blaze.Client) blaze.Handler {
		return blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+t)
		})
	}, "hello")
	// Output:
	// alice: hello
	// bot: echo: hello
}

func ExampleCommand() {
	talk(func(c *blaze.Client) blaze.Handler {
		return blaze.Command("/price", func(ctx context.Context, m *blaze.Message, args string) error {
			return c.Reply(ctx, m, blaze.Textf("the price of %s is 1", args))
		})
	}, "/price BTC", "/Price ETH")
	// Output:
	// alice: /price BTC
	// bot: the price of BTC is 1
	// alice: /Price ETH
	// bot: the price of ETH is 1
}

func ExampleCommands() {
	talk(func(c *blaze.Client) blaze.Handler {
		return blaze.Commands(c, blaze.CommandSpec{
			Name: "price", Aliases: []string{"p"}, Help: "SYMBOL: the price of a coin",
			Do: func(ctx context.Context, m *blaze.Message, args string) error {
				return c.Reply(ctx, m, blaze.Textf("the price of %s is 1", args))
			},
		})
	}, "/p BTC", "/sell BTC", "/help")
	// Output:
	// alice: /p BTC
	// bot: the price of BTC is 1
	// alice: /sell BTC
	// bot: Unknown command. /help lists the commands.
	// alice: /help
	// bot: /price SYMBOL: the price of a coin
}

// A tap on a button made by SayButton is a text from the user.
func ExampleSayButton() {
	talk(func(c *blaze.Client) blaze.Handler {
		return blaze.Command("/menu", func(ctx context.Context, m *blaze.Message, args string) error {
			return c.Reply(ctx, m, blaze.ButtonGroup{
				blaze.SayButton("Tea", "/order tea"), blaze.LinkButton("Site", "https://example.com"),
			})
		})
	}, "/menu")
	// Output:
	// alice: /menu
	// bot: [{Tea #3D75E3 input:/order tea} {Site #3D75E3 https://example.com}]
}

func ExampleApologize() {
	talk(func(c *blaze.Client) blaze.Handler {
		return blaze.Apologize(c, "Sorry, I cannot do that.")(func(context.Context, *blaze.Message) error {
			return fmt.Errorf("no such coin: %w", blaze.ErrDrop)
		})
	}, "/price XYZ")
	// Output:
	// alice: /price XYZ
	// bot: Sorry, I cannot do that.
}

func ExampleRateLimit() {
	talk(func(c *blaze.Client) blaze.Handler {
		over := func(ctx context.Context, m *blaze.Message) error {
			return c.Reply(ctx, m, blaze.Text("one at a time"))
		}
		return blaze.RateLimit(1, time.Hour, over)(func(ctx context.Context, m *blaze.Message) error {
			return c.Reply(ctx, m, blaze.Text("done"))
		})
	}, "first", "second")
	// Output:
	// alice: first
	// bot: done
	// alice: second
	// bot: one at a time
}

// Middleware is a function from Handler to Handler. This one serves only some users.
func ExampleHandler_allowList() {
	only := func(users ...string) func(blaze.Handler) blaze.Handler {
		return func(h blaze.Handler) blaze.Handler {
			return func(ctx context.Context, m *blaze.Message) error {
				if !slices.Contains(users, m.UserID) {
					return nil // acknowledged without a reply
				}
				return h(ctx, m)
			}
		}
	}
	talk(func(c *blaze.Client) blaze.Handler {
		return only(blazetest.UserID("bob"))(func(ctx context.Context, m *blaze.Message) error {
			return c.Reply(ctx, m, blaze.Text("welcome"))
		})
	}, "it is me")
	// Output:
	// alice: it is me
}

// This middleware logs the result of each attempt.
func ExampleHandler_logging() {
	logged := func(h blaze.Handler) blaze.Handler {
		return func(ctx context.Context, m *blaze.Message) error {
			err := h(ctx, m)
			fmt.Println("attempt", m.Attempt, "of a", m.Category, err)
			return err
		}
	}
	talk(func(*blaze.Client) blaze.Handler {
		return logged(func(context.Context, *blaze.Message) error { return nil })
	}, "hi")
	// Output:
	// alice: hi
	// attempt 1 of a PLAIN_TEXT <nil>
}

// This middleware ends the context of handlers that take too long.
func ExampleHandler_timeout() {
	within := func(d time.Duration) func(blaze.Handler) blaze.Handler {
		return func(h blaze.Handler) blaze.Handler {
			return func(ctx context.Context, m *blaze.Message) error {
				ctx, cancel := context.WithTimeout(ctx, d)
				defer cancel()
				return h(ctx, m)
			}
		}
	}
	talk(func(*blaze.Client) blaze.Handler {
		return within(time.Millisecond)(func(ctx context.Context, _ *blaze.Message) error {
			<-ctx.Done()
			fmt.Println(ctx.Err())
			return fmt.Errorf("too slow: %w", blaze.ErrDrop)
		})
	}, "hi")
	// Output:
	// alice: hi
	// context deadline exceeded
}

// A message that may have been stored is sent again with the id of the error. It is stored once.
func ExampleUnconfirmedError() {
	var tb exampleTB
	defer tb.end()
	s, c := blazetest.Start(&tb, nil, nil)
	s.User("alice").Say("hi")
	ctx, cancel := context.WithCancel(context.Background())
	s.Intercept("CREATE_MESSAGE", func(blazetest.Frame) blazetest.Answer {
		cancel()
		return blazetest.Answer{Hang: true} // stored, but not confirmed
	})
	out := c.ToUser(blazetest.UserID("alice"), blaze.Text("hello"))
	_, err := c.Send(ctx, out)
	var unconfirmed *blaze.UnconfirmedError
	if errors.As(err, &unconfirmed) {
		out.MessageID = unconfirmed.MessageID
		_, err = c.Send(context.Background(), out)
	}
	fmt.Println(unconfirmed != nil, err, len(s.Sent()))
	// Output: true <nil> 1
}

func ExampleFinal() {
	fmt.Println(blaze.Final(&blaze.Error{Code: blaze.CodeForbidden}))
	fmt.Println(blaze.Final(&blaze.Error{Code: blaze.CodeTooManyRequests}))
	fmt.Println(blaze.Final(context.DeadlineExceeded))
	// Output:
	// true
	// false
	// false
}

// An id derived from the campaign and the user makes a broadcast that may be repeated.
func ExampleDeriveID() {
	first := blaze.DeriveID("sale-2026", blazetest.UserID("alice"))
	again := blaze.DeriveID("sale-2026", blazetest.UserID("alice"))
	bob := blaze.DeriveID("sale-2026", blazetest.UserID("bob"))
	fmt.Println(first == again, first == bob)
	// Output: true false
}

func ExampleClient_UploadFile() {
	c, _, end := client()
	defer end()
	path := filepath.Join(os.TempDir(), "blaze-example.pdf")
	if err := os.WriteFile(path, []byte("%PDF-1.7\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.Remove(path) }()
	d, err := c.UploadFile(context.Background(), path)
	fmt.Println(d.Name, d.MimeType, d.Size, err)
	// Output: blaze-example.pdf application/pdf 9 <nil>
}

// A reader that counts reports the progress of an upload.
func ExampleClient_Upload() {
	c, _, end := client()
	defer end()
	file := &progress{size: 4 << 20}
	a, err := c.Upload(context.Background(), io.LimitReader(file, file.size), file.size)
	fmt.Println(a.Size, err)
	// Output:
	// 25 %
	// 50 %
	// 75 %
	// 100 %
	// 4194304 <nil>
}

// progress is an endless file of zeros that prints how much of size was read, in quarters.
type progress struct{ read, size int64 }

func (p *progress) Read(b []byte) (int, error) {
	before := 4 * p.read / p.size
	p.read += int64(len(b))
	for quarter := before + 1; quarter <= 4*p.read/p.size; quarter++ {
		fmt.Println(25*quarter, "%")
	}
	clear(b)
	return len(b), nil
}

func ExampleClient_DownloadFile() {
	ctx := context.Background()
	c, s, end := client()
	defer end()
	s.Config.AllowPrivateStorage = true
	a, err := c.Upload(ctx, io.LimitReader(&progress{size: 1 << 40}, 3), 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(os.TempDir(), "blaze-example.bin")
	defer func() { _ = os.Remove(path) }()
	err = c.DownloadFile(ctx, a, path)
	content, _ := os.ReadFile(path)
	fmt.Println(len(content), err)
	// Output: 3 <nil>
}
