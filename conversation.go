package blaze

import (
	"context"
)

// OpenConversation creates the conversation between the bot and a user, so that the bot can write first. Without it,
// [Client.Send] to a user who never wrote to the bot is rejected. It returns the conversation's id, which equals
// [Client.ConversationWith]. An existing conversation is left unchanged. OpenConversation needs no Run and works at any
// time.
//
// The error is an [InvalidError], an *[Error], [ErrNoAnswer] or the error of ctx. A response without the id of this
// conversation is [ErrNoAnswer]. OpenConversation may be called again after any error.
//
// Source: POST /conversations of the service's HTTP API.
func (c *Client) OpenConversation(ctx context.Context, userID string) (conversationID string, err error) {
	user, ok := canonicalUUID(userID)
	if !ok {
		return "", invalid("userID", "%s", notUUID(userID))
	}
	id := c.ConversationWith(user)
	type participant struct {
		UserID string `json:"user_id"`
	}
	err = c.rest.Do(ctx, "POST", "/conversations", struct {
		Category       string        `json:"category"`
		ConversationID string        `json:"conversation_id"`
		Participants   []participant `json:"participants"`
	}{"CONTACT", id, []participant{{user}}}, &openedConversation{id})
	if err != nil {
		return "", httpError(err)
	}
	return id, nil
}
