package blazetest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// reports is a TB that only collects reports.
type reports struct{ faults }

func (*reports) Helper()        {}
func (*reports) Cleanup(func()) {}

func (r *reports) Errorf(format string, args ...any) { r.add(format, args...) }

// prices is a bot that replies with the prices of coins, in groups and to users.
func prices(c *blaze.Client) blaze.Handler {
	buttons := blaze.ButtonGroup{
		{Label: "BTC", Color: "#ABABAB", Action: "input:/price BTC"},
		{Label: "ETH", Color: "#ABABAB", Action: "input:/price ETH"},
	}
	return blaze.Route(
		blaze.Command("/price", func(ctx context.Context, m *blaze.Message, coin string) error {
			if err := c.Reply(ctx, m, blaze.Textf("%s is %d", coin, len(coin))); err != nil || m.Group {
				return err
			}
			return c.Reply(ctx, m, buttons)
		}),
		blaze.Command("/poem", func(ctx context.Context, m *blaze.Message, _ string) error {
			return c.Reply(ctx, m, blaze.Text("one\ntwo"))
		}),
		blaze.Command("/both", func(ctx context.Context, m *blaze.Message, text string) error {
			_, err := c.Send(ctx, c.ToUser(m.UserID, blaze.Text(text)))
			if err != nil {
				return err
			}
			return c.Reply(ctx, m, blaze.Text(text))
		}),
		blaze.Command("/button", func(ctx context.Context, m *blaze.Message, text string) error {
			return c.Reply(ctx, m, blaze.ButtonGroup{{Label: "go", Color: "#ABABAB", Action: "input:" + text}})
		}),
		blaze.Command("/quiet", func(context.Context, *blaze.Message, string) error { return nil }),
		blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "what is "+t+"?")
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.SafeSnapshot) error {
			_, err := c.Send(ctx, c.ToUser(m.UserID, blaze.Textf("%s of %s, %s", p.Amount, p.AssetID, p.Memo)))
			return err
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.Payload) error {
			if m.Category.System() {
				return blaze.ErrNotHandled
			}
			return c.Reply(ctx, m, p)
		}),
	)
}

// playScript plays a script with a bot and returns the reports.
func playScript(t *testing.T, bot func(*blaze.Client) blaze.Handler, script string) []string {
	t.Helper()
	r := new(reports)
	path := filepath.Join(t.TempDir(), "talk.txt")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, bot, nil)
		blazetest.Script(r, s, path)
	})
	got := r.take()
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], path, "talk.txt")
	}
	return got
}

func TestScript(t *testing.T) {
	require.Empty(t, playScript(t, prices, `# a talk
alice: /price BTC
bot> BTC is *
bot> [buttons: BTC, ETH]

alice taps ETH
bot> ETH is 3
bot> [buttons: *]
cut
wait 5m
bot> (nothing)
alice sealed: secret
bot> what is secret?
bob@staff: /price XIN
alice@staff: hello
bot@staff> XIN is 3
bot@staff> what is hello?
alice: /poem
bot> one*two
alice sends PLAIN_STICKER {"sticker_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c"}
bot> PLAIN_STICKER {"sticker_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c"}
alice transfers 0.10 BTC for  the poem
bot> 0.10 of c6d0c728-2624-429b-8e0d-d9d19b6592fa, for the poem
alice: /quiet
bot> (nothing)
`))
}

func TestTapsMeanTheNewestButton(t *testing.T) {
	require.Empty(t, playScript(t, prices, `alice: /button 1
bot> [buttons: go]
bob: /button 3
bot> [buttons: go]
alice: /button 2
bot> [buttons: go]
bob taps go
bot> what is 3?
alice taps go
bot> what is 2?
`))
}

// Each conversation is read separately, in any order of the bot's messages to different ones.
func TestScriptReadsConversationsForThemselves(t *testing.T) {
	require.Empty(t, playScript(t, prices, `alice: one
alice: two
bot> what is one?
alice@g: three
bot@g> what is three?
bot> what is two?
`))
}

func TestFailedLinesShowBothSides(t *testing.T) {
	require.Equal(t, []string{
		"talk.txt:5: the bot sent a different message\n\tscript: bot> cheap\n\tbot:    bot> BTC is 3" +
			"\n\tbefore:\n\t\talice: /poem\n\t\tbot> \"one\\ntwo\"\n\t\talice: /price BTC",
		"talk.txt:6: the bot sent a different message\n\tscript: bot> [buttons: XIN]" +
			"\n\tbot:    bot> [buttons: BTC, ETH]" +
			"\n\tbefore:\n\t\talice: /poem\n\t\tbot> \"one\\ntwo\"\n\t\talice: /price BTC\n\t\tbot> BTC is 3",
	}, playScript(t, prices, "alice: /poem\n# x\nbot> one*two\nalice: /price BTC\nbot> cheap\nbot> [buttons: XIN]\n"))
}

func TestAMessageThatIsMissing(t *testing.T) {
	got := playScript(t, prices, "alice: hi\nbot@staff> what is hi?\nalice: not played\n")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "talk.txt:2: the bot sent no message within 5s\n\tscript: bot@staff> what is hi?\n"+
		"\tbot:    (nothing)\n\telsewhere: bot> what is hi?\n")
	require.Contains(t, got[0], "\n\tbefore:\n\t\talice: hi")
}

func TestAMessageTooMany(t *testing.T) {
	got := playScript(t, prices, "alice: hi\nalice@g: ho\nbot> (nothing)\nbot> (nothing)\n")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "talk.txt:3: the bot sent a message\n\tscript: bot> (nothing)\n\tbot:    bot")
	require.Contains(t, got[0], "bot> what is hi?")
	require.Contains(t, got[0], "bot@g> what is ho?")
}

// A busy bot is awaited before (nothing) is checked.
func TestNothingWaitsForTheBot(t *testing.T) {
	slow := func(c *blaze.Client) blaze.Handler {
		return blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			time.Sleep(3 * time.Second)
			return c.Reply(ctx, m, t)
		})
	}
	got := playScript(t, slow, "alice: hi\nbot> (nothing)\n")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "the bot sent a message")
	require.Contains(t, playScript(t, slow, "alice: 1\nalice: 2\nbot> (nothing)\n")[0], "not idle within 5s")
}

func TestScriptsThatCannotBePlayed(t *testing.T) {
	require.Equal(t, []string{
		`blazetest: talk.txt: line 1: "says" must be sealed:, sends, taps or transfers`,
		"blazetest: talk.txt: line 3: text missing after the colon",
	}, playScript(t, prices, "alice says hi\n\nalice:\n"))
	for script, report := range map[string]string{
		"alice: x\nbot> *\nalice taps BTC\n":              "talk.txt:3: no line above has read a button BTC",
		"alice: /price X\nbot> *\nbot> *\nbob taps BTC\n": "talk.txt:4: no line above has read a button",
		"alice sends no.png\n":                            "talk.txt:1: open",
		"alice sends ../x.png\n":                          "talk.txt:1: the file must be in the script's directory",
	} {
		got := playScript(t, prices, script)
		require.Len(t, got, 1)
		require.Contains(t, got[0], report)
	}
	r := new(reports)
	blazetest.Script(r, blazetest.NewServer(), "testdata/none.txt")
	require.Len(t, r.take(), 1)
}

// Earlier messages of the bot are read by the first script, unless something else has read them.
func TestScriptsReadOnWhereOthersStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		alice, dir := s.User("alice"), t.TempDir()
		for i, text := range []string{
			"bot> what is b?\nalice: c\nbot> what is c?\nalice: d\n",
			"bot> what is d?\nbot> (nothing)\n",
		} {
			if i == 0 {
				alice.Say("a")
				_, err := alice.Next(t.Context())
				require.NoError(t, err)
				alice.Say("b")
			}
			path := filepath.Join(dir, "talk.txt")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			blazetest.Script(t, s, path)
		}
		out, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("what is a?"), out.Payload, "the script takes nothing from the others")
	})
}

func TestFilesOfScripts(t *testing.T) {
	dir := t.TempDir()
	gif := "GIF89a\x02\x00\x03\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + // of 2 by 3 pixels
		",\x00\x00\x00\x00\x02\x00\x03\x00\x00\x02\x02\x84\x51\x00;"
	script := ""
	for _, f := range []struct{ name, file, want string }{
		{"my cat.gif", gif, `PLAIN_IMAGE {"attachment_id":"*","mime_type":"image/gif","width":2,"height":3,"size":%d}`},
		{"no.png", "not a picture", `PLAIN_DATA {"attachment_id":"*",*"text/plain*","size":%d,"name":"no.png"}`},
		{"song.ogg", "OggS\x00", `PLAIN_AUDIO {"attachment_id":"*","mime_type":"audio/ogg","size":%d,"duration":1000}`},
		{"film.mp4", "film", `PLAIN_VIDEO *"video/mp4","width":640,"height":360,"size":%d,"duration":1000}`},
		{"paper.csv", "a,b", `PLAIN_DATA {"attachment_id":"*","mime_type":"text/csv","size":%d,"name":"paper.csv"}`},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f.name), []byte(f.file), 0o600))
		script += "alice sends " + f.name + "\nbot> " + fmt.Sprintf(f.want, len(f.file)) + "\n"
	}
	path := filepath.Join(dir, "talk.txt")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		blazetest.Script(t, s, path)
		image, ok := s.Sent()[0].Payload.(blaze.Image)
		require.True(t, ok)
		file, ok := s.File(image.ID)
		require.True(t, ok)
		require.Equal(t, gif, string(file))
	})
}

// A restarted bot is created by the same function.
func TestScriptsRestartBots(t *testing.T) {
	lives := 0
	counting := func(c *blaze.Client) blaze.Handler {
		lives++
		life := lives
		return blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, blaze.Textf("%s %d", t, life))
		})
	}
	require.Empty(t, playScript(t, counting, `alice: a
bot> a 1
restart bot
alice: b
bot> b 2
restart bot
bot> (nothing)
`))
	require.Equal(t, 3, lives)
}

func TestScriptsRestartOnlyBotsThatRun(t *testing.T) {
	r, path := new(reports), filepath.Join(t.TempDir(), "talk.txt")
	require.NoError(t, os.WriteFile(path, []byte("restart bot\n"), 0o600))
	s, _ := newServer(t)
	blazetest.Script(r, s, path)
	got := r.take()
	require.Len(t, got, 1)
	require.Contains(t, got[0], "talk.txt:1: blazetest: no bot to restart")
}

func TestOneScriptAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := newControls(t, s)
		ended := make(chan string)
		go func() { ended <- c.call("POST", "/scripts", "wait 10h\n") }()
		synctest.Wait()
		require.Contains(t, c.rejection(409, "POST", "/scripts", "cut\n"), "another script")
		began := time.Now()
		require.JSONEq(t, `{"failed":[]}`, <-ended)
		require.Equal(t, 10*time.Hour, time.Since(began))
		require.JSONEq(t, `{"failed":[]}`, c.call("POST", "/scripts", "cut\n"))
	})
}

// A script ends when its client disconnects.
func TestAScriptEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		req := httptest.NewRequestWithContext(ctx, "POST", "/blazetest/scripts", strings.NewReader("wait 10h\n"))
		req.Host, req.RemoteAddr = "localhost", "127.0.0.1:40000"
		w := httptest.NewRecorder()
		s.Control().ServeHTTP(w, req)
		require.Equal(t, time.Minute, time.Since(began))
		require.Contains(t, w.Body.String(), `{"line":1,"reason":"context deadline exceeded"}`)
	})
}
