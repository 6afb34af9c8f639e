// Package words compares what people type: it ignores invisible characters and full-width forms.
package words

import (
	"strings"
	"unicode"
)

// Plain removes invisible characters and replaces full-width characters with ASCII.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		const first, last = '！', '～' // U+FF01 to U+FF5E correspond to ASCII, in order
		switch {
		case invisible(r):
			return -1
		case first <= r && r <= last:
			return r - first + '!'
		}
		return r
	}, s)
}

// Blank reports whether a character is white space or invisible.
func Blank(r rune) bool { return unicode.IsSpace(r) || invisible(r) }

// invisible reports whether a character is invisible, such as those of zero width or direction. Two kinds of format
// characters are not counted: the signs before numbers, which are visible, and tags, which are part of the emoji of a
// flag.
func invisible(r rune) bool {
	const firstTag, lastTag = 0xE0020, 0xE007F
	const joiner = 0x034F // the combining grapheme joiner, which joins nothing
	if r == joiner || unicode.Is(unicode.Variation_Selector, r) {
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) &&
		(r < firstTag || r > lastTag)
}
