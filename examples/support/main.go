// Support is a bot between people and a staff group. What a person writes to the bot appears in the group. The staff
// answers by quoting that message, with a mention of the bot, because Messenger passes only such texts of a group to a
// bot. The answer goes to the person. The way back is kept in a file, so it survives a restart.
//
// Without a keystore a conversation is played in memory. With one, add the bot to a group, write "@", its identity
// number and /id in the group, and start the bot again with that id:
//
//	go run ./examples/support
//	BLAZE_KEYSTORE=keystore.json STAFF_GROUP=ID go run ./examples/support
package main

import (
	"context"
	"os"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

func main() {
	group := os.Getenv("STAFF_GROUP")
	if os.Getenv("BLAZE_KEYSTORE") == "" {
		group = demoGroup
	}
	show.Demo{Bot: newBot(group, "questions.txt"), Talk: talk}.Main()
}

// demoGroup is the id of the group "staff" of every server in memory.
const demoGroup = "491e29f9-8502-54ad-86c4-824b37a9b3ac"

// newBot returns the bot of a staff group. file has the way back. Without a group the bot answers /id only.
func newBot(group, file string) func(*blaze.Client) blaze.Handler {
	return func(c *blaze.Client) blaze.Handler {
		s := &support{client: c, group: group, asked: &questions{path: file}}
		return blaze.Route(
			blaze.On(func(context.Context, *blaze.Message, blaze.SystemConversation) error {
				return nil // members of the group come and go
			}),
			blaze.Commands(c, blaze.CommandSpec{
				Name: "/id", // no Help: it is for whoever sets the bot up
				Do: func(ctx context.Context, m *blaze.Message, _ string) error {
					return c.Reply(ctx, m, blaze.Text(m.ConversationID))
				},
			}),
			blaze.Mentioned(c, s.answer),
			s.question,
		)
	}
}

type support struct {
	client *blaze.Client
	group  string
	asked  *questions
}

// answer forwards a message of the staff to the person who wrote the quoted message.
func (s *support) answer(ctx context.Context, m *blaze.Message) error {
	if m.ConversationID != s.group || m.Category.System() {
		return blaze.ErrNotHandled
	}
	if m.QuoteID == "" {
		return s.client.Quote(ctx, m, blaze.Text("Quote a message to answer it."))
	}
	person, err := s.asked.by(m.QuoteID)
	if err != nil {
		return err
	}
	if person == "" {
		return s.client.Quote(ctx, m, blaze.Text("I do not know who wrote that."))
	}
	out := m.NewForward(s.client.ConversationWith(person), m.Payload)
	out.RecipientID = person
	_, err = s.client.Send(ctx, out)
	return err
}

// question passes a message of a person on to the staff, with the name of the person.
func (s *support) question(ctx context.Context, m *blaze.Message) error {
	if m.Group || m.Category.System() || s.group == "" {
		return blaze.ErrNotHandled
	}
	person, err := s.client.User(ctx, m.UserID)
	if err != nil {
		return err
	}
	head := blaze.Textf("%s (%s)", person.FullName, person.IdentityNumber)
	switch p := m.Payload.(type) {
	case blaze.Raw, blaze.Recall, blaze.Pin:
		return blaze.ErrNotHandled
	case blaze.Text:
		return s.toStaff(ctx, m, "text", head+": "+p)
	}
	if err := s.toStaff(ctx, m, "head", head+" sends:"); err != nil {
		return err
	}
	p, err := s.unencrypted(ctx, m.Payload)
	if err != nil {
		return err
	}
	return s.toStaff(ctx, m, "file", p)
}

// toStaff sends a message to the group, after it has noted who it is from. The ids are derived from m, so a second
// attempt sends nothing twice.
func (s *support) toStaff(ctx context.Context, m *blaze.Message, what string, p blaze.Payload) error {
	out := m.NewForward(s.group, p)
	out.MessageID = blaze.DeriveID(s.client.AppID(), m.ID, what)
	if err := s.asked.add(out.MessageID, m.UserID); err != nil {
		return err
	}
	_, err := s.client.Send(ctx, out)
	return err
}

// unencrypted returns a payload that all members of the group can open: an encrypted file is copied.
func (s *support) unencrypted(ctx context.Context, p blaze.Payload) (_ blaze.Payload, err error) {
	switch f := p.(type) {
	case blaze.Image:
		f.Attachment, err = s.copied(ctx, f.Attachment)
		return f, err
	case blaze.Data:
		f.Attachment, err = s.copied(ctx, f.Attachment)
		return f, err
	case blaze.Audio:
		f.Attachment, err = s.copied(ctx, f.Attachment)
		return f, err
	case blaze.Video:
		f.Attachment, err = s.copied(ctx, f.Attachment)
		return f, err
	}
	return p, nil
}

func (s *support) copied(ctx context.Context, a blaze.Attachment) (blaze.Attachment, error) {
	if len(a.Key) == 0 {
		return a, nil
	}
	return s.client.Reupload(ctx, a)
}
