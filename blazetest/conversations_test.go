package blazetest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// newGroup creates a group of the bot with alice and bob, as the SDKs do.
func newGroup(c *restClient) (id string) {
	c.t.Helper()
	alice, bob := c.s.User("alice").ID(), c.s.User("bob").ID()
	id = blaze.GroupConversationID(c.s.Key.AppID, "rocks", id1, []string{alice, bob})
	group := c.get("POST", "/conversations", object{
		"category": "GROUP", "conversation_id": id, "name": "rocks", "announcement": "loud", "random_id": id1,
		"participants": []object{{"user_id": alice}, {"user_id": bob, "role": "ADMIN"}},
	})
	require.Equal(c.t, id, group["conversation_id"])
	return id
}

// The fields are those documented at developers.mixin.one, and participant_sessions and circles as the apps read them.
func TestConversationOverHTTP(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	id := newGroup(c)
	group := c.get("GET", "/conversations/"+id, nil)
	require.Equal(t, "conversation", group["type"])
	require.Equal(t, "GROUP", group["category"])
	require.Equal(t, "rocks", group["name"])
	require.Equal(t, "loud", group["announcement"])
	require.Equal(t, s.Key.AppID, group["creator_id"])
	require.Equal(t, "https://mixin.one/codes/"+group["code_id"].(string), group["code_url"])
	for _, key := range []string{"icon_url", "created_at", "mute_until", "circles"} {
		require.Contains(t, group, key)
	}
	alice, bob := s.User("alice").ID(), s.User("bob").ID()
	require.Equal(t, []string{s.Key.AppID, alice, bob}, users(group))
	var roles []string
	for _, p := range group["participants"].([]any) {
		roles = append(roles, p.(object)["role"].(string))
		require.Equal(t, "participant", p.(object)["type"])
		require.NotEmpty(t, p.(object)["created_at"])
	}
	require.Equal(t, []string{"OWNER", "", "ADMIN"}, roles)

	own := group["participant_sessions"].([]any)[0].(object)
	require.Equal(t, s.Key.AppID, own["user_id"])
	require.Equal(t, s.Key.SessionID, own["session_id"])
	fetched := c.list("POST", "/sessions/fetch", []string{s.Key.AppID, alice, bob})
	require.Len(t, fetched, 3)
	for i, p := range group["participant_sessions"].([]any) {
		require.Equal(t, fetched[i]["session_id"], p.(object)["session_id"])
		require.Equal(t, fetched[i]["public_key"], p.(object)["public_key"])
	}

	again := c.get("POST", "/conversations", object{"category": "GROUP", "conversation_id": id, "name": "other"})
	require.Equal(t, group, again, "a conversation that exists is left as it is")
	code, _ := c.rejection("GET", "/conversations/"+id2, nil)
	require.Equal(t, 404, code)
}

func TestContactOverHTTP(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	contact := object{
		"category": "CONTACT", "conversation_id": alice.ConversationID(),
		"participants": []object{{"user_id": alice.ID()}},
	}
	opened := c.get("POST", "/conversations", contact)
	require.Equal(t, "CONTACT", opened["category"])
	require.ElementsMatch(t, []string{s.Key.AppID, alice.ID()}, users(opened))
	require.Equal(t, opened, c.get("GET", "/conversations/"+alice.ConversationID(), nil))
}

func TestConversationsThatCannotBe(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	many := make([]object, 257)
	for i := range many {
		many[i] = object{"user_id": s.User("user" + strings.Repeat("x", i)).ID()}
	}
	for name, edit := range map[string]object{
		"category":        {"category": "CIRCLE"},
		"conversation_id": {"random_id": id2},
		"name":            {"name": strings.Repeat("ü", 513)},
		"announcement":    {"announcement": strings.Repeat("ü", 1025)},
		"participants":    {"participants": []object{{"user_id": "alice"}}},
		"body":            {"name": 7},
	} {
		request := object{"category": "GROUP", "conversation_id": id1, "name": strings.Repeat("ü", 512)}
		for k, v := range edit {
			request[k] = v
		}
		code, field := c.rejection("POST", "/conversations", request)
		require.Equal(t, 10002, code, name)
		require.Equal(t, name, field)
		require.Len(t, f.take(), 1)
	}
	for name, request := range map[string]object{
		"two":      {"conversation_id": alice.ConversationID(), "participants": many[:2]},
		"other id": {"conversation_id": id1, "participants": many[:1]},
		"bot": {
			"conversation_id": blaze.ConversationID(s.Key.AppID, s.Key.AppID),
			"participants":    []object{{"user_id": s.Key.AppID}},
		},
	} {
		request["category"] = "CONTACT"
		code, _ := c.rejection("POST", "/conversations", request)
		require.Equal(t, 10002, code, name)
		require.Len(t, f.take(), 1)
	}
	group := object{"category": "GROUP", "conversation_id": id1, "participants": many[:256]}
	code, _ := c.rejection("POST", "/conversations", group)
	require.Equal(t, 20116, code, "with the bot it would be 257")
	require.Len(t, f.take(), 1)
	group["participants"] = many[:255]
	c.get("POST", "/conversations", group)
	code, _ = c.rejection("POST", "/conversations/"+id1+"/participants/ADD", many[255:256])
	require.Equal(t, 20116, code)
	require.Len(t, f.take(), 1)
}

// The service changes ids to lowercase.
func TestCapitalsInConversations(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	contact := c.get("POST", "/conversations", object{
		"category": "CONTACT", "conversation_id": strings.ToUpper(alice.ConversationID()),
		"participants": []object{{"user_id": strings.ToUpper(alice.ID())}},
	})
	require.Equal(t, alice.ConversationID(), contact["conversation_id"])
	require.Equal(t, contact, c.get("GET", "/conversations/"+strings.ToUpper(alice.ConversationID()), nil))
	path := "/conversations/" + strings.ToUpper(newGroup(c)) + "/participants/REMOVE"
	group := c.get("POST", path, []object{{"user_id": strings.ToUpper(alice.ID())}})
	require.Equal(t, []string{s.Key.AppID, s.User("bob").ID()}, users(group))
	require.Equal(t, alice.ID(), c.get("GET", "/users/"+strings.ToUpper(alice.ID()), nil)["user_id"])
	require.Len(t, c.list("POST", "/users/fetch", []string{strings.ToUpper(alice.ID())}), 1)
}

// A participant that is listed twice is one member. The bot is a member whether it is listed or not.
func TestParticipantsNamedTwice(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	alice, bob := s.User("alice").ID(), s.User("bob").ID()
	group := c.get("POST", "/conversations", object{
		"category": "GROUP", "name": "x", "random_id": id1,
		"conversation_id": blaze.GroupConversationID(s.Key.AppID, "x", id1, []string{alice, bob}),
		"participants":    []object{{"user_id": alice}, {"user_id": s.Key.AppID}, {"user_id": bob}, {"user_id": alice}},
	})
	require.Equal(t, []string{s.Key.AppID, alice, bob}, users(group))
}

func TestJoin(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	alice.Say("hi")
	contact := c.get("GET", "/conversations/"+alice.ConversationID(), nil)
	code, _ := c.rejection("POST", "/conversations/"+contact["code_id"].(string)+"/join", nil)
	require.Equal(t, 404, code, "no group")

	id := newGroup(c)
	group := c.get("GET", "/conversations/"+id, nil)
	join := "/conversations/" + group["code_id"].(string) + "/join"
	require.Equal(t, group, c.get("POST", join, nil), "the bot is in it")
	c.get("POST", "/conversations/"+id+"/exit", nil)
	for i := range 254 {
		s.Group("full", s.User("member"+strings.Repeat("x", i)))
	}
	full := s.Group("full", alice)
	group = c.get("GET", "/conversations/"+full.ID(), nil)
	require.Len(t, users(group), 256)
	c.get("POST", "/conversations/"+full.ID()+"/exit", nil)
	full.Add(s.User("bob"))
	code, _ = c.rejection("POST", "/conversations/"+group["code_id"].(string)+"/join", nil)
	require.Equal(t, 20116, code)
	require.Len(t, f.take(), 1)
}

// The bot is notified of its own changes of a group, like every member.
func TestParticipants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws, c := connectAndList(t, s), newRESTClient(t, s)
		id, bot := newGroup(c), s.Key.AppID
		alice, bob, carol := s.User("alice").ID(), s.User("bob").ID(), s.User("carol").ID()
		require.Equal(t, blaze.SystemConversation{Action: "CREATE", UserID: bot}, ws.change(id))
		path := "/conversations/" + id

		group := c.get("POST", path+"/participants/ADD", []object{{"user_id": alice}, {"user_id": carol}})
		require.Equal(t, []string{bot, alice, bob, carol}, users(group))
		require.Equal(t, blaze.SystemConversation{Action: "ADD", ParticipantID: carol, UserID: bot}, ws.change(id))
		c.get("POST", path+"/participants/ROLE", []object{{"user_id": carol, "role": "ADMIN"}})
		role := blaze.SystemConversation{Action: "ROLE", ParticipantID: carol, UserID: bot, Role: "ADMIN"}
		require.Equal(t, role, ws.change(id))
		group = c.get("POST", path+"/participants/REMOVE", []object{{"user_id": alice}})
		require.Equal(t, []string{bot, bob, carol}, users(group))
		require.Equal(t, blaze.SystemConversation{Action: "REMOVE", ParticipantID: alice, UserID: bot}, ws.change(id))
		group = c.get("POST", path, object{"announcement": "quiet"})
		require.Equal(t, "rocks", group["name"])
		require.Equal(t, "quiet", group["announcement"])
		require.Equal(t, blaze.SystemConversation{Action: "UPDATE", UserID: bot}, ws.change(id))

		group = c.get("POST", path+"/exit", nil)
		require.Equal(t, []string{bob, carol}, users(group))
		require.Equal(t, blaze.SystemConversation{Action: "EXIT", ParticipantID: bot, UserID: bot}, ws.change(id))
		in := textMessage(object{"conversation_id": id})
		require.Equal(t, 403, ws.call(wire.ActionCreateMessage, in).Error.Code)
		require.Equal(t, []string{
			"blazetest: the client: CREATE_MESSAGE: params.conversation_id: the bot is not in the conversation",
		}, f.take())
		code, _ := c.rejection("GET", path, nil)
		require.Equal(t, 404, code)

		group = c.get("POST", "/conversations/"+group["code_id"].(string)+"/join", nil)
		require.Equal(t, []string{bob, carol, bot}, users(group))
		require.Equal(t, blaze.SystemConversation{Action: "JOIN", ParticipantID: bot, UserID: bot}, ws.change(id))
		require.Nil(t, ws.call(wire.ActionCreateMessage, in).Error)
	})
}

// Changes of a group require a role.
func TestParticipantsThatCannotBeChanged(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	mine := newGroup(c)
	alice := s.User("alice")
	theirs := s.Group("theirs", alice)
	alice.Say("hi")
	who := []object{{"user_id": alice.ID()}}
	for _, r := range []struct {
		path string
		body any
		code int
	}{
		{theirs.ID() + "/participants/ADD", who, 403},
		{theirs.ID() + "/participants/REMOVE", who, 403},
		{theirs.ID() + "/participants/ROLE", who, 403},
		{theirs.ID() + "/rotate", nil, 403},
		{theirs.ID(), object{"name": "x"}, 403},
		{alice.ConversationID() + "/participants/ADD", who, 403},
		{alice.ConversationID() + "/exit", nil, 403},
		{id2 + "/exit", nil, 403},
		{mine + "/participants/REMOVE", []object{{"user_id": s.Key.AppID}}, 10002},
		{mine + "/participants/ROLE", []object{{"user_id": s.User("carol").ID()}}, 10002},
		{mine + "/participants/ROLE", []object{{"user_id": s.Key.AppID}}, 403},
		{mine + "/participants/ROLE", []object{{"user_id": alice.ID(), "role": "OWNER"}}, 10002},
		{mine + "/participants/ADD", []object{{"user_id": "alice"}}, 10002},
		{mine + "/participants/ADD", []object{}, 10002},
		{mine + "/participants/KICK", who, 10002},
	} {
		code, _ := c.rejection("POST", "/conversations/"+r.path, r.body)
		require.Equal(t, r.code, code, r.path)
		require.Len(t, f.take(), 1, r.path)
	}
	code, _ := c.rejection("POST", "/conversations/"+id2+"/join", nil)
	require.Equal(t, 404, code)

	before := c.get("GET", "/conversations/"+mine, nil)["code_id"].(string)
	after := c.get("POST", "/conversations/"+mine+"/rotate", nil)["code_id"].(string)
	require.NotEqual(t, before, after)
	code, _ = c.rejection("POST", "/conversations/"+before+"/join", nil)
	require.Equal(t, 404, code, "the old code is none any more")
	c.get("POST", "/conversations/"+after+"/join", nil)
}
