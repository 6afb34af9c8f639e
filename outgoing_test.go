package blaze_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// canary is part of message bodies. It must not appear anywhere else.
const canary = "CANARY-in-a-body"

// limiterFunc is a Limiter.
type limiterFunc func(ctx context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// invalidOutgoings break one rule each and name the field that the error must name. All texts contain the canary.
func invalidOutgoings() []struct {
	field string
	out   blaze.Outgoing
} {
	text := blaze.Text("a text with a " + canary)
	with := func(edit func(*blaze.Outgoing)) blaze.Outgoing {
		out := blaze.Outgoing{ConversationID: conversationA, RecipientID: userA, Payload: text}
		edit(&out)
		return out
	}
	payload := func(p blaze.Payload) blaze.Outgoing { return with(func(o *blaze.Outgoing) { o.Payload = p }) }
	quoting := func(p blaze.Payload) blaze.Outgoing {
		return with(func(o *blaze.Outgoing) { o.Payload, o.QuoteID = p, messageA })
	}
	attachment := blaze.Attachment{ID: attachmentID, Size: 1}
	keyed, digested := attachment, attachment
	keyed.Key, digested.Digest = attachmentKey, attachmentDigest
	return []struct {
		field string
		out   blaze.Outgoing
	}{
		{"Outgoing.ConversationID", blaze.Outgoing{Payload: text}},
		{"Outgoing.ConversationID", blaze.To(canary, text)},
		{"Outgoing.ConversationID", blaze.To("{"+conversationA+"}", text)},
		{"Outgoing.ConversationID", blaze.To(strings.ReplaceAll(conversationA, "-", ""), text)},
		{"Outgoing.ConversationID", blaze.To(conversationA+"\n", text)},
		{"Outgoing.MessageID", with(func(o *blaze.Outgoing) { o.MessageID = canary })},
		{"Outgoing.RecipientID", with(func(o *blaze.Outgoing) { o.RecipientID = canary })},
		{"Outgoing.RecipientID", with(func(o *blaze.Outgoing) { o.RecipientID = "7000101488" })},
		{"Outgoing.QuoteID", with(func(o *blaze.Outgoing) { o.QuoteID = canary })},
		{"Outgoing.RepresentativeID", with(func(o *blaze.Outgoing) { o.RepresentativeID = canary })},
		{"Outgoing.Mentions[1]", with(func(o *blaze.Outgoing) { o.Mentions = []string{userA, canary, ""} })},
		{"Outgoing.Mentions[0]", with(func(o *blaze.Outgoing) { o.Mentions = []string{""} })},
		{"Outgoing.ExpireIn", with(func(o *blaze.Outgoing) { o.ExpireIn = -time.Second })},
		{"Outgoing.ExpireIn", with(func(o *blaze.Outgoing) { o.ExpireIn = 1500 * time.Millisecond })},
		{"Outgoing.ExpireIn", with(func(o *blaze.Outgoing) { o.ExpireIn = 1 })},

		{"Payload", payload(nil)},
		{"Payload", payload((*blaze.Text)(nil))},
		{"Payload", payload((*blaze.Card)(nil))},
		{"Payload", payload(struct{ blaze.Text }{text})},
		{"Text", payload(blaze.Text(""))},
		{"Post", payload(blaze.Post(""))},
		{"Raw.As", payload(blaze.Raw{Data: []byte(canary)})},
		{"Outgoing.Payload", payload(text + blaze.Text(strings.Repeat("x", 131073-len(text))))},
		{"Outgoing.Payload", payload(blaze.Raw{As: "PLAIN_TEXT", Data: bytes.Repeat([]byte("y"), 131073)})},
		{"Outgoing.Payload", payload(blaze.SystemConversation{Action: "JOIN", Role: canary})},
		{"Outgoing.Payload", payload(blaze.AccountSnapshot{SnapshotID: snapshotID, Memo: canary})},
		{"Outgoing.Payload", payload(blaze.SafeSnapshot{SnapshotID: snapshotID, Memo: []byte(canary)})},
		{"Outgoing.Payload", payload(&blaze.SafeSnapshot{SnapshotID: snapshotID, InscriptionHash: canary})},
		{
			"Outgoing.Encrypted",
			with(func(o *blaze.Outgoing) { o.Encrypted, o.Payload = true, blaze.Recall{MessageID: messageA} }),
		},
		{"Attachment.Key", payload(blaze.Image{Attachment: keyed, Width: 1, Height: 1, Thumbnail: canary})},
		{"Attachment.Key", payload(blaze.Data{Attachment: keyed, Name: canary})},
		{"Attachment.Key", payload(&blaze.Audio{Attachment: keyed})},
		{"Attachment.Key", payload(blaze.Video{Attachment: keyed, Width: 1, Height: 1})},
		{"Attachment.Digest", payload(blaze.Data{Attachment: digested, Name: canary})},

		{"Outgoing.QuoteID", quoting(blaze.Recall{MessageID: messageA})},
		{"Outgoing.QuoteID", quoting(blaze.Pin{Action: "PIN", MessageIDs: []string{messageA}})},
		{"Outgoing.QuoteID", quoting(blaze.Raw{As: "MESSAGE_RECALL", Data: []byte(canary)})},

		// One for each kind of payload. The tests of payloads have the rest.
		{"ButtonGroup", payload(blaze.ButtonGroup{})},
		{
			"ButtonGroup[0].Label",
			payload(blaze.ButtonGroup{{Label: canary + strings.Repeat("x", 36), Color: "#000000", Action: "a"}}),
		},
		{"ButtonGroup[0].Color", payload(blaze.ButtonGroup{{Label: canary, Color: "red", Action: "a"}})},
		{"ButtonGroup", payload(blaze.ButtonGroup(buttons(19)))},
		{"Card.Actions", payload(blaze.Card{Title: canary, Description: canary, Action: "a", Actions: buttons(1)})},
		{"Card.Title", payload(blaze.Card{Description: canary, Action: "a"})},
		{"Audio.Duration", payload(blaze.Audio{Attachment: attachment, Duration: time.Minute + time.Millisecond})},
		{"Image.Width", payload(blaze.Image{Attachment: attachment, Height: 1, Thumbnail: canary})},
		{"Data.ID", payload(blaze.Data{Name: canary})},
		{"Contact.UserID", payload(blaze.Contact{UserID: canary})},
		{"Location.Latitude", payload(blaze.Location{Latitude: 91, Name: canary})},
		{"Live.URL", payload(blaze.Live{Width: 1, Height: 1, ThumbURL: canary})},
		{"Recall.MessageID", payload(blaze.Recall{MessageID: canary})},
	}
}

func TestInvalidMessagesAreNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w frames
		limited := 0
		s, c := begin(t, nil, func(cfg *blaze.Config) {
			w.tap(cfg)
			cfg.Limiter = limiterFunc(func(context.Context) error { limited++; return nil })
		})
		for i, r := range invalidOutgoings() {
			name := fmt.Sprintf("%d %s", i, r.field)
			got, err := c.Send(t.Context(), r.out)
			assert.Zero(t, got, name)
			require.Error(t, err, name)
			var invalid *blaze.InvalidError
			if assert.ErrorAs(t, err, &invalid, name) {
				assert.Equal(t, r.field, invalid.Field, name)
				assert.NotEmpty(t, invalid.Reason, name)
			}
			assert.ErrorIs(t, err, blaze.ErrInvalid, name)
			for _, shown := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %q", err, err, err, err)} {
				assert.NotContains(t, shown, canary, name)
				assert.NotContains(t, shown, "yyyy", name)
				assert.NotContains(t, shown, "xxxx", name)
			}
		}
		synctest.Wait()
		assert.Empty(t, w.all())
		assert.Empty(t, s.Sent())
		assert.Zero(t, limited, "nothing is to be sent")
		assert.Zero(t, c.Stats().Sent)
	})
}

// An invalid message of a batch fails alone. The others are sent in order.
func TestInvalidMessagesOfABatchFailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, nil, nil)
		var outs []blaze.Outgoing
		for i, r := range invalidOutgoings() {
			outs = append(outs, r.out,
				blaze.Outgoing{ConversationID: conversationA, RecipientID: userA, Payload: blaze.Textf("%d", i)})
		}
		sent, err := c.SendBatch(t.Context(), outs...)
		require.Len(t, sent, len(outs))
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Errs, len(outs))
		assert.ErrorIs(t, err, blaze.ErrInvalid)
		assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), canary)
		for i, r := range invalidOutgoings() {
			var invalid *blaze.InvalidError
			if assert.ErrorAs(t, failed.Errs[2*i], &invalid) {
				assert.Equal(t, r.field, invalid.Field)
			}
			assert.Zero(t, sent[2*i])
			assert.NoError(t, failed.Errs[2*i+1])
			assert.Equal(t, s.Sent()[i].MessageID, sent[2*i+1].MessageID)
			assert.Equal(t, blaze.Textf("%d", i), s.Sent()[i].Payload)
		}
		assert.Len(t, s.Sent(), len(outs)/2)
	})
}

// Values at their limits are sent.
func TestValuesAtTheirLimitsAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, nil, nil)
		text := blaze.Text(strings.Repeat("x", 128<<10))
		for name, out := range map[string]blaze.Outgoing{
			"128 KB":             blaze.To(conversationA, text),
			"a pointer":          blaze.To(conversationA, &text),
			"a second":           {ConversationID: conversationA, Payload: text, ExpireIn: time.Second},
			"a text that quotes": {ConversationID: conversationA, Payload: blaze.Text("x"), QuoteID: messageA},
			"a post that quotes": {ConversationID: conversationA, Payload: blaze.Post("x"), QuoteID: messageA},
			"a mention": {
				ConversationID: conversationA, Payload: blaze.Text("@7000"), Mentions: []string{userA},
			},
			"an unknown category":  blaze.To(conversationA, blaze.Raw{As: "PLAIN_HOLOGRAM", Data: []byte{0, 1, 255}}),
			"raw data without any": blaze.To(conversationA, blaze.Raw{As: "PLAIN_HOLOGRAM"}),
		} {
			sent, err := c.Send(t.Context(), out)
			require.NoError(t, err, name)
			assert.Regexp(t, frameID, sent.MessageID, name)
			got := s.Sent()[len(s.Sent())-1]
			assert.Equal(t, sent.MessageID, got.MessageID, name)
			want, err := blaze.EncodePayload(out.Payload)
			require.NoError(t, err)
			have, err := blaze.EncodePayload(got.Payload)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(want, have), name)
			assert.Equal(t, out.QuoteID+out.RecipientID, got.QuoteID+got.RecipientID, name)
			assert.Equal(t, out.ExpireIn, got.ExpireIn, name)
		}
	})
}

func TestConversationsAndUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, nil, nil)
		user := userID("alice")
		assert.Equal(t, blaze.ConversationID(s.Key.AppID, user), c.ConversationWith(strings.ToUpper(user)))
		assert.Equal(t,
			blaze.Outgoing{ConversationID: c.ConversationWith(user), RecipientID: user, Payload: blaze.Text("x")},
			c.ToUser(user, blaze.Text("x")))
		assert.Equal(t, blaze.Outgoing{ConversationID: conversationA, Payload: blaze.Text("x")},
			blaze.To(conversationA, blaze.Text("x")))
		// An invalid user id is an error. It does not become the id of some conversation.
		_, err := c.Send(t.Context(), c.ToUser("alice", blaze.Text("x")))
		requireInvalid(t, err, "Outgoing.RecipientID")
		_, err = c.Send(t.Context(), c.ToUser("", blaze.Text("x")))
		requireInvalid(t, err, "Outgoing.ConversationID")
	})
}

func TestMentionsOutsideGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, nil, nil)
		toUser := c.ToUser(userA, blaze.Text("@7000"))
		toUser.Mentions = []string{userB}
		_, err := c.Send(t.Context(), toUser)
		var invalid *blaze.InvalidError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, "Outgoing.Mentions", invalid.Field)

		toGroup := toUser
		toGroup.ConversationID = conversationA
		_, err = c.Send(t.Context(), toGroup)
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 1)
	})
}
