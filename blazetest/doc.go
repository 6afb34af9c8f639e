// Package blazetest is a Blaze server for tests and demos. It validates requests as strictly as the specification
// allows, stores the messages that a bot sends, pushes messages to it, and can simulate faults.
//
// A test of a bot takes a few lines:
//
//	func TestEcho(t *testing.T) {
//		s, _ := blazetest.Start(t, newBot, nil)
//		alice := s.User("alice")
//		alice.Say("hello")
//		answer, err := alice.Next(t.Context())
//		if err != nil || answer.Payload != blaze.Text("echo: hello") {
//			t.Fatal(answer, err)
//		}
//	}
//
// A [Server] made by [NewServer] runs in memory. It opens no port and works inside testing/synctest, so a test of an
// hour of reconnects takes milliseconds. [NewServerOn] serves a listener. [NewServerWith] accepts options, such as a
// bot's own keystore. [Run] starts a bot against an existing Server; stop followed by Run restarts the bot.
//
// A [User] is a virtual person who writes texts, taps buttons, uploads files and reads answers. A [Group] is a
// conversation of several users and the bot. Each User, each Group and the Server has a cursor of its own over the
// messages that the bot sent. [Server.Deliver] and [Server.Next] are the basic operations, for messages that no person
// would write.
//
// Protocol errors of a client are answered as the service answers them, and reported to Server.Errorf, which [Start]
// connects to the test. So are these mistakes of a bot: a user's id as a ConversationID; a conversation that does not
// exist, or that the bot has left; a user who never wrote to the bot, without an opened conversation; a recipient
// outside the conversation. A MessageID that another message has is reported too. Options.Lenient disables these
// checks.
//
// The HTTP API supports the bot's profile, users, messages, acknowledgements, encrypted messages, sessions,
// attachments, conversations, groups, participants, muting and disappearing messages. Other paths respond with 404.
//
// [Script] plays a conversation from a file with one step per line, and can update the file with the bot's messages.
// [Server.Control] has the same features over HTTP, for tests in any language. A Server on a listener serves it below
// /blazetest/, for clients on the same machine only.
//
// Faults last for one request or until they are undone. [Server.Intercept] decides the answer to one request,
// [Server.InterceptAll] to every request of an action, including the handshake. [Server.Slow], [Server.Cut],
// [Server.CutLink], [Server.PushAgain] and [Server.Clock] simulate faults of the network and the service. Two
// simultaneous connections of the session are both served, and reported once. [Server.Watch] delivers events.
//
// [Recorder], [RecorderWith] and [Server.RecordTo] record sessions without keys and tokens, and without message bodies
// if configured. [Server.Replay] plays a recording to any bot.
package blazetest
