// Package tame sanitizes text from a peer for errors and logs: short, printable, and without keys and tokens. A peer
// may repeat text that it received, such as a signed token. The package hides words that look like a token or like a
// part of one. It does not detect a token that a peer cut into words of less than 24 characters without a longer one
// beside them.
package tame

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Most is the maximum number of characters that Text returns.
const Most = 200

const (
	hidden = "[...]"
	dots   = "..."
	// mostInput is the number of bytes of a text that are read. The result is made from its beginning.
	mostInput = 8 << 10
)

// The lengths from which a word with a digit or a capital is hidden. Words of a language are shorter, and ids of the
// service are UUIDs. Keys, digests and the parts of a token are longer in each of their encodings.
const (
	longWord  = 32 // any
	oddWord   = 24 // with two digits
	nextWord  = 16 // beside a hidden one, as in a key cut into lines, or like the beginning of a token
	uuidChars = 36
)

// Text returns s as at most 200 printable characters on one line. Other characters are escaped as in Go. Words that may
// be keys or tokens are replaced by "[...]". Text is idempotent.
func Text(s string) string { return Line(s, Most) }

// Quote is like Text, and returns a quoted string in which quotes and backslashes are escaped.
func Quote(s string) string {
	quoted := strconv.Quote(s[:min(len(s), mostInput)])
	return `"` + cut(Hide(quoted[1:len(quoted)-1]), Most) + `"`
}

// Line is like Text with a maximum of most characters.
func Line(s string, most int) string {
	if len(s) > mostInput {
		s = s[:mostInput]
	}
	return cut(Hide(escape(s)), most)
}

// Hide replaces each word of s that may be a key or a token by "[...]". UUIDs are not replaced.
func Hide(s string) string {
	var b strings.Builder
	copied := 0 // bytes of s
	last := -1  // the end of the last hidden word, or of a word close to it
	for i := 0; i < len(s); {
		if !inWord(s[i]) {
			i++
			continue
		}
		end := i
		for end < len(s) && inWord(s[end]) {
			end++
		}
		for _, w := range outsideUUIDs(s, i, end) {
			follows := last >= 0 && w.from-last <= len(`\r\`)
			if follows {
				last = w.to
			}
			if looksSecret(s[w.from:w.to], follows) {
				b.WriteString(s[copied:w.from] + hidden)
				copied, last = w.to, w.to
			}
		}
		i = end
	}
	if copied == 0 {
		return s
	}
	return b.String() + s[copied:]
}

// inWord reports whether a character occurs in base64, base64url, hex or percent-encoding. A dot does not: it separates
// the parts of a token, and those of a host name.
func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_+/=%~", c) >= 0
}

// span is a part of a text.
type span struct{ from, to int }

// outsideUUIDs returns the parts of a word before, between and after its UUIDs.
func outsideUUIDs(s string, from, to int) []span {
	var all []span
	for i := from; i+uuidChars <= to; i++ {
		if isUUID(s[i : i+uuidChars]) {
			all = append(all, span{from, i})
			from = i + uuidChars
			i = from - 1
		}
	}
	return append(all, span{from, to})
}

func isUUID(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// looksSecret reports whether a word may be a key or a part of a token. follows means that a hidden word is close
// before it.
func looksSecret(word string, follows bool) bool {
	if len(word) < nextWord {
		return false
	}
	digits, capitals := 0, 0
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			capitals++
		}
	}
	switch n := len(word); {
	case digits+capitals == 0:
		return false
	//mutant:tame-long
	case n >= longWord:
		return true
	case n >= oddWord && digits >= 2:
		return true
	}
	// The JSON header of a token begins with {" in base64.
	return follows || strings.EqualFold(word[:len("eyJ")], "eyJ")
}

// escape escapes characters that are not printable, as in Go.
func escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		piece := s[:size]
		if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			quoted := strconv.Quote(piece)
			piece = quoted[1 : len(quoted)-1]
		}
		b.WriteString(piece)
		s = s[size:]
	}
	return b.String()
}

// cut shortens s to most characters, including the dots.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	count, end := 0, 0
	for i := range s {
		if count == most-len(dots) {
			end = i
		}
		if count++; count > most {
			return s[:wholeUUIDs(s, end)] + dots
		}
	}
	return s
}

// wholeUUIDs returns end, or the beginning of a UUID that it would cut, because a part of a UUID looks like a secret.
func wholeUUIDs(s string, end int) int {
	for i := max(end-uuidChars+1, 0); i < end; i++ {
		if i+uuidChars <= len(s) && isUUID(s[i:i+uuidChars]) {
			return i
		}
	}
	return end
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
