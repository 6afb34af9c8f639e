package blaze_test

import (
	"context"
	"fmt"
	"net/url"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// A bot's own profile has the number with which people mention it.
func ExampleClient_Me() {
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	me, err := c.Me(context.Background())
	fmt.Println(me.FullName, me.IdentityNumber, me.Bot, me.ID == c.AppID(), err)
	// Output: Bot 7000000001 true true <nil>
}

// The author of a message is known by id, a person in an address book by number.
func ExampleClient_User() {
	s := blazetest.NewServer()
	defer s.Close()
	alice := s.User("alice")
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	byID, err := c.User(context.Background(), alice.ID())
	fmt.Println(byID.FullName, err)
	byNumber, err := c.User(context.Background(), alice.IdentityNumber())
	fmt.Println(byNumber == byID, err)
	// Output:
	// alice <nil>
	// true <nil>
}

// Users returns one profile for each id.
func ExampleClient_Users() {
	s := blazetest.NewServer()
	defer s.Close()
	alice, bob := s.User("alice"), s.User("bob")
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	users, err := c.Users(context.Background(), bob.ID(), blazetest.UserID("nobody"), alice.ID())
	for _, user := range users {
		fmt.Printf("%q\n", user.FullName)
	}
	fmt.Println(err)
	// Output:
	// "bob"
	// ""
	// "alice"
	// <nil>
}

// The participants of a group come from an endpoint that has no method of its own.
func ExampleClient_Call() {
	ctx := context.Background()
	s := blazetest.NewServer()
	defer s.Close()
	group := s.Group("team", s.User("alice"), s.User("bob"))
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	var conversation struct {
		Name         string
		Participants []struct {
			UserID string `json:"user_id"`
			Role   string
		}
	}
	if err := c.Call(ctx, "GET", "/conversations/"+url.PathEscape(group.ID()), nil, &conversation); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conversation.Name)
	for _, p := range conversation.Participants {
		user, err := c.User(ctx, p.UserID)
		fmt.Printf("%s %q %v\n", user.FullName, p.Role, err)
	}
	// Output:
	// team
	// alice "OWNER" <nil>
	// bob "" <nil>
	// Bot "" <nil>
}

// In a group this bot answers only those who mention it.
func ExampleMentioned() {
	s := blazetest.NewServer()
	defer s.Close()
	c, err := blaze.New(s.Key, &s.Config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	alice := s.User("alice")
	group := s.Group("team", alice)
	ended := make(chan error)
	go func() {
		ended <- c.Run(ctx, blaze.Mentioned(c, blaze.On(func(_ context.Context, m *blaze.Message, t blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+t)
		})))
	}()

	group.As(alice).Say("good morning")
	group.As(alice).Say("@7000000001 hello")
	answer, err := group.Next(ctx)
	fmt.Println(answer.Payload, err)
	alice.Say("no mention is needed here")
	answer, err = alice.Next(ctx)
	fmt.Println(answer.Payload, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// echo: hello <nil>
	// echo: no mention is needed here <nil>
	// <nil>
}
