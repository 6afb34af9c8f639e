// Package tame makes text that a peer wrote fit for errors and logs: short, printable, and without keys and tokens.
// Peers repeat what they were sent, a signed token among it. It knows no token: it hides words that look like one, or
// like a part of one. A peer that cuts a token into words of less than 24 characters, without a longer one beside them,
// is not found out.
package tame

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Most is how many characters Text returns at most.
const Most = 200

const (
	hidden = "[...]"
	dots   = "..."
	// mostInput is how many bytes of a text are looked at. What is shown of it comes from its beginning.
	mostInput = 8 << 10
)

// The lengths from which a word with a digit or a capital is hidden. The words of a language are shorter, ids of the
// service are UUIDs, and the parts of a token, keys and digests are longer in each of their encodings.
const (
	longWord  = 32 // any
	oddWord   = 24 // with two digits
	nextWord  = 16 // near a hidden one, as where a key was cut into lines, or the beginning of a token
	uuidChars = 36
)

// Text returns s as at most 200 printable characters on one line. Characters that cannot be printed are escaped as in
// Go. Words that may be keys or tokens are replaced by "[...]". Text of a result of Text is the same text.
func Text(s string) string { return Line(s, Most) }

// Quote is Text in quotes, in which quotes and backslashes are escaped, too.
func Quote(s string) string {
	quoted := strconv.Quote(s[:min(len(s), mostInput)])
	return `"` + cut(Hide(quoted[1:len(quoted)-1]), Most) + `"`
}

// Line is Text with another bound, in characters.
func Line(s string, most int) string {
	if len(s) > mostInput {
		s = s[:mostInput]
	}
	return cut(Hide(escape(s)), most)
}

// Hide returns s with "[...]" in place of each word that may be a key or a token. UUIDs stay.
func Hide(s string) string {
	var b strings.Builder
	copied := 0 // bytes of s
	last := -1  // the end of the hidden word before, or of a word that follows it closely
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

// inWord reports whether a character occurs in base64, base64url, hex or percent-encoding. A dot does not: it stands
// between the parts of a token, and between those of host names.
func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_+/=%~", c) >= 0
}

// span is a part of a text.
type span struct{ from, to int }

// outsideUUIDs returns what is before, between and after the UUIDs in a word.
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

// looksSecret reports whether a word may be a key or a part of a token. follows says that a hidden word is near.
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
	// The JSON of a token's head begins with {" in base64.
	return follows || strings.EqualFold(word[:len("eyJ")], "eyJ")
}

// escape writes what cannot be printed as Go does.
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

// cut shortens s to so many characters, the dots among them.
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

// wholeUUIDs returns end, or where the UUID begins that would be cut there: a part of one looks like a secret.
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
