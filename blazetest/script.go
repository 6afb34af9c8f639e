package blazetest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
)

// Script plays the conversation in a file, and reports to tb where the bot says something else. The bot is connected
// to s already, see [Start] and [Run]. A script is UTF-8 text with one step on each line:
//
//	# the price of a coin
//	alice: /price BTC
//	bot> BTC is *
//	bot> [buttons: BTC, ETH]
//	alice taps ETH
//	bot> ETH is *
//	cut
//	wait 5m
//	bot> (nothing)
//
// People and groups have names of letters, digits and the characters - _ . and are those of [Server.User] and
// [Server.Group]. These are all lines there are:
//
//	NAME: TEXT                         says a text to the bot
//	NAME@GROUP: TEXT                   says it in a group, which everybody is in who speaks there in the script
//	NAME sealed: TEXT                  says it encrypted
//	NAME sends FILE                    a file beside the script: a picture, a sound, a film or any other file
//	NAME sends CATEGORY JSON           a message of any category with this data; a JSON string stands for its text
//	NAME taps LABEL                    the newest button with this label that the bot has shown to the person
//	NAME transfers AMOUNT ASSET memo   ASSET is an id, or one of BTC, ETH and XIN; the memo may be missing
//	bot> TEXT                          the next message of the bot, outside groups
//	bot@GROUP> TEXT                    the next one in the group
//	bot> [buttons: LABEL, LABEL]       its buttons, also in a group
//	bot> (nothing)                     the bot has said nothing more anywhere, and is idle, see [Server.Idle]
//	cut                                ends the connections, see [Server.Cut]
//	restart bot                        stops the bot that [Start] or [Run] started, and starts it again
//	wait 5m                            waits that long; in a testing/synctest bubble that takes no time
//	# ...                              a comment
//
// The TEXT of a bot's line is the whole text of the message, with * for any run of characters. White space at the
// ends of a line does not count. A [blaze.Text] or [blaze.Post] is its own text. That of every other message is its
// category, a space and its data, as in PLAIN_STICKER {"sticker_id":"..."}. Encrypted messages are opened. A line
// waits up to five seconds for its message. A script reads the messages of each group, and those outside groups, in
// the order in which they were sent, without those that a Next method or an earlier script has read. At the end of
// the script there may be messages left. Audio and video files are not parsed: they are sent as lasting a second,
// and videos as 640 by 360 pixels.
//
// A failed line is reported with the message, and with the lines before it. The script goes on after a message that is
// not the expected one, and ends where one is missing. A script with a line that cannot be read is not played.
//
// To write what the bot says into the file, run the test with -update, if the program defines this flag, as many tests
// do, or else with BLAZE_UPDATE=1 in the environment. Lines that still match stay as they are, with their *; others are
// replaced, and missing ones are added. The ends of lines within a text become *.
//
// One Script at a time can be played on a Server.
func Script(tb TB, s *Server, path string) {
	tb.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // the author of the test names it
	if err != nil {
		tb.Errorf("blazetest: %v", err)
		return
	}
	lines, err := parseScript(string(text))
	if err != nil {
		for _, reason := range strings.Split(err.Error(), "\n") {
			tb.Errorf("blazetest: %s: %s", path, reason)
		}
		return
	}
	// A TB has no context. Each line ends by itself.
	p := &player{ctx: context.Background(), s: s, files: filesIn(filepath.Dir(path)), lines: lines}
	p.report = func(line int, text string) {
		tb.Helper()
		tb.Errorf("%s:%d: %s", path, line, text)
	}
	if err := p.begin(); err != nil {
		tb.Errorf("%s: %v", path, err)
		return
	}
	defer p.end()
	if !updating() {
		p.play()
		return
	}
	played, ok := p.rewrite()
	if !ok || played == string(text) {
		return
	}
	if err := os.WriteFile(path, []byte(played), 0o644); err != nil { //nolint:gosec // it is a file of the sources
		tb.Errorf("blazetest: %v", err)
		return
	}
	if l, ok := tb.(logger); ok {
		l.Logf("blazetest: wrote %s", path)
	}
}

// updating reports whether scripts are to be written. The flag belongs to the program.
func updating() bool {
	f := flag.Lookup("update")
	if f == nil {
		return os.Getenv("BLAZE_UPDATE") == "1"
	}
	return f.Value.String() == "true"
}
