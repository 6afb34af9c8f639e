// Package blazetest is a Blaze server for tests and demos. It checks what a client writes as strictly as the
// specification allows, stores what it sends, pushes what it is told to, and can be made to misbehave.
//
// A test of a bot is a few lines:
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
// A [Server] made by [NewServer] lives in memory: it opens no port, and works inside testing/synctest, so that a test
// of an hour's reconnecting takes milliseconds. [NewServerOn] serves a real listener.
//
// A [User] is a virtual person, who says things, taps buttons, uploads files and reads answers; a [Group] is a
// conversation of several and the bot. Each of them, and the Server, has a cursor of its own over what the bot sent.
// [Server.Deliver] and [Server.Next] are what these are made of, for messages that no person would write.
//
// A bot's mistakes are answered as the service answers them, and reported: a user's id where a conversation's belongs,
// a conversation that does not exist or that the bot is not in, a user who never wrote and to whom the bot has opened
// no conversation, a recipient who is not in the conversation. A message with the id of another message is reported,
// too. Options.Lenient turns that off.
//
// The HTTP API serves the bot's profile, users, messages, acknowledgements, encrypted messages, sessions, attachments,
// conversations, groups, their participants, and muting and disappearing messages. Any other path is answered with 404.
//
// [Script] plays a talk that is written down in a file, one step on each line, and writes it from what the bot says.
// [Server.Control] is all of this over HTTP, for tests in any language: under /blazetest/ on a Server's listener. It
// answers only clients with a loopback address, on a unix socket or in memory, whose Host is localhost or a loopback
// address, and no page of another origin.
//
// What a client does wrong is reported to Server.Errorf, which [Start] connects to the test. [NewServerWith] takes
// options, such as a bot's own keystore. [Run] starts a bot against a Server that stands: stop and Run are a restart.
//
// Faults are made on demand, and some stay until they are undone. [Server.Intercept] decides how a single request is
// answered, [Server.InterceptAll] how all of a kind are, the handshake among them. [Server.Slow], [Server.Cut],
// [Server.CutLink], [Server.PushAgain] and [Server.Clock] are those of lines and of the service. A session that has two
// connections at once is served on both, and reported once. [Server.Watch] tells what happens.
//
// [Recorder], [RecorderWith] and [Server.RecordTo] write down real sessions, without keys and tokens, and without what
// messages say if that is wanted; [Server.Replay] plays them again, to any bot.
package blazetest
