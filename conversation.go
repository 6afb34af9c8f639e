package blaze

import (
	"context"
)

// OpenConversation makes the conversation between the bot and a user, so that the bot can write first: before that,
// [Client.Send] to a user who never wrote to the bot is refused. It returns the conversation's id, which is also
// [Client.ConversationWith]. A conversation that exists is left as it is. It works before, during and without Run.
//
// Its error is an [InvalidError], an *[Error], that of ctx, or [ErrNoAnswer]; it may be called again after each. An
// answer without the id of this conversation is none of the service's, and counts as no answer.
//
// Source: POST /conversations of the service's HTTP API.
func (c *Client) OpenConversation(ctx context.Context, userID string) (conversationID string, err error) {
	user, ok := canonicalUUID(userID)
	if !ok {
		return "", invalid("userID", "is not a UUID")
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
