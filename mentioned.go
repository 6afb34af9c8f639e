package blaze

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/mixin-blaze/blaze/internal/words"
)

// Mentioned returns a Handler that calls h if the bot is addressed, and declines all other messages. In a group the bot
// is addressed by a mention of its identity number, such as "@7000101488 price", in a text or a post. A message
// encrypted for the bot addresses it too: apps encrypt a text in a group for the bot that it mentions. Outside groups
// every message addresses the bot.
//
// h gets a copy of the message, without mentions of the bot and the white space around them in Payload; Data and
// Mentions are unchanged. If nothing but the mention was written, Payload is empty.
//
// For messages that mention somebody, Mentioned calls [Client.Me], and waits for it up to five seconds. Its error is
// returned for a message that would not address the bot otherwise. For the others, the mention stays in the payload. A
// message that Mentioned declines is not logged as declined by every handler. Only ASCII characters make a mention.
func Mentioned(c *Client, h Handler) Handler {
	if c == nil || h == nil {
		mistake("Mentioned: the client or the handler is nil")
	}
	return func(ctx context.Context, m *Message) error {
		numbers := m.Mentions
		if numbers == nil { // a Message constructed by hand
			numbers = mentionsOf(m.Payload)
		}
		addressed := !m.Group || m.encryptedForBot()
		if len(numbers) > 0 {
			me, err := c.identity.soon(ctx)
			switch {
			case err != nil && !addressed:
				return err
			case err == nil && slices.Contains(numbers, me.IdentityNumber):
				m, addressed = m.withoutMention(me.IdentityNumber), true
			}
		}
		//mutant:mentioned-declines
		if !addressed {
			return errNotAddressed
		}
		return h(ctx, m)
	}
}

// encryptedForBot reports whether the message was encrypted for the bot, and decrypted.
func (m *Message) encryptedForBot() bool {
	raw, isRaw := m.Payload.(Raw)
	return m.Category.Encrypted() && (!isRaw || raw.Err == nil)
}

// withoutMention returns a copy of m without mentions of a number in its payload. Replies to both count together.
func (m *Message) withoutMention(number string) *Message {
	m.counter() // the copy shares it
	own := *m
	switch p := m.Payload.(type) {
	case Text:
		own.Payload = Text(cutMentions(string(p), number))
	case Post:
		own.Payload = Post(cutMentions(string(p), number))
	}
	return &own
}

// cutMentions removes the mentions of a number from a text. White space after a mention is removed too if there is
// some before it, or nothing, so that the words around it stay apart.
func cutMentions(text, number string) string {
	var b strings.Builder
	rest := 0
	for start, end := range eachMention(text) {
		if text[start+1:end] != number {
			continue
		}
		b.WriteString(text[rest:start])
		rest = end
		if before := b.String(); strings.TrimRightFunc(before, words.Blank) != before || before == "" {
			rest = len(text) - len(strings.TrimLeftFunc(text[end:], words.Blank))
		}
	}
	b.WriteString(text[rest:])
	return strings.TrimFunc(b.String(), unicode.IsSpace)
}
