package main

import (
	"context"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

// talk is the demo. Bob is the staff.
func talk(ctx context.Context, st *show.Stage) error {
	alice, bob := st.User("alice"), st.User("bob")
	staff := st.Group("staff", bob)
	alice.Say("my parcel is late")
	question, err := staff.Next(ctx)
	if err != nil {
		return err
	}
	if err := st.Idle(ctx); err != nil {
		return err
	}
	st.Stop()
	st.Start() //nolint:contextcheck // the bot ends with Play
	st.Deliver(bob.ID(), blaze.Outgoing{
		ConversationID: staff.ID(), QuoteID: question.MessageID, Payload: blaze.Text("@7000000001 It comes tomorrow."),
	})
	if _, err := alice.Next(ctx); err != nil {
		return err
	}
	staff.As(bob).Say("@7000000001 Is there more?")
	return st.Idle(ctx)
}
