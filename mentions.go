package blaze

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// maxMentions is the number of mentions of a text that are read, repeated ones included.
const maxMentions = 256

// errNotAddressed is the result of a handler that declines a message because it does not address the bot. It is not
// logged.
var errNotAddressed = fmt.Errorf("%w: the message does not address the bot", ErrNotHandled)

// mentionsOf returns the identity numbers mentioned in a text or post, in order, each once.
func mentionsOf(p Payload) []string {
	switch p := p.(type) {
	case Text:
		return mentionsIn(string(p))
	case Post:
		return mentionsIn(string(p))
	}
	return nil
}

func mentionsIn(text string) (numbers []string) {
	for start, end := range eachMention(text) {
		//mutant:mentions-once
		if number := text[start+1 : end]; !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// eachMention returns the positions of the mentions in a text, from @ to the end of the number. There are at most
// maxMentions. A mention is an @ and at least minNumber digits, whatever is around it.
func eachMention(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for at, found := 0, 0; found < maxMentions; {
			next := strings.IndexByte(text[at:], '@')
			if next < 0 {
				return
			}
			start := at + next
			at = start + 1 + len(leadingDigits(text[start+1:]))
			if !isNumber(text[start+1 : at]) {
				continue
			}
			if found++; !yield(start, at) {
				return
			}
		}
	}
}
