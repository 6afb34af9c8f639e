package blazetest

import (
	"encoding/base64"
	"slices"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// leave ends a membership.
func (c *conversation) leave(id string) {
	c.members = slices.DeleteFunc(c.members, func(m member) bool { return m.id == id })
}

// announce tells the bot what changed in a conversation, by a message that nobody wrote. The caller holds s.mu, and has
// checked that the bot is in the conversation, or was until now.
func (s *Server) announce(c *conversation, change blaze.SystemConversation) {
	data, err := blaze.EncodePayload(change)
	if err != nil {
		return // it is made of ids and constants
	}
	s.post(serve.View{
		Type: "message", ConversationID: c.id, UserID: systemUser, MessageID: serve.NewID(),
		Category: string(blaze.CategorySystemConversation), Status: string(blaze.StatusSent),
		Data: base64.StdEncoding.EncodeToString(data), DataBase64: base64.RawURLEncoding.EncodeToString(data),
	})
}
