package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
	"github.com/mixin-blaze/blaze/examples/internal/show/showtest"
)

func TestBot(t *testing.T) {
	showtest.Run(t, func(t *testing.T) show.Demo {
		return show.Demo{Bot: newBot(demoGroup, filepath.Join(t.TempDir(), "questions")), Talk: talk}
	})
}

// rig is the bot with a staff group.
type rig struct {
	*blazetest.Server
	t          *testing.T
	c          *blaze.Client
	alice, bob *blazetest.User
	staff      *blazetest.Group
}

func run(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, newBot(demoGroup, filepath.Join(t.TempDir(), "questions")), nil)
		r := &rig{Server: s, t: t, c: c, alice: s.User("alice"), bob: s.User("bob")}
		r.staff = s.Group("staff", r.bob)
		test(r)
	})
}

// next returns the next message in the staff group.
func (r *rig) next() blaze.Outgoing {
	r.t.Helper()
	out, err := r.staff.Next(r.t.Context())
	require.NoError(r.t, err)
	return out
}

func (r *rig) quote(out blaze.Outgoing, text string) {
	r.Deliver(r.bob.ID(), blaze.Outgoing{
		ConversationID: r.staff.ID(), QuoteID: out.MessageID, Payload: blaze.Text("@7000000001 " + text),
	})
}

// A file of a person reaches the group in a form that its members can open, and quoting it leads back too.
func TestFilesReachTheStaff(t *testing.T) {
	for name, send := range map[string]func(*rig, blaze.Data) string{
		"plain":     func(r *rig, d blaze.Data) string { return r.alice.Send(d) },
		"encrypted": func(r *rig, d blaze.Data) string { return r.alice.SendEncrypted(d) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				file := r.alice.Upload(bytes.NewReader([]byte("an invoice")))
				if name == "encrypted" {
					var err error
					file, err = r.c.UploadEncrypted(r.t.Context(), strings.NewReader("an invoice"), 10)
					require.NoError(r.t, err)
					require.NotEmpty(r.t, file.Key)
				}
				send(r, blaze.Data{Attachment: file, Name: "invoice.txt"})
				assert.Equal(t, blaze.Textf("alice (%s) sends:", r.alice.IdentityNumber()), r.next().Payload)
				got := r.next()
				data, ok := got.Payload.(blaze.Data)
				require.True(r.t, ok, got.Payload)
				assert.Empty(t, data.Key)
				content, ok := r.File(data.ID)
				require.True(t, ok)
				assert.Equal(t, "an invoice", string(content))
				r.quote(got, "Thank you.")
				answer, err := r.alice.Next(r.t.Context())
				require.NoError(r.t, err)
				assert.Equal(r.t, blaze.Text("Thank you."), answer.Payload)
			})
		})
	}
}

// A crash in the middle of a line loses no later line.
func TestATornLine(t *testing.T) {
	const message, person = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	for _, torn := range []string{message[:10], message + " " + person[:10]} {
		q := &questions{path: filepath.Join(t.TempDir(), "questions")}
		require.NoError(t, os.WriteFile(q.path, []byte(torn), 0o600))
		require.NoError(t, q.add(message, person))
		got, err := q.by(message)
		require.NoError(t, err)
		assert.Equal(t, person, got)
	}
}

// Two people ask at once. Each answer goes to the person who asked.
func TestAnswersGoToWhoAsked(t *testing.T) {
	run(t, func(r *rig) {
		carol := r.User("carol")
		r.alice.Say("one?")
		first := r.next()
		carol.Say("two?")
		r.quote(r.next(), "2")
		r.quote(first, "1")
		for user, want := range map[*blazetest.User]blaze.Text{r.alice: "1", carol: "2"} {
			answer, err := user.Next(r.t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, answer.Payload)
		}
		r.quote(blaze.Outgoing{MessageID: blaze.DeriveID("unknown")}, "hello")
		assert.Equal(t, blaze.Text("I do not know who wrote that."), r.next().Payload)
	})
}

// Nobody outside the staff group can answer for the staff.
func TestOtherGroupsAreIgnored(t *testing.T) {
	run(t, func(r *rig) {
		r.alice.Say("one?")
		question := r.next()
		other := r.Group("other", r.User("mallory"))
		r.Deliver(r.User("mallory").ID(), blaze.Outgoing{
			ConversationID: other.ID(), QuoteID: question.MessageID, Payload: blaze.Text("@7000000001 Pay me."),
		})
		require.NoError(t, r.Idle(r.t.Context()))
		assert.Len(t, r.Sent(), 1)
	})
}

// The process dies after it has passed a question on, and before that is acknowledged. The staff gets the question
// once.
func TestAQuestionIsPassedOnOnce(t *testing.T) {
	bot := newBot(demoGroup, filepath.Join(t.TempDir(), "questions"))
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		kill := showtest.Kill(t, s, bot)
		staff := s.Group("staff", s.User("bob"))
		require.NoError(t, s.Idle(t.Context()))
		s.User("alice").Say("one?")
		_, err := staff.Next(t.Context())
		require.NoError(t, err)
		kill()
		require.Len(t, s.Pending(), 1)
		_, _ = blazetest.Run(t, s, bot, nil)
		require.NoError(t, s.Idle(t.Context()))
		assert.Len(t, s.Sent(), 1)
	})
}
