package blazetest

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// like reports whether text matches pattern. Each * matches any characters, or none.
func like(pattern, text string) bool {
	star, tried := -1, 0 // index of the last * in pattern, and the end of its match in text
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, tried = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			tried++
			p, t = star+1, tried
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// lineText returns the text of a payload in scripts: that of a text or post, the labels of buttons, or category and
// data.
func lineText(p blaze.Payload) string {
	switch p := p.(type) {
	case blaze.Text:
		return string(p)
	case blaze.Post:
		return string(p)
	case blaze.ButtonGroup:
		return buttonsBegin + " " + labelsOf(p) + "]"
	}
	data, err := blaze.EncodePayload(p)
	if err != nil { // a client can send payloads that EncodePayload does not accept
		return string(p.Category())
	}
	return string(p.Category()) + " " + string(data)
}

// buttonsOf returns the buttons of a message.
func buttonsOf(p blaze.Payload) []blaze.Button {
	switch p := p.(type) {
	case blaze.ButtonGroup:
		return p
	case blaze.Card:
		return p.Actions
	}
	return nil
}

func labelsOf(buttons []blaze.Button) string {
	labels := make([]string, len(buttons))
	for i, b := range buttons {
		labels[i] = b.Label
	}
	return normalLabels(strings.Join(labels, ","))
}

// matches reports whether a message matches the line.
func (l *scriptLine) matches(p blaze.Payload) bool {
	if l.step == stepBotButtons {
		buttons := buttonsOf(p)
		return len(buttons) > 0 && like(l.arg, labelsOf(buttons))
	}
	if _, buttons := p.(blaze.ButtonGroup); buttons {
		return l.step == stepBotSays && l.arg == "*"
	}
	return l.step == stepBotSays && like(l.arg, lineText(p))
}

// written returns the most specific line that matches a message. Text that a line cannot contain becomes *.
func written(group string, p blaze.Payload) string {
	who := "bot> "
	if group != "" {
		who = "bot@" + group + "> "
	}
	if g, ok := p.(blaze.ButtonGroup); ok {
		if len(g) == 0 {
			return who + "*"
		}
		return who + buttonsBegin + " " + starred(labelsOf(g)) + "]"
	}
	text := starred(lineText(p))
	if text == "" || text == nothing || strings.HasPrefix(text, buttonsBegin) {
		text = "*" + text
	}
	return who + text
}

// starred replaces each run of characters that a line cannot contain with *: control characters including line breaks,
// invalid UTF-8, and white space at both ends.
func starred(text string) string {
	var b strings.Builder
	star := false
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsControl(r) || r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029':
			if !star {
				b.WriteByte('*')
			}
			star = true
		default:
			star = false
			b.WriteRune(r)
		}
	}
	line := b.String()
	if trimmed := strings.TrimLeftFunc(line, unicode.IsSpace); trimmed != line {
		line = "*" + trimmed
	}
	if trimmed := strings.TrimRightFunc(line, unicode.IsSpace); trimmed != line {
		line = trimmed + "*"
	}
	return line
}

// jsonData returns the data for a line with JSON. A JSON string stands for its text, so that texts and posts can have
// several lines.
func jsonData(text string) (data []byte, reason string) {
	if !json.Valid([]byte(text)) {
		return nil, "invalid JSON: " + text
	}
	if text[0] == '"' {
		var s string
		_ = json.Unmarshal([]byte(text), &s) // it is valid
		return []byte(s), ""
	}
	return []byte(text), ""
}

// assets has the ids of well-known assets by symbol.
var assets = map[string]string{
	"BTC": "c6d0c728-2624-429b-8e0d-d9d19b6592fa",
	"ETH": "43d61dcd-e413-450d-80b8-101d5e903357",
	"XIN": "c94ac88f-4671-3976-b60a-09064f1811e8",
}

// assetID returns the id of an asset, given by id or symbol.
func assetID(asset string) (id, reason string) {
	if id, ok := assets[asset]; ok {
		return id, ""
	}
	if !serve.IsUUID(asset) {
		return "", "the asset must be a UUID in lowercase, BTC, ETH or XIN, not " + asset
	}
	return asset, ""
}
