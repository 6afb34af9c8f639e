package blaze_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// mentionsOf returns the Mentions of a received message.
func mentionsOf(t *testing.T, p blaze.Payload) []string {
	t.Helper()
	data, err := blaze.EncodePayload(p)
	require.NoError(t, err)
	m := blaze.NewMessage(&wire.Message{
		MessageID: messageA, ConversationID: messageB, UserID: userA,
		Category: string(p.Category()), Data: string(data),
	}, botID, 1, nil)
	return m.Mentions
}

// A mention is an @ and at least four digits. The service's apps highlight the same.
func TestMentions(t *testing.T) {
	for text, want := range map[string][]string{
		"hello":                      nil,
		"me@example.com":             nil,
		"@alice":                     nil,
		"@700":                       nil,
		"@ 7000101000":               nil,
		"@7000":                      {"7000"},
		"@7000101000":                {"7000101000"},
		"hi @7000101000, @1092619!":  {"7000101000", "1092619"},
		"@7000101000@1092619":        {"7000101000", "1092619"},
		"@@7000101000":               {"7000101000"},
		"你好@7000101000你好":            {"7000101000"},
		"@7000101000 @7000101000 ok": {"7000101000"},
		"@12345678901234567890":      {"12345678901234567890"},
		"@123456789012345678901":     nil,
		"@７０００":                      nil,
	} {
		assert.Equal(t, want, mentionsOf(t, blaze.Text(text)), text)
		assert.Equal(t, want, mentionsOf(t, blaze.Post(text)), text)
	}
	assert.Nil(t, mentionsOf(t, blaze.Contact{UserID: userA}))
}

func TestMentionsAreBounded(t *testing.T) {
	var text strings.Builder
	for i := range 10_000 {
		_, _ = fmt.Fprintf(&text, "@%d ", 10_000+i)
	}
	got := mentionsOf(t, blaze.Text(text.String()))
	require.Len(t, got, 256)
	assert.Equal(t, []string{"10000", "10255"}, []string{got[0], got[255]})
	many := strings.Repeat("@7000101000 ", 256)
	assert.Equal(t, []string{"7000101000"}, mentionsOf(t, blaze.Text(many+"@1092619")), "repeated ones count")
}

// mentionRig is a bot in a group.
type mentionRig struct {
	*blazetest.Server
	group   *blazetest.Group
	member  *blazetest.Member
	alice   *blazetest.User
	log     *logbook
	got     diary
	queried atomic.Int64
	client  *blaze.Client
}

func runMentioned(t *testing.T, h func(*blaze.Client, blaze.Handler) blaze.Handler, me blazetest.Answer) *mentionRig {
	t.Helper()
	r := &mentionRig{log: new(logbook)}
	s := newServer()
	t.Cleanup(s.Close)
	r.Server, r.alice = s, s.User("alice")
	r.group = s.Group("team", r.alice)
	r.member = r.group.As(r.alice)
	countRequests(s, getMe, &r.queried, me)
	r.client, _ = blazetest.Run(t, s, func(c *blaze.Client) blaze.Handler {
		return h(c, func(ctx context.Context, m *blaze.Message) error {
			if m.Category.System() {
				return nil
			}
			r.got.add("%v", m.Payload)
			return c.Reply(ctx, m, blaze.Text("yes"))
		})
	}, func(cfg *blaze.Config) {
		cfg.Logger, cfg.HandlerAttempts, cfg.SendAttempts = slog.New(r.log), 2, 1
	})
	return r
}

func (r *mentionRig) idle(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	require.NoError(t, r.Idle(ctx))
	synctest.Wait()
}

func ignoreNotice(context.Context, *blaze.Message, blaze.SystemConversation) error { return nil }

// priceCommand passes the messages of a command to h.
func priceCommand(h blaze.Handler) blaze.Handler {
	return blaze.Command("/price", func(ctx context.Context, m *blaze.Message, _ string) error { return h(ctx, m) })
}

const warnDeclined = "every handler declined"

func TestMentionedInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, blaze.Mentioned, blazetest.Answer{})
		for _, text := range []string{
			"hello all", "@7000101488 hello", "@70000000011 hello", "bot 7000000001",
			"@7000000001 price BTC", "price @7000000001 BTC", "price BTC\n@7000000001", "@7000000001",
			"ask@7000000001,now",
			"@7000000001 @1092619 pay @7000000001 10",
		} {
			r.member.Say(text)
		}
		r.member.Send(blaze.Post("@7000000001\n# Title"))
		r.member.Send(blaze.Contact{UserID: userA})
		r.idle(t)
		assert.Equal(t, []string{
			"price BTC", "price BTC", "price BTC", "", "ask,now", "@1092619 pay 10", "# Title",
		}, r.got.all())
		assert.Zero(t, r.log.count(slog.LevelWarn, ""), r.log.String())
		assert.EqualValues(t, 5, r.client.Stats().Declined)
		assert.EqualValues(t, 1, r.queried.Load())
	})
}

func TestMentionedInTheContactConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, blaze.Mentioned, blazetest.Answer{})
		for _, text := range []string{"hello", "@7000000001 hello", "@7000101488 hello"} {
			r.alice.Say(text)
		}
		r.idle(t)
		assert.Equal(t, []string{"hello", "hello", "@7000101488 hello"}, r.got.all())
	})
}

// A message waits for the profile for five seconds. One that addresses the bot anyway is then handled.
func TestMentionedWhileTheAPIHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, blaze.Mentioned, blazetest.Answer{Hang: true})
		began := time.Now()
		r.alice.Say("@7000000001 hello")
		r.idle(t)
		assert.Equal(t, []string{"@7000000001 hello"}, r.got.all())
		assert.InDelta(t, 5, time.Since(began).Seconds(), 1)

		began = time.Now()
		r.member.Say("@7000000001 hello")
		r.idle(t)
		assert.EqualValues(t, 1, r.client.Stats().Dropped)
		assert.InDelta(t, 2*5+1, time.Since(began).Seconds(), 1, "two attempts, a second apart")
	})
}

// Apps encrypt a text of a group for the bot that it mentions.
func TestMentionedInAnEncryptedCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, blaze.Mentioned, blazetest.Answer{})
		r.member.SendEncrypted(blaze.Text("@7000000001 price"))
		r.member.SendEncrypted(blaze.Text("price"))
		r.Deliver(r.alice.ID(), blaze.Outgoing{ConversationID: r.group.ID(), Payload: blaze.Raw{
			As: blaze.CategoryEncryptedText, Data: []byte("for somebody else"),
		}})
		r.idle(t)
		assert.Equal(t, []string{"price", "price"}, r.got.all())
	})
}

// Me is requested only if somebody is mentioned, and its error is that of the handler.
func TestMentionedWithoutAProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, blaze.Mentioned, blazetest.Refuse(blaze.CodeServer))
		time.Sleep(time.Second)
		before := r.queried.Load()
		r.member.Say("hello all")
		r.alice.Say("hello")
		r.idle(t)
		assert.Equal(t, []string{"hello"}, r.got.all())
		assert.Equal(t, before, r.queried.Load())

		r.member.Say("@7000000001 hello")
		r.idle(t)
		assert.EqualValues(t, 2, r.client.Stats().Failed)
		assert.EqualValues(t, 1, r.client.Stats().Dropped)
		assert.Equal(t, before+2, r.queried.Load())
		assert.NotZero(t, r.log.count(slog.LevelWarn, "GET /me rejected: code 500"))
	})
}

// A redelivered message gets the same replies, although its payload was changed.
func TestMentionedUnderRedelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, func(c *blaze.Client, h blaze.Handler) blaze.Handler {
			return blaze.Mentioned(c, func(ctx context.Context, m *blaze.Message) error {
				if m.Category.System() {
					return nil
				}
				if m.Attempt == 1 {
					_ = h(ctx, m)
					return errAny
				}
				assert.Equal(t, "@7000000001 hello", string(m.Data))
				assert.Equal(t, []string{botNumber}, m.Mentions)
				return h(ctx, m)
			})
		}, blazetest.Answer{})
		r.member.Say("@7000000001 hello")
		r.idle(t)
		r.PushAgain()
		r.idle(t)
		assert.Equal(t, []string{"hello", "hello"}, r.got.all())
		assert.Len(t, r.Sent(), 1)
	})
}

// Both forms of a message make the same replies, and count them together.
func TestRepliesToAMessageWithoutItsMention(t *testing.T) {
	r := prepare(t, nil)
	mine := blaze.Message{
		ID: messageA, BotID: botID, ConversationID: messageB, UserID: userA, Category: blaze.CategoryPlainText,
		Group: true, Payload: blaze.Text("@7000101488 hi"), Data: []byte("@7000101488 hi"),
	}
	control := mine
	first, second := control.NewReply(blaze.Text("a")).MessageID, control.NewReply(blaze.Text("a")).MessageID
	h := blaze.Route(
		blaze.Mentioned(r.Client, func(_ context.Context, m *blaze.Message) error {
			assert.Equal(t, blaze.Text("hi"), m.Payload)
			assert.Equal(t, first, m.NewReply(blaze.Text("a")).MessageID)
			return blaze.ErrNotHandled
		}),
		func(_ context.Context, m *blaze.Message) error {
			assert.Equal(t, blaze.Text("@7000101488 hi"), m.Payload)
			assert.Equal(t, second, m.NewReply(blaze.Text("a")).MessageID)
			return nil
		})
	require.NoError(t, h(t.Context(), &mine))
}

func TestMentionedPanics(t *testing.T) {
	r := prepare(t, nil)
	assert.Panics(t, func() { blaze.Mentioned(nil, ok) })
	assert.Panics(t, func() { blaze.Mentioned(r.Client, nil) })
}

// A decline by Mentioned is quiet within a Route. Any other decline is logged.
func TestDeclinesThatAreLogged(t *testing.T) {
	declines := func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled }
	for name, tt := range map[string]struct {
		h      func(*blaze.Client, blaze.Handler) blaze.Handler
		logged int
	}{
		"a Route": {func(c *blaze.Client, h blaze.Handler) blaze.Handler {
			return blaze.Route(blaze.On(ignoreNotice),
				blaze.Mentioned(c, h), declines)
		}, 0},
		"another handler": {func(*blaze.Client, blaze.Handler) blaze.Handler {
			return blaze.Route(blaze.On(ignoreNotice),
				declines)
		}, 1},
	} {
		bubble(t, name, func(t *testing.T) {
			r := runMentioned(t, tt.h, blazetest.Answer{})
			r.member.Say("hello all")
			r.idle(t)
			assert.EqualValues(t, 1, r.client.Stats().Declined)
			assert.Equal(t, tt.logged, r.log.count(slog.LevelWarn, warnDeclined))
		})
	}
}

// Command accepts mentions of the bot, before and after the word, and declines those of somebody else.
func TestCommandMentions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, func(_ *blaze.Client, h blaze.Handler) blaze.Handler {
			return blaze.Route(
				blaze.On(ignoreNotice),
				priceCommand(h))
		}, blazetest.Answer{})
		mine := []string{
			"/price a", "@7000000001 /price b", "@7000000001/price c", "/price@7000000001 d", "@bot /price e",
			"/price@bot f",
			"@7000000001: /price g", "/price h @7000101488", "/price @7000101488", "@700 /price i",
		}
		for _, text := range mine {
			r.member.Say(text)
		}
		for _, text := range []string{
			"@7000101488 /price", "@7000101488/price", "/price@7000101488", "@7000000001 /price@7000101488",
			"@70000000011 /price",
		} {
			r.member.Say(text)
		}
		r.idle(t)
		assert.Equal(t, mine, r.got.all())
		assert.EqualValues(t, 5, r.client.Stats().Declined)
		assert.Zero(t, r.log.count(slog.LevelWarn, warnDeclined), "it is for another bot")
	})
}

func TestCommandWithoutAProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runMentioned(t, func(_ *blaze.Client, h blaze.Handler) blaze.Handler {
			return priceCommand(h)
		}, blazetest.Refuse(blaze.CodeServer))
		r.member.Say("/price")
		r.member.Say("@7000000001 /price")
		r.idle(t)
		assert.Equal(t, []string{"/price"}, r.got.all())
		assert.EqualValues(t, 1, r.client.Stats().Dropped)
	})
}

func BenchmarkMentions(b *testing.B) {
	for name, text := range map[string]string{
		"none": strings.Repeat("text ", 16), "one": "@7000101488 " + strings.Repeat("text ", 16),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			v := &wire.Message{Category: string(blaze.CategoryPlainText), Data: text}
			for b.Loop() {
				blaze.NewMessage(v, botID, 1, nil)
			}
		})
	}
}
