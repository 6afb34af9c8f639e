// Group is a bot for groups. It introduces itself, welcomes new members, and answers commands that mention it. It is
// silent about everything else.
//
// Without a keystore a conversation is played in memory. With one, add the bot to a group, and write "@", its identity
// number and a command:
//
//	go run ./examples/group
//	BLAZE_KEYSTORE=keystore.json go run ./examples/group
package main

import (
	"context"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

func main() { show.Demo{Bot: newBot, Talk: talk}.Main() }

func newBot(c *blaze.Client) blaze.Handler {
	return blaze.Route(
		blaze.On(func(ctx context.Context, m *blaze.Message, change blaze.SystemConversation) error {
			return welcome(ctx, c, m, change)
		}),
		blaze.Commands(c, blaze.CommandSpec{
			Name: "/who", Help: "the members of this group",
			Do: func(ctx context.Context, m *blaze.Message, _ string) error {
				if !m.Group {
					return c.Reply(ctx, m, blaze.Text("Please ask in a group."))
				}
				return who(ctx, c, m)
			},
		}),
		// In a group, Commands and Mentioned decline messages that do not mention the bot.
		blaze.Mentioned(c, blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Text) error {
			return c.Quote(ctx, m, blaze.Text("/help lists what I can do."))
		})),
	)
}

// welcome introduces the bot to a group that it is new in, and greets other new members.
func welcome(ctx context.Context, c *blaze.Client, m *blaze.Message, change blaze.SystemConversation) error {
	joined := change.Action == "ADD" || change.Action == "JOIN"
	var out blaze.Outgoing
	switch {
	case m.ConversationID == "":
		return nil // an answer would have no destination
	case change.Action == "CREATE", joined && change.ParticipantID == c.AppID():
		out = m.NewReply(blaze.Text("Hello. Mention me with a command, for example /help."))
		out.MessageID = blaze.DeriveID("hello", c.AppID(), m.ConversationID) // once in each group
	case joined:
		member, err := c.User(ctx, change.ParticipantID)
		if err != nil {
			return err
		}
		out = m.NewReply(blaze.Textf("Welcome, @%s!", member.IdentityNumber))
		out.Mentions = []string{member.ID}
	default:
		return nil // EXIT, REMOVE and others
	}
	_, err := c.Send(ctx, out)
	return err
}

// who answers with the names of the members.
func who(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
	var group struct {
		Name         string `json:"name"`
		Participants []struct {
			UserID string `json:"user_id"`
		} `json:"participants"`
	}
	if err := c.Call(ctx, "GET", "/conversations/"+m.ConversationID, nil, &group); err != nil {
		return err
	}
	var ids []string
	for _, p := range group.Participants {
		if p.UserID != c.AppID() {
			ids = append(ids, p.UserID)
		}
	}
	users, err := c.Users(ctx, ids...)
	if err != nil {
		return err
	}
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.FullName
	}
	return c.Quote(ctx, m, blaze.Textf("%s: %s", group.Name, strings.Join(names, ", ")))
}

// talk is the demo.
func talk(ctx context.Context, st *show.Stage) error {
	alice, bob := st.User("alice"), st.User("bob")
	group := st.Group("tea", alice)
	if err := st.Idle(ctx); err != nil {
		return err
	}
	group.Add(bob)
	for _, say := range []struct {
		who  *blazetest.User
		text string
	}{
		{alice, "hello bob"},
		{bob, "/who is this bot?"},
		{bob, "@7000000001 /who"},
		{alice, "@7000000001 thanks"},
	} {
		if err := st.Idle(ctx); err != nil {
			return err
		}
		group.As(say.who).Say(say.text)
	}
	return nil
}
