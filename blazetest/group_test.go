package blazetest_test

import (
	"context"
	"encoding/base64"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const nobody = "00000000-0000-0000-0000-000000000000"

// change reads a pushed SYSTEM_CONVERSATION message, which has no author.
func (c *raw) change(conversation string) blaze.SystemConversation {
	c.t.Helper()
	m := c.pushed()
	require.Equal(c.t, "SYSTEM_CONVERSATION", m.Category)
	require.Equal(c.t, conversation, m.ConversationID)
	require.Equal(c.t, nobody, m.UserID)
	data, err := base64.StdEncoding.DecodeString(m.Data)
	require.NoError(c.t, err)
	change, ok := blaze.DecodePayload(blaze.CategorySystemConversation, data).(blaze.SystemConversation)
	require.True(c.t, ok)
	return change
}

// The bot is notified of a new group and of changes of its members.
func TestGroupTellsTheBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := connectAndList(t, s)
		alice, bob, carol := s.User("alice"), s.User("bob"), s.User("carol")
		staff := s.Group("staff", alice, bob)
		require.Equal(t, "staff", staff.Name())
		require.Equal(t, blaze.SystemConversation{Action: "CREATE", UserID: alice.ID()}, c.change(staff.ID()))

		require.Same(t, staff, s.Group("staff", bob, carol))
		add := blaze.SystemConversation{Action: "ADD", ParticipantID: carol.ID(), UserID: alice.ID()}
		require.Equal(t, add, c.change(staff.ID()), "bob was there")
		staff.Remove(bob)
		remove := blaze.SystemConversation{Action: "REMOVE", ParticipantID: bob.ID(), UserID: alice.ID()}
		require.Equal(t, remove, c.change(staff.ID()))
		require.Empty(t, staff.As(bob).Say("still here?"))
		require.Equal(t, []string{"blazetest: bob is not in the group staff"}, f.take())
		require.Empty(t, staff.As(bob).SendEncrypted(blaze.Text("still here?")))
		require.Len(t, f.take(), 1)
		staff.Remove(bob)
		require.Equal(t, []string{"blazetest: Remove: bob is not in the group staff"}, f.take())

		staff.Add(bob)
		add.ParticipantID = bob.ID()
		require.Equal(t, add, c.change(staff.ID()))
		staff.Add(bob)
		id := staff.As(bob).Say("back")
		m := c.pushed()
		require.Equal(t, id, m.MessageID, "and nothing before it")
		require.Equal(t, staff.ID(), m.ConversationID)
		require.Equal(t, bob.ID(), m.UserID)
		require.Same(t, staff.As(bob), staff.As(bob))
		require.Same(t, bob, staff.As(bob).User())
	})
}

// A bot that has left a group is not notified of its changes, and receives no messages in it.
func TestGroupWithoutTheBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws, api := connectAndList(t, s), newRESTClient(t, s)
		alice, bob := s.User("alice"), s.User("bob")
		staff := s.Group("staff", alice, alice, bob)
		require.Equal(t, "CREATE", ws.change(staff.ID()).Action)
		left := api.get("POST", "/conversations/"+staff.ID()+"/exit", nil)
		require.Equal(t, []string{alice.ID(), bob.ID()}, users(left))
		require.Equal(t, "EXIT", ws.change(staff.ID()).Action)
		before := len(s.Pending())
		staff.Remove(bob)
		staff.Add(s.User("carol"))
		require.Empty(t, staff.As(alice).Say("is it gone?"))
		require.Equal(t, []string{"blazetest: the bot is not in the group staff"}, f.take())
		require.Len(t, s.Pending(), before)
	})
}

// A bot receives the messages of every member of a group, and answers in the group.
func TestTalkInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var groups []bool
		s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
			return blaze.Route(
				blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
					groups = append(groups, m.Group)
					return c.Reply(ctx, m, text)
				}),
				blaze.On(func(context.Context, *blaze.Message, blaze.SystemConversation) error { return nil }),
			)
		}, nil)
		alice, bob := s.User("alice"), s.User("bob")
		staff := s.Group("staff", alice, bob)
		staff.As(bob).Say("@7000000001 help")
		require.Equal(t, blaze.Text("@7000000001 help"), nextOf(t, staff).Payload)
		staff.As(alice).SendEncrypted(blaze.Text("@7000000001 secret"))
		require.Equal(t, blaze.Text("@7000000001 secret"), nextOf(t, staff).Payload)
		bob.Say("alone")
		require.Equal(t, blaze.Text("alone"), nextOf(t, bob).Payload)
		require.NoError(t, s.Idle(t.Context()))
		require.Equal(t, []bool{true, true, false}, groups)
	})
}

// Deliver to an unknown conversation creates a group, in which the bot may answer.
func TestDeliverMakesAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws, api := connect(t, s), newRESTClient(t, s)
		alice, bob := blazetest.UserID("alice"), blazetest.UserID("bob")
		s.Deliver(alice, blaze.Outgoing{ConversationID: id1, Payload: blaze.Text("1")})
		s.Deliver(bob, blaze.Outgoing{ConversationID: id1, Payload: blaze.Text("2")})
		require.Nil(t, ws.call(wire.ActionCreateMessage, textMessage(object{"recipient_id": bob})).Error)
		group := api.get("GET", "/conversations/"+id1, nil)
		require.Equal(t, "GROUP", group["category"])
		require.Equal(t, []string{alice, s.Key.AppID, bob}, users(group))

		api.get("POST", "/conversations/"+id1+"/exit", nil)
		require.Empty(t, s.Deliver(alice, blaze.Outgoing{ConversationID: id1, Payload: blaze.Text("3")}))
		require.Equal(t, []string{"blazetest: Deliver: the bot is not in the conversation " + id1}, f.take())
	})
}

// users returns the ids of a conversation's participants.
func users(conversation object) []string {
	var ids []string
	for _, p := range conversation["participants"].([]any) {
		ids = append(ids, p.(object)["user_id"].(string))
	}
	return ids
}

// Every member of a group is a known user, also a User of another server.
func TestMembersAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		other, _ := newServer(t)
		s.Group("staff", other.User("alice")).Add(other.User("bob"))
		found := newRESTClient(t, s).list("POST", "/users/fetch", []string{
			blazetest.UserID("alice"), blazetest.UserID("bob"),
		})
		require.Len(t, found, 2)
	})
}
