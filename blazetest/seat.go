package blazetest

import (
	"context"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// seat is the position of a user in a conversation with the bot.
type seat struct {
	s            *Server
	user         *User
	conversation string
	cursor       int // index into Server.sent; guarded by Server.mu
}

// send delivers a payload to the bot, encrypted if required.
func (t *seat) send(p blaze.Payload, encrypted bool) (messageID string, misuse *controlError) {
	return t.s.deliver(t.user.id, blaze.Outgoing{ConversationID: t.conversation, Payload: p, Encrypted: encrypted})
}

func (t *seat) next(ctx context.Context) (blaze.Outgoing, error) {
	return t.s.nextIn(ctx, t.conversation, &t.cursor, func() []string { return []string{t.user.id} })
}

// nextIn waits for the next message of a conversation after a cursor, and decrypts it with the session of one of the
// readers. readers is called with s.mu held.
func (s *Server) nextIn(
	ctx context.Context, conversation string, cursor *int, readers func() []string,
) (blaze.Outgoing, error) {
	var found sentMessage
	err := s.await(ctx, func() bool {
		for *cursor < len(s.sent) {
			out := s.sent[*cursor]
			*cursor++
			if out.ConversationID == conversation {
				found = sentMessage{out, readers()}
				return true
			}
		}
		return false
	})
	if err != nil {
		return blaze.Outgoing{}, err
	}
	return found.decrypted(), nil
}

// sentMessage is a message of the bot, and the ids of its readers.
type sentMessage struct {
	out     blaze.Outgoing
	readers []string
}

// sentTo returns a message with the members of its conversation as readers. The caller holds s.mu.
func (s *Server) sentTo(out blaze.Outgoing) sentMessage {
	return sentMessage{out, s.readers(out.ConversationID)}
}

// decrypted returns the message, decrypted for the first reader that can decrypt it. It may derive many keys, so the
// caller must not hold s.mu.
func (m sentMessage) decrypted() blaze.Outgoing {
	out := m.out
	raw, encrypted := out.Payload.(blaze.Raw)
	if !encrypted || !raw.As.Encrypted() {
		return out
	}
	for _, id := range m.readers {
		own, err := sessionOf(id)
		if err != nil {
			raw.Err = err
			continue
		}
		data, err := seal.Open(own, own.SessionID(), raw.Data)
		if err == nil {
			out.Payload = blaze.DecodePayload(plain(raw.As), data)
			return out
		}
		raw.Err = err
	}
	out.Payload = raw
	return out
}

// plain returns the category of the content of an encrypted message.
func plain(c blaze.Category) blaze.Category {
	return "PLAIN_" + blaze.Category(strings.TrimPrefix(string(c), "ENCRYPTED_"))
}
