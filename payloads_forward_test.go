package blaze_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// foreignPayloads are payloads that apps and other bots send, but this package rejects if the caller creates them.
var foreignPayloads = map[string]struct {
	category blaze.Category
	data     string
	field    string // of the error, if the caller creates it; "": none
}{
	"a recording of 60.4 s": {
		"PLAIN_AUDIO",
		`{"attachment_id":"` + attachmentID + `","mime_type":"audio/ogg","size":9,"duration":60400,"waveform":"AAE="}`,
		"Audio.Duration",
	},
	"a picture of 0 by 0": {
		"PLAIN_IMAGE",
		`{"attachment_id":"` + attachmentID + `","mime_type":"image/png","width":0,"height":0,"size":9}`, "Image.Width",
	},
	"a film of 0 by 0": {
		"PLAIN_VIDEO",
		`{"attachment_id":"` + attachmentID + `","mime_type":"video/mp4","width":0,"height":0,"size":9,"duration":0}`,
		"Video.Width",
	},
	"a stream of 0 by 0": {
		"PLAIN_LIVE", `{"width":0,"height":0,"thumb_url":"","url":"https://example.com/a.m3u8"}`, "Live.Width",
	},
	"a card with a cover and no buttons": {"APP_CARD", `{"app_id":"` + userA +
		`","cover":{"url":"https://example.com/c.jpg","mime_type":"image/jpeg","width":640,"height":320},` +
		`"title":"T","description":"D"}`, ""},
	"a card with a cover alone": {
		"APP_CARD", `{"cover":{"url":"https://example.com/c.jpg"},"shareable":false}`, "Card.Title",
	},
	"a card with neither": {"APP_CARD", `{"title":"T","description":"D"}`, "Card.Action"},
	"a card without a title": {
		"APP_CARD",
		`{"app_id":"` + userA + `","title":"","description":"D","action":"https://example.com"}`, "Card.Title",
	},
	"a card of both styles": {"APP_CARD", `{"title":"T","description":"D","action":"https://example.com",` +
		`"actions":[{"label":"L","color":"#000000","action":"a"}]}`, "Card.Actions"},
	"a colour of three digits": {
		"APP_BUTTON_GROUP", `[{"label":"L","color":"#abc","action":"https://example.com"}]`, "ButtonGroup[0].Color",
	},
	"a label of 40 bytes": {
		"APP_BUTTON_GROUP", `[{"label":"0123456789012345678901234567890123456789","color":"#abcdef","action":"a"}]`,
		"ButtonGroup[0].Label",
	},
	"a place off the map": {
		"PLAIN_LOCATION", `{"longitude":200,"latitude":95.5,"name":"N"}`, "Location.Longitude",
	},
	"a contact that is no UUID": {"PLAIN_CONTACT", `{"user_id":"7000101488"}`, "Contact.UserID"},
	"fields that are not known": {"PLAIN_STICKER", `{"sticker_id":"` + stickerID + `","asset_type":"LOTTIE"}`, ""},
	"an empty text":             {"PLAIN_TEXT", ``, "Text"},
	"an empty post":             {"PLAIN_POST", ``, "Post"},
	"a text":                    {"PLAIN_TEXT", "hi", ""},
	"a plain file with its key": {"PLAIN_DATA", `{"attachment_id":"` + attachmentID +
		`","size":9,"key":"AQID","digest":"BAUG"}`, "Attachment.Key"},
	// The fields may be in this package's order, too.
	"a plain picture with its key": {"PLAIN_IMAGE", `{"attachment_id":"` + attachmentID +
		`","mime_type":"","width":1,"height":1,"size":9,"key":"AQID","digest":"BAUG"}`, "Attachment.Key"},
	"a plain film": {
		"PLAIN_VIDEO",
		`{"attachment_id":"` + attachmentID + `","mime_type":"","width":1,"height":1,"size":9,"duration":0}`, "",
	},
	"an empty list of pieces": {"PLAIN_TRANSCRIPT", `[]`, "Transcript"},
	"an unknown category":     {"PLAIN_HOLOGRAM", `{`, ""},
	"invalid data":            {"PLAIN_IMAGE", `{"attachment_id":[]}`, ""},
}

// A received payload can be forwarded, replied and quoted, and is sent unchanged, byte for byte.
func TestReceivedPayloadsAreForwarded(t *testing.T) {
	for name, c := range foreignPayloads {
		bubble(t, name, func(t *testing.T) {
			var sent []string
			r := prepare(t, nil)
			for _, action := range []string{actionSend, wire.ActionCreatePlain} {
				many(r.Server, action, func(f blazetest.Frame) blazetest.Answer {
					sent = append(sent, dataOf(t, f)...)
					return blazetest.Answer{}
				})
			}
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				p := m.Payload
				assert.Equal(t, c.category, p.Category())
				copied := m.NewForward(conversationB, p) // a value, independent of later changes of m
				m.Payload, m.Data = nil, append(m.Data[:0:0], "gone"...)
				_, err := r.Send(ctx, copied)
				m.Payload, m.Data = p, []byte(c.data)
				_, batch := r.SendBatch(ctx, m.NewForward(userB, p), m.NewReply(p))
				return errors.Join(err, batch, r.Reply(ctx, m, p), r.Quote(ctx, m, p))
			})
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: c.category, Data: []byte(c.data)}})
			r.idle()
			assert.Empty(t, r.failures.all())
			assert.Equal(t, []string{c.data, c.data, c.data, c.data, c.data}, sent)
		})
	}
}

// dataOf returns the data of the messages in a frame.
func dataOf(t *testing.T, f blazetest.Frame) (data []string) {
	t.Helper()
	type message struct {
		Data string `json:"data"`
	}
	var params struct {
		message
		Messages []message `json:"messages"`
	}
	require.NoError(t, json.Unmarshal(f.Params, &params))
	if f.Action == actionSend {
		params.Messages = []message{params.message}
	}
	for _, m := range params.Messages {
		b, err := base64.StdEncoding.DecodeString(m.Data)
		require.NoError(t, err)
		data = append(data, string(b))
	}
	return data
}

// The same for encrypted messages: encrypted in their conversation, plain elsewhere.
func TestReceivedEncryptedPayloadsAreForwarded(t *testing.T) {
	for name, c := range foreignPayloads {
		if c.category.Plain() == c.category && c.category[:4] == "APP_" || c.data == "" {
			continue // no encrypted form
		}
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				to := m.NewForward(r.ConversationWith(userID("bob")), m.Payload)
				to.RecipientID, to.Encrypted = userID("bob"), true
				_, err := r.Send(ctx, to)
				if _, err := r.Send(ctx, m.NewForward(conversationB, m.Payload)); err != nil {
					assert.ErrorContains(t, err, "Reupload")
					assert.Equal(t, "Attachment.Key", c.field)
				}
				return errors.Join(err, r.Reply(ctx, m, m.Payload))
			})
			r.Deliver(userID("alice"),
				blaze.Outgoing{Payload: blaze.Raw{As: c.category, Data: []byte(c.data)}, Encrypted: true})
			r.idle()
			assert.Empty(t, r.failures.all())
			want := blaze.DecodePayload(c.category, []byte(c.data))
			for _, out := range r.Sent() {
				assert.Equal(t, want, out.Payload)
				assert.Equal(t, out.ConversationID != conversationB, out.Encrypted)
			}
			require.Len(t, r.Sent(), map[bool]int{false: 3, true: 2}[c.field == "Attachment.Key"])
		})
	}
}

// Payloads that the caller creates are validated, even if they are changed copies of received ones.
func TestPayloadsOfTheAuthorAreValidated(t *testing.T) {
	for name, c := range foreignPayloads {
		if c.field == "" {
			continue
		}
		m := received(botID, 1, func(v *wire.Message) {
			inContact(v)
			v.Category, v.Data = string(c.category), c.data
		})
		if _, raw := m.Payload.(blaze.Raw); raw {
			continue // a Raw is not validated
		}
		bubble(t, name, func(t *testing.T) {
			r := run(t, nil, nil)
			late := m.NewForward(conversationB, blaze.Text("a"))
			late.Payload = m.Payload
			changed := m.NewForward(conversationB, m.Payload)
			changed.Payload = change(m.Payload)
			for i, out := range []blaze.Outgoing{
				blaze.To(conversationB, m.Payload), m.NewForward(conversationB, change(m.Payload)),
				m.NewReply(change(m.Payload)), late, changed,
				received(botID, 1, nil).NewForward(conversationB, m.Payload), exported(m.NewReply(m.Payload)),
			} {
				_, err := r.Send(t.Context(), out)
				var invalid *blaze.InvalidError
				if _, text := out.Payload.(blaze.Text); text && out.Payload != blaze.Text("") ||
					out.Payload == blaze.Post(" ") {
					continue // an empty text cannot be changed without making it valid
				}
				require.ErrorAs(t, err, &invalid, fmt.Sprint(i))
				assert.Equal(t, c.field, invalid.Field, i)
			}
		})
	}
}

// change returns a different payload that is as invalid as p.
func change(p blaze.Payload) blaze.Payload {
	switch p := p.(type) {
	case blaze.Audio:
		p.MimeType += "x"
		return p
	case blaze.Image:
		p.MimeType += "x"
		return p
	case blaze.Video:
		p.MimeType += "x"
		return p
	case blaze.Data:
		p.Name += "x"
		return p
	case blaze.Live:
		p.URL += "x"
		return p
	case blaze.Card:
		p.Description += "x"
		return p
	case blaze.ButtonGroup:
		p = append(blaze.ButtonGroup(nil), p...)
		p[0].Action += "x"
		return p
	case blaze.Location:
		p.Name += "x"
		return p
	case blaze.Contact:
		p.UserID += "x"
		return p
	case blaze.Text:
		return p + " "
	case blaze.Post:
		return p + " "
	case blaze.Transcript:
		return blaze.Transcript(nil)
	}
	return p
}

// The id is derived from the bytes sent. Payloads that decode alike but differ in bytes have different ids.
func TestIDsOfForwards(t *testing.T) {
	of := func(data string) *blaze.Message {
		return received(botID, 1, func(v *wire.Message) { v.Category, v.Data = "PLAIN_STICKER", data })
	}
	a, b := of(`{"sticker_id":"`+stickerID+`","x":1}`), of(`{"sticker_id":"`+stickerID+`","x":2}`)
	require.Equal(t, a.Payload, b.Payload)
	assert.NotEqual(t, a.NewReply(a.Payload).MessageID, b.NewReply(b.Payload).MessageID)
	again := of(`{"sticker_id":"` + stickerID + `","x":1}`)
	assert.Equal(t, of(`{"sticker_id":"`+stickerID+`","x":1}`).NewReply(a.Payload), again.NewReply(again.Payload))
	raw := blaze.Raw{As: "PLAIN_STICKER", Data: a.Data}
	assert.Equal(t, again.NewForward(conversationB, raw).MessageID,
		of(string(a.Data)).NewForward(conversationB, a.Payload).MessageID)
}

// Payloads that only the service sends cannot be forwarded.
func TestNoticesAreNotForwarded(t *testing.T) {
	bubble(t, "notice", func(t *testing.T) {
		r := run(t, nil, nil)
		m := received(botID, 1, func(v *wire.Message) {
			v.Category, v.Data = "SYSTEM_ACCOUNT_SNAPSHOT", `{"snapshot_id":"`+snapshotID+`","amount":"1","odd":1}`
		})
		_, err := r.Send(t.Context(), m.NewForward(conversationB, m.Payload))
		require.ErrorIs(t, err, blaze.ErrInvalid)
	})
}

// A card of the newer style needs a cover only. Source: the service's documentation.
func TestACardWithACover(t *testing.T) {
	data, err := blaze.EncodePayload(blaze.Card{CoverURL: "https://example.com/c.jpg", Title: "T", Description: "D"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"cover_url":"https://example.com/c.jpg","title":"T","description":"D"}`, string(data))
	_, err = blaze.EncodePayload(blaze.Card{IconURL: "https://example.com/i.jpg", Title: "T", Description: "D"})
	require.ErrorIs(t, err, blaze.ErrInvalid)
}
