package blaze

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// inputScheme begins the action of a button that makes the user say the rest.
const inputScheme = "input:"

// actionSchemes are the schemes of addresses that Messenger's apps open themselves or pass to another app of the phone.
// Web addresses and input: have rules of their own.
var actionSchemes = map[string]bool{
	"mixin": true, "mailto": true, "tel": true, "sms": true, "geo": true,
	"bitcoin": true, "lightning": true, "ethereum": true, "litecoin": true, "dogecoin": true, "dash": true,
	"bitcoincash": true, "monero": true, "solana": true, "tron": true, "ton": true,
}

// action validates the action of a button or card. The scheme of an address is case-insensitive; "input:" is not.
func (v *validation) action(field, s string) {
	text, says := strings.CutPrefix(s, inputScheme)
	scheme, rest, _ := strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	switch {
	case says:
		v.check(strings.TrimSpace(text) != "", field, "lacks the text after input:")
		v.text(field, text)
	case scheme == "http" || scheme == "https":
		v.url(field, s)
	//mutant:action-scheme
	default:
		v.check(actionSchemes[scheme] && rest != "", field, `must begin with "https://", "mixin://" or another scheme `+
			`that the apps open, or with "input:", followed by the text that the user says`)
	}
}

// url validates a web address. It may be empty.
func (v *validation) url(field, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	v.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", field,
		`must be an address that begins with "https://" or "http://" and a host`)
}

// text validates that a text is UTF-8.
func (v *validation) text(field, s string) {
	v.check(utf8.ValidString(s), field, "is not UTF-8; strings.ToValidUTF8 replaces what is not")
}

// thumbnail validates the characters of a thumbnail. The sample in the service's list of websocket messages is not
// complete base64, so its length is not checked.
func (v *validation) thumbnail(field, s string) {
	isOther := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+/-_=", r)
	}
	v.check(!strings.ContainsFunc(s, isOther), field, "must be the picture in base64, without \"data:\" before it")
}
