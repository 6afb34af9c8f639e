package blazetest_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// An outage that lasts until it is undone, on a slow line. The bot's answer is stored once.
func ExampleServer_InterceptAll() {
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, c := blazetest.Start(t, echo, nil)
	undo := s.InterceptAll("CREATE_MESSAGE", func(blazetest.Frame) blazetest.Answer {
		return blazetest.Refuse(blaze.CodeServer)
	})
	s.Slow(time.Millisecond, 1<<20)
	fmt.Println(s.Armed())
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	s.Cut()
	undo()
	s.Slow(0, 0)
	answer, err := s.Next(context.Background())
	fmt.Println(answer.Payload, err, answer.ConversationID == c.ConversationWith(blazetest.UserID("alice")))
	// Output:
	// [CREATE_MESSAGE always]
	// echo: hello <nil> true
}

// A bot that stopped while it handled a message receives it again after a restart.
func ExampleRun() {
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s := blazetest.NewServer()
	t.Cleanup(s.Close)
	_, stop := blazetest.Run(t, s, nil, nil) // a nil handler gets no messages
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	stop()
	fmt.Println(len(s.Pending()), "pending")
	blazetest.Run(t, s, echo, nil)
	answer, err := s.Next(context.Background())
	fmt.Println(answer.Payload, err)
	// Output:
	// 1 pending
	// echo: hello <nil>
}

// Watch observes a bot from outside.
func ExampleServer_Watch() {
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, _ := blazetest.Start(t, echo, nil)
	s.Watch(func(e blazetest.Event) {
		switch e.Kind {
		case blazetest.EventMessage:
			fmt.Println("the bot said", e.Message.Payload)
		case blazetest.EventAck:
			fmt.Println("a message is", e.Text)
		}
	})
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	if err := s.Idle(context.Background()); err != nil {
		fmt.Println(err)
	}
	t.end() // ends the bot and closes the Server, which waits for the function
	// Output:
	// the bot said echo: hello
	// a message is READ
}

// A session of one bot is recorded without message bodies, and played to another bot.
func ExampleServer_Replay() {
	var recording bytes.Buffer
	first := new(exampleTB) // in a test, the *testing.T
	s := blazetest.NewServerWith(blazetest.Options{Key: blaze.Keystore{AppID: "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"}})
	first.Cleanup(s.Close)
	blazetest.Run(first, s, echo, func(cfg *blaze.Config) {
		cfg.Trace = blazetest.RecorderWith(&recording, cfg.Trace, blazetest.RecorderOptions{
			OmitBodies: true, AppID: s.Key.AppID,
		})
	})
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	fmt.Println(s.Idle(context.Background()))
	first.end()
	fmt.Println(strings.Count(recording.String(), "\n"), "lines")

	second := new(exampleTB)
	defer second.end()
	other, _ := blazetest.Start(second, echo, nil)
	fmt.Println(other.Replay(&recording))
	// Output:
	// <nil>
	// 7 lines
	// <nil>
}
