package blaze_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// golden returns the valid payload of a file, changed by edit.
func golden[P blaze.Payload](name string, edit func(*P)) blaze.Payload {
	p := goldens[name].(P)
	edit(&p)
	return p
}

func buttons(n int) []blaze.Button {
	out := make([]blaze.Button, n)
	for i := range out {
		out[i] = blaze.Button{Label: "ok", Color: "#0a0B0c", Action: "input:ok"}
	}
	return out
}

// secret is put into wrong fields. No error may repeat it.
const secret = "secret-value"

func TestValidation(t *testing.T) {
	image := func(edit func(*blaze.Image)) blaze.Payload { return golden("PLAIN_IMAGE", edit) }
	data := func(edit func(*blaze.Data)) blaze.Payload { return golden("PLAIN_DATA", edit) }
	audio := func(edit func(*blaze.Audio)) blaze.Payload { return golden("PLAIN_AUDIO", edit) }
	video := func(edit func(*blaze.Video)) blaze.Payload { return golden("PLAIN_VIDEO", edit) }
	live := func(edit func(*blaze.Live)) blaze.Payload { return golden("PLAIN_LIVE", edit) }
	place := func(edit func(*blaze.Location)) blaze.Payload { return golden("PLAIN_LOCATION", edit) }
	card := func(edit func(*blaze.Card)) blaze.Payload { return golden("APP_CARD", edit) }
	third := func(edit func(*blaze.Button)) blaze.Payload {
		g := blaze.ButtonGroup(buttons(4))
		edit(&g[2])
		return g
	}
	transcript := func(edit func(*blaze.TranscriptMessage)) blaze.Payload {
		m := blaze.TranscriptMessage{TranscriptID: transcriptID, MessageID: messageA, Category: "PLAIN_TEXT"}
		edit(&m)
		return blaze.Transcript{m}
	}

	for _, c := range []struct {
		field   string
		payload blaze.Payload
	}{
		{"Text", blaze.Text("")},
		{"Text", blaze.Text("a\xff")},
		{"Post", blaze.Post("")},
		{"Post", blaze.Post("\xc0\x80")},
		{"Raw.As", blaze.Raw{Data: []byte(secret)}},

		{"Image.ID", image(func(p *blaze.Image) { p.ID = "" })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = secret })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = "{" + attachmentID + "}" })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = "urn:uuid:" + attachmentID })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = strings.ReplaceAll(attachmentID, "-", "") })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = "g" + attachmentID[1:] })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = "-" + attachmentID[1:] })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = attachmentID[:8] + "0" + attachmentID[9:] })},
		{"Image.ID", image(func(p *blaze.Image) { p.ID = attachmentID + " " })},
		{"Image.Size", image(func(p *blaze.Image) { p.Size = -1 })},
		{"Image.Width", image(func(p *blaze.Image) { p.Width = 0 })},
		{"Image.Width", image(func(p *blaze.Image) { p.Width = -1 })},
		{"Image.Height", image(func(p *blaze.Image) { p.Height = 0 })},
		{"Image.Height", image(func(p *blaze.Image) { p.Height = -1 })},
		{"Image.Thumbnail", image(func(p *blaze.Image) { p.Thumbnail = "data:image/jpeg;base64,AAAA" })},
		{"Image.Thumbnail", image(func(p *blaze.Image) { p.Thumbnail = "\xff\xd8\xff" })},

		{"Data.ID", data(func(p *blaze.Data) { p.ID = "" })},
		{"Data.ID", data(func(p *blaze.Data) { p.ID = secret })},
		{"Data.Size", data(func(p *blaze.Data) { p.Size = math.MinInt64 })},

		{"Audio.ID", audio(func(p *blaze.Audio) { p.ID = "" })},
		{"Audio.ID", audio(func(p *blaze.Audio) { p.ID = secret })},
		{"Audio.Size", audio(func(p *blaze.Audio) { p.Size = -1 })},
		{"Audio.Duration", audio(func(p *blaze.Audio) { p.Duration = -1 })},
		{"Audio.Duration", audio(func(p *blaze.Audio) { p.Duration = time.Minute + 1 })},

		{"Video.ID", video(func(p *blaze.Video) { p.ID = "" })},
		{"Video.ID", video(func(p *blaze.Video) { p.ID = secret })},
		{"Video.Size", video(func(p *blaze.Video) { p.Size = -1 })},
		{"Video.Width", video(func(p *blaze.Video) { p.Width = 0 })},
		{"Video.Height", video(func(p *blaze.Video) { p.Height = -5 })},
		{"Video.Thumbnail", video(func(p *blaze.Video) { p.Thumbnail = "AA\nAA" })},
		{"Video.Duration", video(func(p *blaze.Video) { p.Duration = -time.Second })},

		{"Sticker.StickerID", blaze.Sticker{}},
		{"Sticker.StickerID", blaze.Sticker{Name: secret}},
		{"Sticker.StickerID", blaze.Sticker{AlbumID: albumID}},
		{"Sticker.StickerID", blaze.Sticker{StickerID: secret}},
		{"Sticker.AlbumID", blaze.Sticker{Name: "x", AlbumID: secret}},
		{"Sticker.AlbumID", blaze.Sticker{StickerID: stickerID, AlbumID: secret}},

		{"Contact.UserID", blaze.Contact{}},
		{"Contact.UserID", blaze.Contact{UserID: secret}},

		{"ButtonGroup", blaze.ButtonGroup(nil)},
		{"ButtonGroup", blaze.ButtonGroup{}},
		{"ButtonGroup", blaze.ButtonGroup(buttons(19))},
		{"ButtonGroup[2].Label", third(func(b *blaze.Button) { b.Label = "" })},
		{
			"ButtonGroup[2].Label",
			third(func(b *blaze.Button) { b.Label = secret + strings.Repeat("x", 36-len(secret)) }),
		},
		{"ButtonGroup[2].Label", third(func(b *blaze.Button) { b.Label = strings.Repeat("价", 12) })}, // 36 bytes
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "" })},
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "#abc" })},
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "abcdef" })},
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "#abcdeg" })},
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "#ff00ff00" })},
		{"ButtonGroup[2].Color", third(func(b *blaze.Button) { b.Color = "xabcdef" })},
		{"ButtonGroup[2].Label", third(func(b *blaze.Button) { b.Label = "\xff" })},

		{"Card.AppID", card(func(p *blaze.Card) { p.AppID = secret })},
		{"Card.Title", card(func(p *blaze.Card) { p.Title = "" })},
		{"Card.Description", card(func(p *blaze.Card) { p.Description = "" })},
		{"Card.Action", card(func(p *blaze.Card) { p.Action = "" })},
		{"Card.Action", card(func(p *blaze.Card) { p.Action, p.Actions = "", []blaze.Button{} })},
		{"Card.Action", card(func(p *blaze.Card) { p.Action = "example.com" })},
		{"Card.Actions", card(func(p *blaze.Card) { p.Actions = buttons(1) })},
		{"Card.IconURL", card(func(p *blaze.Card) { p.IconURL = "icon.png" })},
		{"Card.CoverURL", card(func(p *blaze.Card) { p.CoverURL = "data:image/png,x" })},
		{"Card.Title", card(func(p *blaze.Card) { p.Title = "\xff" })},
		{"Card.Description", card(func(p *blaze.Card) { p.Description = "\xff" })},
		{
			"Card.Actions[1].Label",
			card(func(p *blaze.Card) { p.Action, p.Actions = "", buttons(2); p.Actions[1].Label = "" }),
		},
		{
			"Card.Actions[0].Color",
			card(func(p *blaze.Card) { p.Action, p.Actions = "", buttons(2); p.Actions[0].Color = secret }),
		},
		{
			"Card.Actions[0].Action",
			card(func(p *blaze.Card) { p.Action, p.Actions = "", buttons(1); p.Actions[0].Action = "" }),
		},

		{"Live.Width", live(func(p *blaze.Live) { p.Width = 0 })},
		{"Live.Height", live(func(p *blaze.Live) { p.Height = -1 })},
		{"Live.URL", live(func(p *blaze.Live) { p.URL = "" })},
		{"Live.URL", live(func(p *blaze.Live) { p.URL = "rtmp://example.com/live" })},
		{"Live.ThumbURL", live(func(p *blaze.Live) { p.ThumbURL = "https:///logo.png" })},

		{"Location.Longitude", place(func(p *blaze.Location) { p.Longitude = 180.001 })},
		{"Location.Longitude", place(func(p *blaze.Location) { p.Longitude = math.NaN() })},
		{"Location.Longitude", place(func(p *blaze.Location) { p.Longitude = math.Inf(-1) })},
		{"Location.Latitude", place(func(p *blaze.Location) { p.Latitude = -90.001 })},
		{"Location.Latitude", place(func(p *blaze.Location) { p.Latitude = math.NaN() })},
		{"Location.Latitude", place(func(p *blaze.Location) { p.Latitude = math.Inf(1) })},

		{"Transcript", blaze.Transcript{}},
		{"Transcript[0].TranscriptID", transcript(func(m *blaze.TranscriptMessage) { m.TranscriptID = "" })},
		{"Transcript[0].MessageID", transcript(func(m *blaze.TranscriptMessage) { m.MessageID = secret })},
		{"Transcript[0].UserID", transcript(func(m *blaze.TranscriptMessage) { m.UserID = secret })},
		{"Transcript[0].Category", transcript(func(m *blaze.TranscriptMessage) { m.Category = "" })},
		{"Transcript[0].CreatedAt", transcript(func(m *blaze.TranscriptMessage) { m.CreatedAt = time.Unix(1<<40, 0) })},
		{"Transcript[0].MediaSize", transcript(func(m *blaze.TranscriptMessage) { m.MediaSize = -1 })},
		{"Transcript[0].MediaWidth", transcript(func(m *blaze.TranscriptMessage) { m.MediaWidth = -1 })},
		{"Transcript[0].MediaHeight", transcript(func(m *blaze.TranscriptMessage) { m.MediaHeight = -1 })},
		{"Transcript[0].MediaDuration", transcript(func(m *blaze.TranscriptMessage) { m.MediaDuration = -1 })},
		{
			"Transcript[0].MediaCreatedAt",
			transcript(func(m *blaze.TranscriptMessage) { m.MediaCreatedAt = time.Unix(-1<<40, 0) }),
		},
		{"Transcript[0].StickerID", transcript(func(m *blaze.TranscriptMessage) { m.StickerID = secret })},
		{"Transcript[0].SharedUserID", transcript(func(m *blaze.TranscriptMessage) { m.SharedUserID = secret })},
		{"Transcript[0].QuoteID", transcript(func(m *blaze.TranscriptMessage) { m.QuoteID = secret })},

		{"Recall.MessageID", blaze.Recall{}},
		{"Recall.MessageID", blaze.Recall{MessageID: secret}},
		{"Pin.Action", blaze.Pin{MessageIDs: []string{messageA}}},
		{"Pin.Action", blaze.Pin{Action: "pin", MessageIDs: []string{messageA}}},
		{"Pin.MessageIDs", blaze.Pin{Action: "UNPIN"}},
		{"Pin.MessageIDs[1]", blaze.Pin{Action: "PIN", MessageIDs: []string{messageA, ""}}},
		{"Pin.MessageIDs[1]", blaze.Pin{Action: "PIN", MessageIDs: []string{messageA, secret}}},

		{"SystemConversation.Action", blaze.SystemConversation{}},
		{"SystemConversation.ExpireIn", blaze.SystemConversation{Action: "EXPIRE", ExpireIn: -1}},
		{"AccountSnapshot.SnapshotID", blaze.AccountSnapshot{}},
		{"AccountSnapshot.CreatedAt", blaze.AccountSnapshot{SnapshotID: "s", CreatedAt: time.Unix(1<<40, 0)}},
		{"SafeSnapshot.SnapshotID", blaze.SafeSnapshot{}},
		{"SafeSnapshot.CreatedAt", blaze.SafeSnapshot{SnapshotID: "s", CreatedAt: time.Unix(1<<40, 0)}},
	} {
		t.Run(c.field, func(t *testing.T) {
			data, err := blaze.EncodePayload(c.payload)
			assert.Nil(t, data)
			var invalid *blaze.InvalidError
			require.ErrorAs(t, err, &invalid)
			assert.ErrorIs(t, err, blaze.ErrInvalid)
			assert.Equal(t, c.field, invalid.Field)
			assert.NotEmpty(t, invalid.Reason)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

// Actions that the apps would ignore, or run as a script, are invalid.
func TestActionsOfButtons(t *testing.T) {
	for _, action := range []string{
		"", "example.com", "/price BTC", "price", "//example.com", "https://", "https:///x", "http:example.com",
		"https://exa mple.com", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd",
		"input:", "input: ", "Input:x", "input:\xff", "mixin:", ":x", "\x00https://example.com",
	} {
		_, err := blaze.EncodePayload(blaze.ButtonGroup{blaze.LinkButton("a", action)})
		var invalid *blaze.InvalidError
		if assert.ErrorAs(t, err, &invalid, "%q", action) {
			assert.Equal(t, "ButtonGroup[0].Action", invalid.Field)
		}
	}
	assert.Equal(t, blaze.Button{"BTC", "#3D75E3", "input:/price BTC"}, blaze.SayButton("BTC", "/price BTC"))
	assert.Equal(t, blaze.Button{"a", "#3D75E3", "https://example.com"}, blaze.LinkButton("a", "https://example.com"))
}

// Values at the limits are valid.
func TestValidationLimits(t *testing.T) {
	for name, p := range map[string]blaze.Payload{
		"18 buttons":          blaze.ButtonGroup(buttons(18)),
		"35 bytes of label":   blaze.ButtonGroup{{strings.Repeat("价", 11) + "xx", "#ffFF00", "HTTPS://a"}},
		"an empty icon":       golden("APP_CARD", func(p *blaze.Card) { p.IconURL = "" }),
		"no actions, not nil": golden("APP_CARD", func(p *blaze.Card) { p.Actions = []blaze.Button{} }),
		"a picture of 1 x 1":  golden("PLAIN_IMAGE", func(p *blaze.Image) { p.Width, p.Height = 1, 1 }),
		"the nil UUID":        blaze.Contact{UserID: "00000000-0000-0000-0000-000000000000"},
		"unpinning":           blaze.Pin{Action: "UNPIN", MessageIDs: []string{messageA}},
		"a time with a zone": blaze.Transcript{{
			TranscriptID: transcriptID, MessageID: messageA, Category: "X", CreatedAt: time.Unix(0, 0),
		}},
		"the corner of a map":  blaze.Location{Longitude: 180, Latitude: -90},
		"a key and no digest":  golden("PLAIN_DATA", func(p *blaze.Data) { p.Key = attachmentKey }),
		"a text with a NUL":    blaze.Text("\x00"),
		"a button to say":      blaze.ButtonGroup{blaze.SayButton("价", "/price 价")},
		"a button for a link":  blaze.ButtonGroup{blaze.LinkButton("a", "https://example.com/a b?c=d#e")},
		"a button for the app": blaze.ButtonGroup{blaze.LinkButton("pay", "mixin://transfer/"+userB)},
		"a button for mail":    blaze.ButtonGroup{blaze.LinkButton("mail", "mailto:a@example.com")},
		"a card that says":     golden("APP_CARD", func(p *blaze.Card) { p.Action = "input:more" }),
		"a live by HTTP":       golden("PLAIN_LIVE", func(p *blaze.Live) { p.URL = "http://[::1]:80/l" }),
		"base64 for URLs":      golden("PLAIN_IMAGE", func(p *blaze.Image) { p.Thumbnail = "-_+/==" }),
	} {
		_, err := blaze.EncodePayload(p)
		assert.NoError(t, err, name)
	}
}
