// Package blazetest is a Blaze server for tests and demos. It checks what a client writes as strictly as the
// specification allows, stores what it sends, pushes what it is told to, and can be made to misbehave.
//
// A test of a bot is a few lines:
//
//	func TestEcho(t *testing.T) {
//		s, _ := blazetest.Start(t, newBot, nil)
//		alice := blazetest.UserID("alice")
//		s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hello")})
//		answer, err := s.Next(t.Context())
//		if err != nil || answer.Payload != blaze.Text("echo: hello") {
//			t.Fatal(answer, err)
//		}
//	}
//
// A [Server] made by [NewServer] lives in memory: it opens no port, and works inside testing/synctest, so that a test
// of an hour's reconnecting takes milliseconds. [NewServerOn] serves a real listener.
//
// Its HTTP API serves GET /me, attachments, conversations, sessions and encrypted messages.
//
// What a client does wrong is reported to Server.Errorf, which [Start] connects to the test. [Server.Intercept]
// decides how a single request is answered; [Recorder] and [Server.Replay] write down real sessions and play them
// again.
package blazetest
