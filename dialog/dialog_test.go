package dialog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/dialog"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

func TestAForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range []*blazetest.Server{
			begin(t, new(store), nil),
			begin(t, new(store), func(d *dialog.Dialog[order]) { d.Store = nil }),
		} {
			alice := s.User("alice")
			assert.Equal(t, []string{
				"echo tea", "drink? {  }", "cups? {tea  }", "note? {tea 2 }", "done {tea 2 hot}", "echo more",
			}, say(t, s, alice.Say, "tea", "/order", "tea", "2", "hot", "more"))
			assert.Equal(t, []string{"drink? {  }", "cups? {water  }", "drink? {  }", "cups? {juice  }"},
				say(t, s, alice.Say, "/order", "water", "/order", "juice"), "an open form is replaced")
		}
	})
}

func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, new(store), nil)
		alice := s.User("alice")
		assert.Equal(t, []string{"drink? {  }", "again", "again", "cups? {tea  }"},
			say(t, s, alice.Say, "/order", "bad", "bad", "tea"))
		assert.NotContains(t, (&dialog.Again{Text: "secret"}).Error(), "secret")
	})
}

// Commands, messages of the system, recalls and pins are no answers. The form stays open.
func TestWhatIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, new(store), nil)
		alice := s.User("alice")
		first := say(t, s, alice.Say, "/order")
		assert.Equal(t, []string{"drink? {  }"}, first)
		assert.Equal(t, []string{"echo /help", "echo \u2068／Help", "echo skip"},
			say(t, s, alice.Say, "/help", "\u2068／Help", "skip"))
		for _, p := range []blaze.Payload{
			blaze.Recall{MessageID: s.Sent()[0].MessageID},
			blaze.SystemConversation{Action: "ADD", UserID: alice.ID()},
		} {
			s.Deliver(alice.ID(), blaze.Outgoing{Payload: p})
			testkit.Idle(t, s)
			sent := sentBy(s)
			assert.Contains(t, sent[len(sent)-1], "echo ", "%T", p)
		}
		alice.Send(blaze.Sticker{StickerID: alice.ID()})
		assert.Equal(t, []string{"again", "cups? {tea  }"}, say(t, s, alice.Say, "tea"), "a sticker is an answer")
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := new(store)
		s := begin(t, states, nil)
		alice := s.User("alice")
		for _, word := range []string{"/cancel", " ／CANCEL\u200b ", "Stop"} {
			assert.Equal(t, []string{"drink? {  }", "cups? {tea  }", "Canceled.", "echo tea"},
				say(t, s, alice.Say, "/order", "tea", word, "tea"), word)
			assert.Empty(t, states.only(t).Form)
		}
		assert.Equal(t, []string{"echo stop", "echo /cancel"}, say(t, s, alice.Say, "stop", "/cancel"),
			"no form is open")
	})
}

func TestExpiry(t *testing.T) {
	for name, expiry := range map[string]time.Duration{"a day": 0, "an hour": time.Hour} {
		testkit.Bubble(t, name, func(t *testing.T) {
			states := new(store)
			s := begin(t, states, func(d *dialog.Dialog[order]) { d.Expiry = expiry })
			if expiry == 0 {
				expiry = 24 * time.Hour
			}
			alice := s.User("alice")
			say(t, s, alice.Say, "/order")
			time.Sleep(expiry - time.Minute)
			assert.Equal(t, []string{"cups? {tea  }"}, say(t, s, alice.Say, "tea"))
			time.Sleep(expiry - time.Minute)
			assert.Equal(t, []string{"again"}, say(t, s, alice.Say, "bad"), "each answer extends it")
			require.WithinDuration(t, time.Now().Add(expiry), states.only(t).OpenUntil, time.Minute)
			time.Sleep(expiry)
			assert.Equal(t, []string{"echo 2"}, say(t, s, alice.Say, "2"))
			assert.Equal(t, []string{"drink? {  }"}, say(t, s, alice.Say, "/order"))
		})
	}
}

// A form belongs to one person in one conversation.
func TestTwoPeopleInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, new(store), nil)
		alice, bob := s.User("alice"), s.User("bob")
		team := s.Group("team", alice, bob)
		testkit.Idle(t, s)
		assert.Equal(t, []string{"drink? {  }"}, say(t, s, team.As(alice).Say, "/order"))
		assert.Equal(t, []string{"echo tea", "drink? {  }"}, say(t, s, team.As(bob).Say, "tea", "/order"))
		assert.Equal(t, []string{"echo tea"}, say(t, s, alice.Say, "tea"))
		assert.Equal(t, []string{"cups? {tea  }"}, say(t, s, team.As(alice).Say, "tea"))
		assert.Equal(t, []string{"cups? {water  }"}, say(t, s, team.As(bob).Say, "water"))
		assert.Equal(t, []string{"note? {tea 1 }"}, say(t, s, team.As(alice).Say, "1"))
	})
}

// Two forms of different types may share a Store.
func TestASharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := new(store)
		s, c := blazetest.Start(t, nil, nil)
		m := &blaze.Message{ID: "1", ConversationID: s.User("alice").ConversationID(), UserID: s.User("alice").ID()}
		type other order
		first := newOrders(c, states, nil)
		second := &dialog.Dialog[other]{
			Client: c, Store: states, Done: func(context.Context, *blaze.Message, other) error { return nil },
			Steps: []dialog.Step[other]{{
				Ask:  func(other) blaze.Payload { return blaze.Text("other?") },
				Take: func(context.Context, *blaze.Message, *other) error { return nil },
			}},
		}
		s.User("alice").Say("hi") // the bot may write to her
		require.NoError(t, first.Start(t.Context(), m))
		require.NoError(t, second.Start(t.Context(), m))
		assert.Len(t, states.states, 2)
		assert.Equal(t, []string{"drink? {  }", "other?"}, sentBy(s))
	})
}

// An error of Take, Done or the Store is retried by the rules of a Handler. Nothing is taken.
func TestErrorsAreRetried(t *testing.T) {
	for _, point := range []string{"load", "taken", "save", "saved", "done"} {
		testkit.Bubble(t, point, func(t *testing.T) {
			errDisk := errors.New("the disk is broken")
			failures := 0
			states := &store{at: func(at string) error {
				if at == point && failures < 3 {
					failures++
					return errDisk
				}
				return nil
			}}
			s := begin(t, states, nil)
			assert.Equal(t, []string{"drink? {  }", "cups? {tea  }", "note? {tea 2 }", "done {tea 2 hot}", "echo x"},
				say(t, s, s.User("alice").Say, "/order", "tea", "2", "hot", "x"))
			assert.Equal(t, 3, failures)
		})
	}
}

// Errors name the operation and the form's type. They do not show the form.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errDisk, failing := errors.New("the disk is broken"), ""
		states := &store{at: func(at string) error {
			if at == failing {
				return errDisk
			}
			return nil
		}}
		s, c := blazetest.Start(t, nil, nil)
		alice := s.User("alice")
		alice.Say("hi")
		d := newOrders(c, states, func(order) error { return nil })
		n := 0
		message := func(text string) *blaze.Message {
			n++
			return &blaze.Message{
				ID: fmt.Sprint(n), ConversationID: alice.ConversationID(), UserID: alice.ID(),
				Payload: blaze.Text(text),
			}
		}
		require.NoError(t, d.Start(t.Context(), message("/order")))
		const form = "github.com/mixin-blaze/blaze/dialog_test.order"
		for _, tt := range []struct{ failing, want string }{
			{"load", "dialog: load a form of *dialog.Dialog[" + form + "]: the disk is broken"},
			{"save", "dialog: save a form of *dialog.Dialog[" + form + "]: the disk is broken"},
		} {
			failing = tt.failing
			err := d.Handle(t.Context(), message("secret"))
			require.ErrorIs(t, err, errDisk)
			assert.EqualError(t, err, tt.want)
		}
		failing = ""
		assert.EqualError(t, d.Handle(t.Context(), message("fail")), "fail")
		assert.Equal(t, 0, states.only(t).Step, "nothing was taken")

		before := len(s.Sent())
		err := d.Handle(t.Context(), message(large()))
		require.ErrorIs(t, err, blaze.ErrDrop)
		assert.EqualError(t, err,
			"dialog: a form of type dialog_test.order has 65568 bytes as JSON, at most 65536: blaze: message dropped")
		assert.Len(t, s.Sent(), before, "the next question is not asked")
		require.NoError(t, d.Handle(t.Context(), message(large()[32:])))

		for key, state := range states.states {
			state.Form = []byte(`{"Drink": 12345}`)
			states.states[key] = state
		}
		err = d.Handle(t.Context(), message("2"))
		require.ErrorIs(t, err, blaze.ErrDrop)
		assert.EqualError(t, err, "dialog: a saved form does not fit type dialog_test.order "+
			"(*json.UnmarshalTypeError): "+
			"blaze: message dropped")
		require.NoError(t, d.Start(t.Context(), message("/order")), "it can be replaced")
	})
}

func TestAFormWithoutJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := blazetest.Start(t, nil, nil)
		d := &dialog.Dialog[chan int]{
			Client: c, Done: func(context.Context, *blaze.Message, chan int) error { return nil },
			Steps: []dialog.Step[chan int]{{
				Ask:  func(chan int) blaze.Payload { return blaze.Text("?") },
				Take: func(context.Context, *blaze.Message, *chan int) error { return nil },
			}},
		}
		err := d.Start(t.Context(), new(blaze.Message))
		require.ErrorIs(t, err, blaze.ErrDrop)
		assert.EqualError(t, err,
			"dialog: a form of type chan int cannot be encoded as JSON (*json.UnsupportedTypeError): "+
				"blaze: message dropped")
	})
}

// The default Store forgets the form that was used least recently.
func TestFormsInMemoryAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, nil, nil)
		alice := s.User("alice")
		alice.Say("hi")
		d := newOrders(c, new(store), nil)
		d.Store = nil
		d.Steps[0].Ask = func(order) blaze.Payload { return blaze.Text("?") }
		answer := &blaze.Message{
			ConversationID: alice.ConversationID(), UserID: "0", Group: true, Payload: blaze.Text("bad"),
		}
		for person := range 10_001 {
			m := &blaze.Message{
				ID: "once", ConversationID: alice.ConversationID(), UserID: fmt.Sprint(person), Group: true,
			}
			require.NoError(t, d.Start(t.Context(), m))
			if person == 5_000 {
				require.NoError(t, d.Handle(t.Context(), answer), "used again")
			}
		}
		require.NoError(t, d.Handle(t.Context(), answer))
		answer.UserID = "1"
		assert.ErrorIs(t, d.Handle(t.Context(), answer), blaze.ErrNotHandled)
	})
}

func TestMistakesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := blazetest.Start(t, nil, nil)
		for want, spoil := range map[string]func(*dialog.Dialog[order]){
			"Client is nil":                  func(d *dialog.Dialog[order]) { d.Client = nil },
			"Done is nil":                    func(d *dialog.Dialog[order]) { d.Done = nil },
			"Steps is empty":                 func(d *dialog.Dialog[order]) { d.Steps = nil },
			"Ask or Take of Steps[1] is nil": func(d *dialog.Dialog[order]) { d.Steps[1].Ask = nil },
			"Ask or Take of Steps[2] is nil": func(d *dialog.Dialog[order]) { d.Steps[2].Take = nil },
		} {
			d := newOrders(c, new(store), nil)
			spoil(d)
			of := "of *dialog.Dialog[github.com/mixin-blaze/blaze/dialog_test.order]: "
			assert.PanicsWithValue(t, "dialog: Start "+of+want, func() { _ = d.Start(t.Context(), new(blaze.Message)) })
			assert.PanicsWithValue(t, "dialog: Handle "+of+want, func() {
				_ = d.Handle(t.Context(), new(blaze.Message))
			})
		}
	})
}

// A Dialog with fewer steps than before declines answers to the missing ones.
func TestAMissingStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := new(store)
		var d *dialog.Dialog[order]
		s := begin(t, states, func(made *dialog.Dialog[order]) { d = made })
		alice := s.User("alice")
		say(t, s, alice.Say, "/order", "tea")
		d.Steps = d.Steps[:1]
		assert.Equal(t, []string{"echo 2"}, say(t, s, alice.Say, "2"))
		assert.True(t, strings.HasPrefix(say(t, s, alice.Say, "/order")[0], "drink?"))
	})
}
