package blaze

import (
	"context"
	"strings"
	"unicode"

	"github.com/mixin-blaze/blaze/internal/words"
)

// Command returns a Handler for texts that begin with a word such as "/price". It declines all others. name may include
// the slash; the text must. Case does not matter, and full-width characters ("／price") count as ASCII.
// Invisible characters such as U+200B or U+2068 in and around the word are ignored.
//
// An @mention before the word and one directly after it are skipped, as people write in groups: "@7000101488 /price
// BTC", "@7000101488/price BTC" and "/price@7000101488 BTC". In a group, if one has the identity number of somebody
// else, Command declines: it calls [Client.Me], waits for it up to five seconds, and returns its error. In a Message
// constructed by hand, the mention may name anybody. args is the rest of the text, without surrounding white space and
// invisible characters.
func Command(name string, fn func(ctx context.Context, m *Message, args string) error) Handler {
	plain := commandName("Command", name)
	if fn == nil {
		mistake("Command(%q): the function is nil", name)
	}
	return func(ctx context.Context, m *Message) error {
		text, ok := m.Payload.(Text)
		if !ok {
			return ErrNotHandled
		}
		before, word, args := cutCommand(string(text))
		bare, after := word, ""
		if !strings.EqualFold(bare, plain) {
			bare, after = cutLastMention(word)
		}
		if !strings.EqualFold(bare, plain) {
			return ErrNotHandled
		}
		for _, mention := range []string{before, after} {
			if err := m.namesAnother(ctx, mention); err != nil {
				return err
			}
		}
		return fn(ctx, m, args)
	}
}

// commandName returns the name of a command without the slash, normalized by words.Plain. It panics if that is not one
// word.
func commandName(function, name string) string {
	plain := strings.TrimPrefix(words.Plain(strings.TrimFunc(name, words.Blank)), "/")
	if plain == "" || strings.ContainsFunc(plain, unicode.IsSpace) {
		mistake("%s(%q): the name must be one word", function, name)
	}
	return plain
}

// namesAnother reports with errNotAddressed whether a mention, with or without text behind its number, has the number
// of somebody else. A mention without a number may name anybody, and so may each mention outside groups or in a Message
// constructed by hand.
func (m *Message) namesAnother(ctx context.Context, mention string) error {
	number := leadingDigits(strings.TrimPrefix(mention, "@"))
	if m.self == nil || !m.Group || !isNumber(number) {
		return nil
	}
	me, err := m.self.soon(ctx)
	switch {
	case err != nil:
		return err
	//mutant:command-other
	case me.IdentityNumber != number:
		return errNotAddressed
	}
	return nil
}

// cutCommand returns the word after the slash at the beginning of a text, normalized by words.Plain, and the rest.
// mention is the word before the slash, if it begins with @. word is empty if there is none.
func cutCommand(text string) (mention, word, args string) {
	word, args = cutWord(text)
	if strings.HasPrefix(word, "@") {
		mention = word
		if slash := strings.IndexByte(word, '/'); slash >= 0 {
			mention, word = word[:slash], word[slash:]
		} else {
			word, args = cutWord(args)
		}
	}
	word, ok := strings.CutPrefix(word, "/")
	if !ok {
		return "", "", ""
	}
	return mention, word, args
}

// cutLastMention divides a word before its last @. mention is empty if there is none.
func cutLastMention(word string) (before, mention string) {
	if at := strings.LastIndexByte(word, '@'); at >= 0 {
		return word[:at], word[at:]
	}
	return word, ""
}

// cutWord returns the first word of s, normalized by words.Plain, and the rest without surrounding blanks.
func cutWord(s string) (word, rest string) {
	s = strings.TrimFunc(s, words.Blank)
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return words.Plain(s[:i]), strings.TrimFunc(s[i:], words.Blank)
	}
	return words.Plain(s), ""
}
