package blazetest_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestAUserIsNoConversation(t *testing.T) {
	s, faults := newServer(t)
	c, err := blaze.New(s.Key, &s.Config)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context(), nil) }()
	t.Cleanup(func() { assert.NoError(t, <-ended) })
	alice := blazetest.UserID("alice")
	s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hi")})
	_, err = c.Send(t.Context(), blaze.To(alice, blaze.Text("hi")))
	require.ErrorIs(t, err, blaze.CodeInvalidField)
	require.Len(t, faults.take(), 1)
	_, err = c.Send(t.Context(), c.ToUser(alice, blaze.Text("hi")))
	require.NoError(t, err)
	assert.Len(t, s.Sent(), 1)
}

// misdirected returns messages to invalid targets, with the code of their rejection and the report.
func misdirected(s *blazetest.Server) map[string]struct {
	edit   object
	code   int
	report string
} {
	alice, bob := s.User("alice"), s.User("bob")
	alice.Say("hi")
	staff := s.Group("staff", alice)
	stranger := blaze.ConversationID(s.Key.AppID, id1)
	to := func(conversation, recipient string) object {
		return object{"conversation_id": conversation, "recipient_id": recipient}
	}
	const (
		silent    = " never wrote to the bot; call Client.OpenConversation first"
		person    = "conversation_id: this is the id of a user; use Client.ToUser"
		elsewhere = "recipient_id: the user is not in the conversation"
		bot       = ": this is the id of the bot"
	)
	return map[string]struct {
		edit   object
		code   int
		report string
	}{
		"a user":              {to(bob.ID(), bob.ID()), 10002, person},
		"the bot":             {to(s.Key.AppID, alice.ID()), 10002, "conversation_id" + bot},
		"a user nobody knows": {to(id1, id1), 10002, person},
		"nothing":             {to(id1, alice.ID()), 403, "conversation_id: the conversation does not exist"},
		"a silent user":       {to(bob.ConversationID(), bob.ID()), 403, "conversation_id: bob" + silent},
		"a stranger":          {to(stranger, id1), 403, "conversation_id: the user " + id1 + silent},
		"itself":              {to(alice.ConversationID(), s.Key.AppID), 10002, "recipient_id" + bot},
		"another user":        {to(alice.ConversationID(), bob.ID()), 403, elsewhere},
		"a user not in there": {to(staff.ID(), bob.ID()), 403, elsewhere},
	}
}

// A message to an invalid target is rejected by each request that sends messages.
func TestMisdirectedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws, api := connect(t, s), newRESTClient(t, s)
		for name, m := range misdirected(s) {
			message := textMessage(m.edit)
			require.Equal(t, m.code, ws.call(wire.ActionCreateMessage, message).Error.Code, name)
			require.Equal(t, []string{"blazetest: the client: CREATE_MESSAGE: params." + m.report}, f.take(), name)
			reply := ws.call(wire.ActionCreatePlain, object{"messages": []object{message}})
			require.Equal(t, m.code, reply.Error.Code, name)
			report := "blazetest: the client: CREATE_PLAIN_MESSAGES: params.messages[0]." + m.report
			require.Equal(t, []string{report}, f.take(), name)
			code, _ := api.rejection("POST", "/messages", message)
			require.Equal(t, m.code, code, name)
			require.Equal(t, []string{"blazetest: the client: POST /messages: " + m.report}, f.take(), name)
			message["category"] = "ENCRYPTED_TEXT"
			code, _ = api.rejection("POST", "/encrypted_messages", []object{message})
			require.Equal(t, m.code, code, name)
			report = "blazetest: the client: POST /encrypted_messages: body[0]." + m.report
			require.Equal(t, []string{report}, f.take(), name)
		}
		require.Empty(t, s.Sent())
	})
}

// A lenient server accepts all of them.
func TestLenientTakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		ws := connect(t, s)
		for name, m := range misdirected(s) {
			require.Nil(t, ws.call(wire.ActionCreateMessage, textMessage(m.edit)).Error, name)
		}
		mention := textMessage(object{"message_id": id3, "mentions": []string{id1}})
		require.Nil(t, ws.call(wire.ActionCreateMessage, mention).Error)
		require.Len(t, s.Sent(), 2)
	})
}

// The bot can write to users who have written to it, and after it has opened the conversation.
func TestWhoCanBeWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, nil, nil)
		alice, bob, carol := s.User("alice"), s.User("bob"), s.User("carol")
		alice.Say("hi")
		_, err := c.OpenConversation(t.Context(), bob.ID())
		require.NoError(t, err)
		s.Transfer(carol.ID(), "1", id1, "")
		for _, u := range []*blazetest.User{alice, bob, carol} {
			_, err := c.Send(t.Context(), c.ToUser(u.ID(), blaze.Text("hi "+u.Name())))
			require.NoError(t, err)
			require.Equal(t, blaze.Text("hi "+u.Name()), nextOf(t, u).Payload)
		}
	})
}

// A mention that is not in the text, or of somebody outside the group, is reported. The message is stored.
func TestMentions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws := connect(t, s)
		alice, bob := s.User("alice"), s.User("bob")
		alice.Say("hi")
		staff := s.Group("staff", alice)
		number := "@" + alice.IdentityNumber()
		notSeen := "the text does not mention the user " + alice.ID() + "; write " + number
		for _, m := range []struct {
			where, category, text string
			who                   []string
			reports               []string
		}{
			{staff.ID(), "PLAIN_TEXT", number + " hello", []string{alice.ID()}, nil},
			{staff.ID(), "PLAIN_POST", "hello " + number, []string{alice.ID()}, nil},
			{staff.ID(), "PLAIN_TEXT", number + "1, " + number, []string{alice.ID()}, nil},
			{staff.ID(), "PLAIN_TEXT", "@7000000001", []string{s.Key.AppID}, nil},
			{staff.ID(), "PLAIN_TEXT", "hello", []string{alice.ID()}, []string{notSeen}},
			{staff.ID(), "PLAIN_TEXT", number + "1", []string{alice.ID()}, []string{notSeen}},
			{staff.ID(), "PLAIN_TEXT", alice.IdentityNumber(), []string{alice.ID()}, []string{notSeen}},
			{
				staff.ID(), "PLAIN_TEXT", "hello",
				[]string{bob.ID(), alice.ID()},
				[]string{"the user " + bob.ID() + " is not in the group", notSeen},
			},
			{
				staff.ID(), "PLAIN_IMAGE", number,
				[]string{alice.ID()},
				[]string{"only texts and posts can have mentions"},
			},
			{
				alice.ConversationID(), "PLAIN_TEXT", number,
				[]string{alice.ID()},
				[]string{"only messages in groups can have mentions"},
			},
		} {
			reply := ws.call(wire.ActionCreateMessage, textMessage(object{
				"conversation_id": m.where, "message_id": blaze.DeriveID(m.where), "category": m.category,
				"data": encodeStd(m.text), "mentions": m.who,
			}))
			require.Nil(t, reply.Error)
			var want []string
			for _, report := range m.reports {
				want = append(want, "blazetest: the client: CREATE_MESSAGE: params.mentions: "+report)
			}
			require.Equal(t, want, f.take())
		}
	})
}

// A message with the id of another message is reported, a repeated message is not.
func TestMessagesWithTheIDOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		ws, api := connectAndList(t, s), newRESTClient(t, s)
		alice, bob := s.User("alice"), s.User("bob")
		var got []string
		for _, u := range []*blazetest.User{alice, bob} {
			u.Say("hi")
			got = append(got, ws.pushed().MessageID)
		}
		to := func(u *blazetest.User, id, text string) object {
			return textMessage(object{
				"conversation_id": u.ConversationID(), "message_id": id, "data": encodeStd(text),
				"recipient_id": u.ID(),
			})
		}
		require.Nil(t, ws.call(wire.ActionCreateMessage, to(alice, id1, "one")).Error)
		stub := object{"message_id": id1, "status": "READ"}
		require.Nil(t, ws.call(wire.ActionAck, stub).Error, "as the Node SDK does")
		require.Nil(t, ws.call(wire.ActionCreateMessage, to(alice, id1, "one again")).Error)
		require.Empty(t, f.take())

		const advice = "; use a new id for each message"
		require.Nil(t, ws.call(wire.ActionCreateMessage, to(bob, id1, "one")).Error)
		require.Equal(t, []string{"blazetest: the client: CREATE_MESSAGE: params.message_id: " +
			"a message in another conversation has this id, so this one is not stored" + advice}, f.take())
		_, rejection := api.ask("POST", "/messages", []object{to(alice, id2, "two"), to(bob, id2, "two")})
		require.Nil(t, rejection)
		require.Equal(t, []string{"blazetest: the client: POST /messages: body[1].message_id: " +
			"a message to another conversation in this request has this id" + advice}, f.take())
		require.Nil(t, ws.call(wire.ActionAck, object{"message_id": got[0], "status": "READ"}).Error)
		for _, id := range got {
			require.Nil(t, ws.call(wire.ActionCreateMessage, to(alice, id, "three")).Error)
			require.Equal(t, []string{"blazetest: the client: CREATE_MESSAGE: params.message_id: " +
				"a message to the bot has this id" + advice}, f.take())
		}
	})
}

// A minute begins with its first message. Rejected messages do not count, and are not reported.
func TestPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServerWith(t, blazetest.Options{PerMinute: 3})
		api := newRESTClient(t, s)
		alice := s.User("alice")
		alice.Say("hi")
		message := func(id string) object {
			return textMessage(object{
				"conversation_id": alice.ConversationID(), "message_id": id, "recipient_id": alice.ID(),
			})
		}
		call := func(action string, params object) int {
			ws := connect(t, s) // a new connection, because this client answers no pings
			reply := ws.call(action, params)
			require.NoError(t, ws.ws.Close())
			synctest.Wait()
			if reply.Error != nil {
				return reply.Error.Code
			}
			return 0
		}
		send := func(id string) int { return call(wire.ActionCreateMessage, message(id)) }
		time.Sleep(50 * time.Second)
		require.Zero(t, send(id1))
		time.Sleep(20 * time.Second)
		require.Zero(t, send(id2))
		list := []object{message(id1), message(id3)}
		code, _ := api.rejection("POST", "/messages", list)
		require.Equal(t, 429, code)
		require.Equal(t, 429, call(wire.ActionCreatePlain, object{"messages": list}))
		require.Zero(t, send(id3))
		require.Equal(t, 429, send(id3))
		time.Sleep(40*time.Second - time.Nanosecond)
		require.Equal(t, 429, send(id3))
		time.Sleep(time.Nanosecond)
		_, rejection := api.ask("POST", "/messages", list)
		require.Nil(t, rejection)
		require.Zero(t, send(id1))
		require.Equal(t, 429, send(id1))
	})
}

func TestInterceptKnowsItsActions(t *testing.T) {
	s, faults := newServer(t)
	usual := func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{} }
	for _, action := range []string{
		"LIST_PENDING_MESSAGES", "CREATE_MESSAGE", "CREATE_PLAIN_MESSAGES", "ACKNOWLEDGE_MESSAGE_RECEIPT",
		"ACKNOWLEDGE_MESSAGE_RECEIPTS", "GET /", "POST /attachments",
	} {
		s.Intercept(action, usual)
	}
	assert.Empty(t, faults.take())
	s.Intercept("CREATE_MESAGE", usual)
	assert.Len(t, faults.take(), 1)
}

// An Errorf that ends its goroutine, as t.Fatalf does, does not end the server's goroutines.
func TestAReportMayEndItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		s.Errorf = func(format string, args ...any) {
			f.add(format, args...)
			runtime.Goexit()
		}
		c := connect(t, s)
		require.Equal(t, 403, c.call(wire.ActionCreateMessage, textMessage(nil)).Error.Code)
		require.Len(t, f.take(), 1)
		s.Intercept("PING", answer(blazetest.Answer{Reply: &blazetest.Frame{Data: []byte("no JSON")}}))
		c.write("PING", nil)
		c.call("PING", nil)
		require.Len(t, f.take(), 1)
		require.NoError(t, s.Idle(t.Context()))
	})
}
