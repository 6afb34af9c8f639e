package blaze_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// shop is a bot with two commands, and an echo for everything else.
func shop(c *blaze.Client) blaze.Handler {
	say := func(text blaze.Text) func(context.Context, *blaze.Message, string) error {
		return func(ctx context.Context, m *blaze.Message, args string) error {
			return c.Reply(ctx, m, text+" "+blaze.Text(args))
		}
	}
	return blaze.Route(
		blaze.Commands(c,
			blaze.CommandSpec{
				Name: " ／price", Help: "SYMBOL: the price of a coin", Aliases: []string{"p", "/报价"},
				Do: say("price"),
			},
			blaze.CommandSpec{Name: "hidden", Do: say("hidden")},
			blaze.CommandSpec{Name: "order", Help: "SYMBOL AMOUNT: buys a coin", Do: say("order")},
		),
		blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+t)
		}),
	)
}

const (
	unknownCommand = blaze.Text("Unknown command. /help lists the commands.")
	shopHelp       = blaze.Text("/price SYMBOL: the price of a coin\n/order SYMBOL AMOUNT: buys a coin")
)

func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, shop, nil)
		me, err := c.Me(t.Context())
		require.NoError(t, err)
		alice, bob := s.User("alice"), s.User("bob")
		group := s.Group("team", alice, bob)
		other := "/price@7000999999 ETH @" + me.IdentityNumber
		for _, tt := range []struct {
			say  func(string) string
			text string
			want blaze.Payload
		}{
			{alice.Say, "/price BTC", blaze.Text("price BTC")},
			{alice.Say, " ／P  BTC ", blaze.Text("price BTC")},
			{alice.Say, "/报价 BTC", blaze.Text("price BTC")},
			{alice.Say, "/hidden x", blaze.Text("hidden x")},
			{alice.Say, "/help", shopHelp},
			{alice.Say, "/HELP me", shopHelp},
			{alice.Say, "price BTC", blaze.Text("echo: price BTC")},
			{alice.Say, "/", blaze.Text("echo: /")},
			{alice.Say, "/nothing", unknownCommand},
			{alice.Say, "/nothing", nil},
			{bob.Say, "/nothing", unknownCommand},
			{group.As(bob).Say, "@" + me.IdentityNumber + " /price ETH", blaze.Text("price ETH")},
			{group.As(bob).Say, "/price@" + me.IdentityNumber + " ETH", blaze.Text("price ETH")},
			{group.As(bob).Say, "/help", blaze.Text("echo: /help")},
			{group.As(bob).Say, other, blaze.Text("echo: " + other)},
		} {
			before := len(s.Sent())
			tt.say(tt.text)
			testkit.Idle(t, s)
			sent := s.Sent()[before:]
			if tt.want == nil {
				assert.Empty(t, sent, tt.text)
				continue
			}
			require.Len(t, sent, 1, tt.text)
			assert.Equal(t, tt.want, sent[0].Payload, tt.text)
		}
		time.Sleep(10 * time.Minute)
		alice.Say("/nothing")
		testkit.Idle(t, s)
		assert.Equal(t, unknownCommand, s.Sent()[len(s.Sent())-1].Payload, "ten minutes later")
	})
}

// A hint that could not be sent is sent in the next attempt.
func TestAHintThatFailsIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, shop, func(cfg *blaze.Config) { cfg.SendAttempts = 1 })
		s.Intercept("CREATE_MESSAGE", testkit.Answer(blazetest.Refuse(500)))
		s.User("alice").Say("/nothing")
		testkit.Idle(t, s)
		require.Len(t, s.Sent(), 1)
		assert.EqualValues(t, 1, c.Stats().Failed)
	})
}

func TestCommandsWithHelpOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errHelp := errors.New("help")
		h := blaze.Commands(prepare(t, nil).Client, blaze.CommandSpec{
			Name: "help", Do: func(context.Context, *blaze.Message, string) error { return errHelp },
		})
		assert.ErrorIs(t, h(t.Context(), &blaze.Message{Payload: blaze.Text("/help")}), errHelp)
		assert.ErrorIs(t, h(t.Context(), &blaze.Message{Payload: blaze.Post("/help")}), blaze.ErrNotHandled)
	})
}

func TestCommandsPanicOnMistakes(t *testing.T) {
	c := prepare(t, nil).Client
	do := func(context.Context, *blaze.Message, string) error { return nil }
	for want, specs := range map[string][]blaze.CommandSpec{
		`blaze: Commands: "/B" occurs twice`: {
			{Name: "a", Aliases: []string{"b"}, Do: do}, {Name: "/B", Do: do},
		},
		`blaze: Commands: "a@b" has an @, which begins a mention`: {{Name: "a@b", Do: do}},
		`blaze: Commands("a b"): the name must be one word`:       {{Name: "a b", Do: do}},
		`blaze: Commands(""): the name must be one word`:          {{Do: do}},
		`blaze: Commands: the function of "a" is nil`:             {{Name: "a"}},
	} {
		assert.PanicsWithValue(t, want, func() { blaze.Commands(c, specs...) })
	}
}
