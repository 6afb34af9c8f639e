package blaze

import (
	"context"
	"strings"
	"unicode"
)

// Command returns a Handler for texts that begin with a word such as "/price", and declines all others. Name may be
// given with or without the slash, which the text must have; case and full width ("／price") do not matter, nor do
// marks that show nothing, such as U+200B or U+2068, in the word and around it.
//
// One @mention before or behind the word is skipped, as people write in groups: "@7000101488 /price BTC",
// "@7000101488/price BTC" and "/price@7000101488 BTC". It may be a mention of anybody. What follows is args, without
// the white space and the marks around it.
func Command(name string, fn func(ctx context.Context, m *Message, args string) error) Handler {
	plain := strings.TrimPrefix(plainWord(strings.TrimFunc(name, blank)), "/")
	if plain == "" || strings.ContainsFunc(plain, unicode.IsSpace) {
		mistake("Command(%q): the name is one word", name)
	}
	if fn == nil {
		mistake("Command(%q): the function is nil", name)
	}
	return func(ctx context.Context, m *Message) error {
		text, ok := m.Payload.(Text)
		if !ok {
			return ErrNotHandled
		}
		word, args := cutCommand(string(text))
		if !strings.EqualFold(word, plain) && !strings.EqualFold(withoutMention(word), plain) {
			return ErrNotHandled
		}
		return fn(ctx, m, args)
	}
}

// cutCommand returns the word that follows the slash at the beginning of a text, as plainWord does, and the rest. It
// skips a mention before the slash. The word is empty if there is none.
func cutCommand(text string) (word, args string) {
	word, args = cutWord(text)
	if strings.HasPrefix(word, "@") {
		if slash := strings.IndexByte(word, '/'); slash >= 0 {
			word = word[slash:]
		} else {
			word, args = cutWord(args)
		}
	}
	word, ok := strings.CutPrefix(word, "/")
	if !ok {
		return "", ""
	}
	return word, args
}

// withoutMention returns a word without the mention at its end.
func withoutMention(word string) string {
	if at := strings.LastIndexByte(word, '@'); at >= 0 {
		return word[:at]
	}
	return word
}

// cutWord returns the first word of s, as plainWord does, and the rest without the blanks around it.
func cutWord(s string) (word, rest string) {
	s = strings.TrimFunc(s, blank)
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return plainWord(s[:i]), strings.TrimFunc(s[i:], blank)
	}
	return plainWord(s), ""
}

// plainWord returns a word without its invisible marks, and with characters of full width as those of ASCII.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		const first, last = '！', '～' // U+FF01 to U+FF5E are those of ASCII, in order
		switch {
		case invisible(r):
			return -1
		case first <= r && r <= last:
			return r - first + '!'
		}
		return r
	}, s)
}

// blank reports whether a character shows nothing.
func blank(r rune) bool { return unicode.IsSpace(r) || invisible(r) }

// invisible reports whether a character is a mark that shows nothing: those of zero width, of direction, and the like.
// Some format characters are none: signs before numbers are visible, and tags end the emoji of a flag.
func invisible(r rune) bool {
	const firstTag, lastTag = 0xE0020, 0xE007F
	const joiner = 0x034F // the combining grapheme joiner, which joins nothing
	if r == joiner || unicode.Is(unicode.Variation_Selector, r) {
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) &&
		(r < firstTag || r > lastTag)
}
