package blazetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestLinesOfScripts(t *testing.T) {
	const asset = "965e5c6e-434c-3fa9-b780-c50f43cd955c"
	for text, want := range map[string]scriptLine{
		"":                            {},
		"  \t":                        {},
		"# alice: hi":                 {},
		"alice: /price BTC":           {step: stepSays, who: "alice", arg: "/price BTC"},
		"  alice:   hi: there  \r":    {step: stepSays, who: "alice", arg: "hi: there"},
		"alice: # no comment":         {step: stepSays, who: "alice", arg: "# no comment"},
		"alice:hi":                    {step: stepSays, who: "alice", arg: "hi"},
		"cut: hi":                     {step: stepSays, who: "cut", arg: "hi"},
		"Ärö_1.x-y@staff.2: a@b":      {step: stepSays, who: "Ärö_1.x-y", group: "staff.2", arg: "a@b"},
		"alice sealed: psst":          {step: stepEncrypted, who: "alice", arg: "psst"},
		"alice sealed:psst: x":        {step: stepEncrypted, who: "alice", arg: "psst: x"},
		"alice sends my cat.png":      {step: stepSendsFile, who: "alice", arg: "my cat.png"},
		"alice sends README":          {step: stepSendsFile, who: "alice", arg: "README"},
		`alice sends PLAIN_POST "#x"`: {step: stepSendsJSON, who: "alice", kind: "PLAIN_POST", arg: `"#x"`},
		"alice taps Buy one":          {step: stepTaps, who: "alice", arg: "Buy one"},
		"alice transfers 0.10 XIN":    {step: stepTransfers, who: "alice", amount: "0.10", kind: assets["XIN"]},
		"alice transfers 5 " + asset + "  for  two": {
			step: stepTransfers, who: "alice", amount: "5", kind: asset, arg: "for two",
		},
		"bot> BTC is *":           {step: stepBotSays, arg: "BTC is *"},
		"bot>x":                   {step: stepBotSays, arg: "x"},
		"bot@staff> hi":           {step: stepBotSays, group: "staff", arg: "hi"},
		"bot> [buttons: BTC,ETH]": {step: stepBotButtons, arg: "BTC, ETH"},
		"bot@g> [buttons: *]":     {step: stepBotButtons, group: "g", arg: "*"},
		"bot> (nothing)":          {step: stepBotNothing, arg: "(nothing)"},
		"bot> (nothing) more":     {step: stepBotSays, arg: "(nothing) more"},
		"cut":                     {step: stepCut},
		"restart bot":             {step: stepRestart},
		"wait 1m30s":              {step: stepWait, wait: 90 * time.Second},
	} {
		lines, err := parseScript(text)
		require.NoError(t, err, text)
		require.Len(t, lines, 1)
		want.number, want.raw = 1, text
		require.Equal(t, want, lines[0], text)
	}
}

func TestLinesThatAreNone(t *testing.T) {
	for text, reason := range map[string]string{
		"alice":                       "colon or space missing",
		"alice:":                      "text missing",
		"alice: ":                     "text missing",
		"alice : hi":                  "must be sealed:, sends, taps or transfers",
		"alice says hi":               "must be sealed:, sends, taps or transfers",
		"alice@: hi":                  "group name missing",
		"@staff: hi":                  "must begin with a name",
		"> hi":                        "must begin with a name",
		"alice> hi":                   "colon or space missing",
		"alice sealed:":               "text missing",
		"alice sends":                 "needs a file",
		"alice sends PLAIN_TEXT":      "needs JSON",
		"alice sends PLAIN_TEXT hi":   "invalid JSON: hi",
		"alice@staff sends x.png":     "only texts can be sent to a group",
		"alice@staff taps x":          "only texts can be sent to a group",
		"alice@staff sealed: x":       "only texts can be sent to a group",
		"alice taps":                  "needs the label",
		"alice transfers 5":           "needs an amount and an asset",
		"alice transfers -5 BTC":      "must be a positive decimal number",
		"alice transfers 0.00 BTC":    "must be a positive decimal number",
		"alice transfers 1. BTC":      "must be a positive decimal number",
		"alice transfers 1e3 BTC":     "must be a positive decimal number",
		"alice transfers 5 DOGE":      "the asset must be",
		"bot: hi":                     "bot> TEXT",
		"bot taps x":                  "bot> TEXT",
		"bot>":                        "text missing after bot>",
		"bot@staff> (nothing)":        "remove the group",
		"bot> [buttons: A":            "] missing",
		"wait":                        "wait needs a duration",
		"wait 5":                      "wait needs a duration",
		"wait -1s":                    "wait needs a duration",
		"wait for it":                 "wait needs a duration",
		"restart":                     "colon or space missing",
		"restart alice":               "must be sealed:",
		"cut 2":                       "must be sealed:",
		"alice: \xff":                 "invalid UTF-8",
		strings.Repeat("a", 1<<20+1):  "at most 1048576 are allowed",
		"alice: hi\n\n#\nalice\nbob:": "line 4: colon or space missing after the name\nline 5: text missing",
	} {
		_, err := parseScript(text)
		require.ErrorContains(t, err, reason, "%.40q", text)
	}
}

func TestLike(t *testing.T) {
	for pattern, texts := range map[string]map[string]bool{
		"BTC is *": {"BTC is 3": true, "BTC is ": true, "BTC is": false, "now BTC is 3": false, "BTC is 3\n4": true},
		"*":        {"": true, "x": true, "*": true},
		"a*b*c":    {"abc": true, "abbc": true, "axbxcxc": true, "acb": false, "ab": false, "abcd": false},
		"**x":      {"x": true, "axx": true, "xa": false},
		"abc":      {"abc": true, "ab": false, "abcd": false, "": false},
		"ä*é":      {"äé": true, "ä?é": true, "a?é": false},
	} {
		for text, want := range texts {
			require.Equal(t, want, like(pattern, text), "%q %q", pattern, text)
		}
	}
}

// Matching a pattern with many stars does not take exponential time.
func TestLikeWithManyStars(t *testing.T) {
	require.False(t, like(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 20000)))
}

func TestWrittenLines(t *testing.T) {
	buttons := blaze.ButtonGroup{
		{Label: "BTC", Color: "#000000", Action: "input:BTC"}, {Label: "a,b", Color: "#000000", Action: "input:c"},
	}
	for want, p := range map[string]blaze.Payload{
		"bot@g> BTC is 3":             blaze.Text("BTC is 3"),
		"bot@g> # Title*text":         blaze.Post("# Title\n\ntext"),
		"bot@g> *indented*":           blaze.Text("  indented\t"),
		"bot@g> **bold**":             blaze.Text("**bold**"),
		"bot@g> *(nothing)":           blaze.Text("(nothing)"),
		"bot@g> *[buttons: A]":        blaze.Text("[buttons: A]"),
		"bot@g> *":                    blaze.Text("\n"),
		"bot@g> a*b*":                 blaze.Text("a\xff\xfeb\x00"),
		"bot@g> [buttons: BTC, a, b]": buttons,
		`bot@g> PLAIN_CONTACT {"user_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c"}`: blaze.Contact{
			UserID: "965e5c6e-434c-3fa9-b780-c50f43cd955c",
		},
		"bot@g> ODD_THING x": blaze.Raw{As: "ODD_THING", Data: []byte("x")},
	} {
		line := written("g", p)
		require.Equal(t, want, line)
		requireMatch(t, line, p)
	}
}

func requireMatch(t *testing.T, line string, p blaze.Payload) {
	t.Helper()
	lines, err := parseScript(line)
	require.NoError(t, err, "%q", line)
	require.Len(t, lines, 1)
	require.True(t, lines[0].bot())
	require.True(t, lines[0].matches(p), "%q", line)
}

func TestLinesAndButtons(t *testing.T) {
	button := func(label string) blaze.Button {
		return blaze.Button{Label: label, Color: "#000000", Action: "input:x"}
	}
	group := blaze.ButtonGroup{button("BTC"), button("ETH")}
	card := blaze.Card{Title: "t", Description: "d", Actions: group}
	for line, want := range map[string][2]bool{ // for these buttons, and for a card with them
		"bot> [buttons: BTC, ETH]":  {true, true},
		"bot> [buttons:BTC ,  ETH]": {true, true},
		"bot> [buttons: BTC, *]":    {true, true},
		"bot> [buttons: BTC]":       {false, false},
		"bot> [buttons: ETH, BTC]":  {false, false},
		"bot> *":                    {true, true},
		"bot> APP_CARD *":           {false, true},
		"bot> BTC*":                 {false, false},
	} {
		lines, err := parseScript(line)
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{lines[0].matches(group), lines[0].matches(card)}, line)
	}
	lines, err := parseScript("bot> [buttons: *]")
	require.NoError(t, err)
	require.False(t, lines[0].matches(blaze.Text("[buttons: A]")))
}

// Every text is a script or has errors with lines. Every message of a bot has a line that matches it.
func FuzzScript(f *testing.F) {
	f.Add("alice: hi\nbot> hello *\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := parseScript(text)
		if err == nil {
			require.Equal(t, text, strings.Join(raws(lines), "\n"))
		}
		for _, p := range []blaze.Payload{
			blaze.Text(text), blaze.Post(text),
			blaze.Raw{As: "X_Y", Data: []byte(text)},
			blaze.ButtonGroup{{Label: text}, {Label: text}},
			blaze.ButtonGroup{},
		} {
			for _, group := range []string{"", "g"} {
				line := written(group, p)
				require.NotContains(t, line, "\n")
				requireMatch(t, line, p)
			}
		}
	})
}
