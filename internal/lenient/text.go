package lenient

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mostBroken is the maximum number of bytes of a text that are not valid UTF-8. Each becomes the three bytes of U+FFFD,
// so a text with many would become three times as long.
const mostBroken = 32

// unquote decodes a JSON string like encoding/json, with one allocation of at most the size of raw and a few bytes. ok
// is false for a text with more than mostBroken bytes that are not valid UTF-8.
func unquote(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	broken, plain := inspect(raw)
	//mutant:text-broken
	if broken > mostBroken {
		return "", false
	}
	if plain {
		return string(raw), true
	}
	var b strings.Builder
	b.Grow(len(raw) + 2*broken)
	for len(raw) > 0 {
		r, n := character(raw)
		if n == 0 {
			return "", false
		}
		b.WriteRune(r)
		raw = raw[n:]
	}
	return b.String(), true
}

// inspect returns the number of bytes that are not valid UTF-8, and whether the string needs no decoding.
func inspect(raw []byte) (broken int, plain bool) {
	plain = bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(raw, '"') < 0
	if utf8.Valid(raw) {
		return 0, plain
	}
	for rest := raw; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			broken++
		}
		rest = rest[n:]
	}
	return broken, false
}

// character returns the first character of a string and its encoded size, which is 0 for an invalid character.
func character(raw []byte) (r rune, size int) {
	switch {
	case raw[0] == '"':
		return 0, 0
	case raw[0] != '\\':
		return utf8.DecodeRune(raw)
	case len(raw) < 2:
		return 0, 0
	}
	if raw[1] != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, raw[1])
		if i < 0 {
			return 0, 0
		}
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := codeUnit(raw)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if second, ok := codeUnit(raw[6:]); ok {
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// codeUnit decodes \uXXXX.
func codeUnit(raw []byte) (r rune, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
