package blazetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// listener has a cursor over the bot's messages.
type listener interface {
	Next(ctx context.Context) (blaze.Outgoing, error)
}

func nextOf(t *testing.T, from listener) blaze.Outgoing {
	t.Helper()
	out, err := from.Next(t.Context())
	require.NoError(t, err)
	return out
}

// Cursors are independent: each returns every message that concerns it.
func TestCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, echo, nil)
		alice, bob := s.User("alice"), s.User("bob")
		staff := s.Group("staff", alice, bob)
		alice.Say("1")
		require.Equal(t, blaze.Text("echo: 1"), nextOf(t, alice).Payload)
		bob.Say("2")
		require.Equal(t, blaze.Text("echo: 2"), nextOf(t, bob).Payload)
		staff.As(bob).Say("3")
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff).Payload)
		alice.Say("4")
		require.Equal(t, blaze.Text("echo: 4"), nextOf(t, alice).Payload)
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff.As(alice)).Payload)
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff.As(bob)).Payload)
		for _, text := range []blaze.Text{"echo: 1", "echo: 2", "echo: 3", "echo: 4"} {
			require.Equal(t, text, nextOf(t, s).Payload)
		}
		require.NoError(t, s.Idle(t.Context()))

		for name, from := range map[string]listener{
			"user": alice, "other user": bob, "group": staff, "member": staff.As(bob),
		} {
			soon, cancel := contextWithTimeout(t, time.Second)
			_, err := from.Next(soon)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, "4 sent", name)
		}
	})
}

func TestNextEndsWithTheServer(t *testing.T) {
	s, _ := newServer(t)
	alice := s.User("alice")
	s.Close()
	_, err := alice.Next(t.Context())
	require.EqualError(t, err, "blazetest: the server is closed")
}

// A user's payload arrives as a message of the user, in the contact conversation.
func TestAUserSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice := s.User("alice")
		require.Equal(t, "alice", alice.Name())
		require.Equal(t, blazetest.UserID("alice"), alice.ID())
		require.Equal(t, blaze.ConversationID(s.Key.AppID, alice.ID()), alice.ConversationID())
		c := connectAndList(t, s)

		id := alice.Say("hi")
		m := c.pushed()
		require.Equal(t, id, m.MessageID)
		require.Equal(t, alice.ID(), m.UserID)
		require.Equal(t, alice.ConversationID(), m.ConversationID)
		require.Equal(t, "PLAIN_TEXT", m.Category)
		require.Equal(t, "aGk=", m.Data)

		id = alice.Send(blaze.Sticker{StickerID: id1})
		m = c.pushed()
		require.Equal(t, id, m.MessageID)
		require.Equal(t, "PLAIN_STICKER", m.Category)
	})
}

// Encrypted messages are decrypted at both ends.
func TestSealedTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, echo, nil)
		alice := s.User("alice")
		id := alice.SendEncrypted(blaze.Text("secret"))
		out := nextOf(t, alice)
		require.Equal(t, blaze.Text("echo: secret"), out.Payload)
		require.True(t, out.Encrypted)
		require.NoError(t, s.Idle(t.Context()))
		require.Equal(t, []string{id}, s.Acked())
	})
}

// encryptedFor returns a message that was encrypted by hand, to be sent over the websocket.
func encryptedFor(c *restClient, conversation, text string, users ...string) object {
	t, s := c.t, c.s
	t.Helper()
	own, err := auth.New(s.Key.AppID, s.Key.SessionID, s.Key.SessionPrivateKey)
	require.NoError(t, err)
	var sessions []seal.Session
	for _, u := range c.list("POST", "/sessions/fetch", users) {
		public := decode(t, u["public_key"].(string))
		sessions = append(sessions, seal.Session{ID: u["session_id"].(string), Public: public})
	}
	require.Len(t, sessions, len(users))
	p, err := seal.Seal(own, sessions, []byte(text))
	require.NoError(t, err)
	return textMessage(object{
		"conversation_id": conversation, "category": "ENCRYPTED_TEXT", "data": nil, "data_base64": encode(p),
	})
}

// The websocket accepts encrypted messages unchanged. Their recipients decrypt them; Server.Next does not.
func TestSealedOverTheWebsocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice, bob, carol := s.User("alice"), s.User("bob"), s.User("carol")
		staff := s.Group("staff", alice, bob, carol)
		ws, api := connect(t, s), newRESTClient(t, s)
		encrypted := encryptedFor(api, staff.ID(), "for two", alice.ID(), bob.ID())
		require.Nil(t, ws.call(wire.ActionCreateMessage, encrypted).Error)

		readers := map[string]listener{"group": staff, "alice": staff.As(alice), "bob": staff.As(bob)}
		for name, reader := range readers {
			out := nextOf(t, reader)
			require.Equal(t, blaze.Text("for two"), out.Payload, name)
			require.True(t, out.Encrypted, name)
		}
		raw, ok := nextOf(t, staff.As(carol)).Payload.(blaze.Raw)
		require.True(t, ok)
		require.Equal(t, blaze.CategoryEncryptedText, raw.As)
		require.Error(t, raw.Err)
		require.IsType(t, blaze.Raw{}, nextOf(t, s).Payload)
	})
}

// A tap delivers the button's text, in the button's conversation.
func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		alice, bob := s.User("alice"), s.User("bob")
		c := connectAndList(t, s)
		buttons := blaze.Outgoing{ConversationID: alice.ConversationID(), Payload: blaze.ButtonGroup{
			{Label: "Yes", Color: "#00FF00", Action: "input:/yes now"},
			{Label: "Site", Color: "#00FF00", Action: "https://example.com/?input:no"},
		}}
		id := alice.Tap(buttons, "Yes")
		m := c.pushed()
		require.Equal(t, id, m.MessageID)
		require.Equal(t, encodeStd("/yes now"), m.Data)
		require.Equal(t, alice.ConversationID(), m.ConversationID)
		require.Empty(t, alice.Tap(buttons, "Site"), "it opens a page")

		staff := s.Group("staff", alice)
		require.Equal(t, "SYSTEM_CONVERSATION", c.pushed().Category)
		card := blaze.Outgoing{
			ConversationID: staff.ID(), Payload: blaze.Card{Actions: []blaze.Button{{Label: "Go", Action: "input:go"}}},
		}
		id = alice.Tap(card, "Go")
		m = c.pushed()
		require.Equal(t, id, m.MessageID)
		require.Equal(t, staff.ID(), m.ConversationID)
		require.Equal(t, alice.ID(), m.UserID)
		require.Empty(t, f.take())

		require.Empty(t, alice.Tap(buttons, "No"))
		require.Equal(t, []string{`blazetest: Tap: the message has no button "No"`}, f.take())
		require.Empty(t, alice.Tap(blaze.Outgoing{Payload: blaze.Text("Yes")}, "Yes"))
		require.Len(t, f.take(), 1)
		require.Empty(t, bob.Tap(buttons, "Yes"))
		require.Empty(t, bob.Tap(card, "Go"))
		require.Len(t, f.take(), 2, "bob does not see either")
		require.Len(t, s.Pending(), 3)

		staff.As(alice).Tap(card, "Go")
		require.Equal(t, encodeStd("go"), c.pushed().Data, "a member taps as well")
	})
}

// A message is delivered before it is read.
func TestReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var receipts []blaze.Receipt
		s, _ := blazetest.Start(t, echo, func(cfg *blaze.Config) {
			cfg.OnReceipt = func(r blaze.Receipt) { receipts = append(receipts, r) }
		})
		alice := s.User("alice")
		alice.Say("hi")
		out := nextOf(t, alice)
		alice.Reads(out)
		synctest.Wait()
		require.Len(t, receipts, 2)
		require.Equal(t, out.MessageID, receipts[0].MessageID)
		require.Equal(t, blaze.StatusDelivered, receipts[0].Status)
		require.Equal(t, out.MessageID, receipts[1].MessageID)
		require.Equal(t, blaze.StatusRead, receipts[1].Status)
	})
}

func TestReadsOfWhatWasNotSent(t *testing.T) {
	s, f := newServer(t)
	alice := s.User("alice")
	alice.Reads(blaze.Outgoing{ConversationID: alice.ConversationID(), MessageID: id1})
	require.Len(t, f.take(), 1)
	alice.Reads(blaze.Outgoing{ConversationID: id2, MessageID: id1})
	require.Len(t, f.take(), 1)
}

// An uploaded file can be downloaded by the bot.
func TestUserUploads(t *testing.T) {
	s, f := newServer(t)
	alice := s.User("alice")
	file := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{7}, 1000)...)
	a := alice.Upload(iotest.OneByteReader(bytes.NewReader(file)))
	require.Equal(t, "image/png", a.MimeType)
	require.EqualValues(t, 1008, a.Size)
	require.Nil(t, a.Key)
	require.Nil(t, a.Digest)

	c, err := blaze.New(s.Key, &s.Config)
	require.NoError(t, err)
	defer c.CloseIdleConnections()
	r, err := c.Download(t.Context(), a)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, file, got)

	require.Equal(t, "text/plain; charset=utf-8", alice.Upload(strings.NewReader("text")).MimeType)
	require.Zero(t, alice.Upload(iotest.ErrReader(errors.New("no disk"))))
	require.Equal(t, []string{"blazetest: Upload: no disk"}, f.take())
	require.Zero(t, alice.Upload(io.LimitReader(zeros{}, 64<<20+1)))
	require.Len(t, f.take(), 1)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
