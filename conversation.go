package blaze

import (
	"context"
)

// OpenConversation makes the conversation between the bot and a user, so that the bot can write first: [Client.Send] to a user who never
// wrote to the bot is refused before. It returns the conversation's id, which is also [Client.ConversationWith]; one that is there
// already is left as it is. It works before, during and without Run. Its error is an [InvalidError], an *[Error], that of ctx, or why
// nothing was answered; it may be called again after each.
//
// Source: POST /conversations of the service's HTTP API.
func (c *Client) OpenConversation(ctx context.Context, userID string) (conversationID string, err error) {
	user, ok := canonicalUUID(userID)
	if !ok {
		return "", invalid("userID", "is not a UUID")
	}
	type participant struct {
		UserID string `json:"user_id"`
	}
	err = c.rest.Do(ctx, "POST", "/conversations", struct {
		Category       string        `json:"category"`
		ConversationID string        `json:"conversation_id"`
		Participants   []participant `json:"participants"`
	}{"CONTACT", c.ConversationWith(user), []participant{{user}}}, nil)
	if err != nil {
		return "", httpError(err)
	}
	return c.ConversationWith(user), nil
}
