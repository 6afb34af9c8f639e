package blazetest

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxScript is the maximum size of a script in bytes.
const maxScript = 1 << 20

// step is the kind of a line.
type step int

const (
	stepComment step = iota // or an empty line
	stepSays
	stepEncrypted
	stepSendsFile
	stepSendsJSON
	stepTaps
	stepTransfers
	stepBotSays
	stepBotButtons
	stepBotNothing
	stepCut
	stepRestart
	stepWait
)

// scriptLine is one line of a script.
type scriptLine struct {
	number int    // from 1
	raw    string // the line in the file, without its end
	step   step
	who    string // name of the person; "" in other lines
	group  string // name of the group; "" outside groups
	arg    string // text, pattern, file, label or memo
	kind   string // category or asset
	amount string
	wait   time.Duration
}

// text returns the line for reports.
func (l *scriptLine) text() string { return strings.TrimSpace(l.raw) }

// bot reports whether the line is about a message of the bot.
func (l *scriptLine) bot() bool { return l.step == stepBotSays || l.step == stepBotButtons }

// scriptError is the error of an invalid line.
type scriptError struct {
	line   int
	reason string
}

func (e *scriptError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// parseScript parses a script. The error has a *scriptError for each invalid line.
func parseScript(text string) ([]scriptLine, error) {
	if len(text) > maxScript {
		return nil, fmt.Errorf("the script has %d bytes; at most %d are allowed", len(text), maxScript)
	}
	var lines []scriptLine
	var errs []error
	for i, raw := range strings.Split(text, "\n") {
		l := scriptLine{number: i + 1, raw: raw}
		if reason := l.parse(); reason != "" {
			errs = append(errs, &scriptError{l.number, reason})
		}
		lines = append(lines, l)
	}
	return lines, errors.Join(errs...)
}

// parse parses the line. It returns the reason if the line is invalid.
func (l *scriptLine) parse() (reason string) {
	text := l.text()
	first, rest, _ := strings.Cut(text, " ")
	switch {
	case !utf8.ValidString(text):
		return "invalid UTF-8"
	case text == "" || text[0] == '#':
		return ""
	case text == "cut":
		l.step = stepCut
		return ""
	case text == "restart bot":
		l.step = stepRestart
		return ""
	case first == "wait":
		return l.parseWait(strings.TrimSpace(rest))
	}
	name, rest := cutName(text)
	if name == "" {
		return fmt.Sprintf("%q must begin with a name, cut, restart bot, wait or #", text)
	}
	if after, ok := strings.CutPrefix(rest, "@"); ok {
		if l.group, rest = cutName(after); l.group == "" {
			return "group name missing after @"
		}
	}
	if name == "bot" {
		return l.parseBot(rest)
	}
	l.who = name
	return l.parseAct(rest)
}

// cutName splits text after a leading name: letters, digits and - _ .
func cutName(text string) (name, rest string) {
	end := strings.IndexFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end:]
}

func (l *scriptLine) parseWait(arg string) (reason string) {
	d, err := time.ParseDuration(arg)
	if err != nil || d <= 0 {
		return fmt.Sprintf("wait needs a duration such as 5m or 1.5s, not %q", arg)
	}
	l.step, l.wait = stepWait, d
	return ""
}

// parseBot parses the rest of the line after the bot's name.
func (l *scriptLine) parseBot(rest string) (reason string) {
	rest, ok := strings.CutPrefix(rest, ">")
	if !ok {
		return "a line of the bot must be bot> TEXT or bot@GROUP> TEXT"
	}
	l.arg = strings.TrimSpace(rest)
	switch labels, buttons := strings.CutPrefix(l.arg, buttonsBegin); {
	case l.arg == "":
		return "text missing after bot>; use * for any text"
	case l.arg == nothing && l.group != "":
		return "bot> " + nothing + " applies to all conversations; remove the group"
	case l.arg == nothing:
		l.step = stepBotNothing
	case !buttons:
		l.step = stepBotSays
	case !strings.HasSuffix(labels, "]"):
		return "] missing after the buttons"
	default:
		l.step, l.arg = stepBotButtons, normalLabels(strings.TrimSuffix(labels, "]"))
	}
	return ""
}

const (
	nothing      = "(nothing)"
	buttonsBegin = "[buttons:"
)

// normalLabels puts one space after each comma.
func normalLabels(labels string) string {
	all := strings.Split(labels, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return strings.Join(all, ", ")
}

// parseAct parses the rest of a person's line.
func (l *scriptLine) parseAct(rest string) (reason string) {
	if text, ok := strings.CutPrefix(rest, ":"); ok {
		l.step, l.arg = stepSays, strings.TrimSpace(text)
		return needed(l.arg, "text missing after the colon")
	}
	verb, arg, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !strings.HasPrefix(rest, " ") {
		return "colon or space missing after the name"
	}
	if before, text, ok := strings.Cut(verb, ":"); ok { // no space after the colon
		verb, arg = before+":", text+" "+arg
	}
	l.arg = strings.TrimSpace(arg)
	switch verb {
	case "sealed:":
		l.step, reason = stepEncrypted, needed(l.arg, "text missing after the colon")
	case "sends":
		reason = l.parseSends()
	case "taps":
		l.step, reason = stepTaps, needed(l.arg, "taps needs the label of a button")
	case "transfers":
		reason = l.parseTransfer()
	default:
		return fmt.Sprintf("%q must be sealed:, sends, taps or transfers", verb)
	}
	if reason == "" && l.group != "" {
		reason = "only texts can be sent to a group: " + l.who + "@" + l.group + ": TEXT"
	}
	return reason
}

func needed(s, otherwise string) (reason string) {
	if s == "" {
		return otherwise
	}
	return ""
}

// parseSends distinguishes a category from the name of a file.
func (l *scriptLine) parseSends() (reason string) {
	first, rest, more := strings.Cut(l.arg, " ")
	switch {
	case l.arg == "":
		return "sends needs a file, or a category and JSON"
	case isCategory(first) && !more:
		return "sends " + first + " needs JSON after the category"
	case isCategory(first):
		l.step, l.kind, l.arg = stepSendsJSON, first, strings.TrimSpace(rest)
		_, reason = jsonData(l.arg)
		return reason
	}
	l.step = stepSendsFile
	return ""
}

// isCategory reports whether s has the form of PLAIN_TEXT.
func isCategory(s string) bool {
	return strings.Contains(s, "_") && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func (l *scriptLine) parseTransfer() (reason string) {
	fields := strings.Fields(l.arg)
	if len(fields) < 2 {
		return "transfers needs an amount and an asset"
	}
	l.step, l.amount = stepTransfers, fields[0]
	if l.kind, reason = assetID(fields[1]); reason != "" {
		return reason
	}
	l.arg = strings.Join(fields[2:], " ")
	return checkAmount(l.amount)
}

// checkAmount returns the reason if Transfer does not accept the amount.
func checkAmount(amount string) (reason string) {
	if !isAmount(amount) {
		return fmt.Sprintf("the amount %q must be a positive decimal number with at most eight decimals", amount)
	}
	return ""
}
