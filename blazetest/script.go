package blazetest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
)

// Script plays the conversation in a file, and reports differences to tb. Start the bot before, with [Start] or [Run].
// A script is UTF-8 text with one step per line:
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
// Names of people and groups consist of letters, digits and the characters - _ . and are those of [Server.User] and
// [Server.Group]. The lines are
//
//	NAME: TEXT                         the person says a text to the bot
//	NAME@GROUP: TEXT                   the person says it in a group, with all speakers of the script as members
//	NAME sealed: TEXT                  the person says it in an encrypted message
//	NAME sends FILE                    the person sends a file in the script's directory, such as a picture
//	NAME sends CATEGORY JSON           the person sends this data; a JSON string is sent as its text
//	NAME taps LABEL                    the person taps the newest button with this label that the script has read
//	NAME transfers AMOUNT ASSET memo   the person pays; ASSET is an id or BTC, ETH or XIN; memo is optional
//	bot> TEXT                          the next message of the bot outside groups
//	bot@GROUP> TEXT                    the next message of the bot in the group
//	bot> [buttons: LABEL, LABEL]       the next message has these buttons; also with @GROUP
//	bot> (nothing)                     the bot is idle, see [Server.Idle], and has sent nothing that was not read
//	cut                                cuts the connections, see [Server.Cut]
//	restart bot                        restarts the bot of [Start] or [Run]
//	wait 5m                            waits; in a testing/synctest bubble in virtual time
//	# ...                              a comment
//
// TEXT in a line of the bot is the whole text of the message; * matches any characters. White space at the ends of a
// line is ignored. For [blaze.Text] and [blaze.Post] it is the text itself, for other messages the category, a space
// and the data, as in PLAIN_STICKER {"sticker_id":"..."}. Encrypted messages are decrypted. A line waits up to five
// seconds for its message.
//
// A script reads the messages of each group, and those outside groups, in the order in which they were sent, except
// those that a Next method or an earlier script has read. Messages may be left at its end. Audio and video files are
// not parsed: they are sent with a duration of one second, videos with 640 by 360 pixels.
//
// A failed line is reported with the message and the lines before it. The script continues after an unexpected message,
// and ends at a missing one. A script with an invalid line is not played.
//
// To write the bot's messages to the file, run the test with -update, a flag that many tests define. If the program
// does not define it, set BLAZE_UPDATE=1 in the environment. Lines that match stay unchanged, with their *; others are
// replaced, and missing ones are added. Line breaks within a text become *.
//
// Only one Script at a time can be played on a Server.
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
	// A TB has no context. Each line has a timeout.
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

// updating reports whether scripts are to be updated. The program owns the flag.
func updating() bool {
	f := flag.Lookup("update")
	if f == nil {
		return os.Getenv("BLAZE_UPDATE") == "1"
	}
	return f.Value.String() == "true"
}
