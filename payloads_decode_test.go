package blaze_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestDecodePayloadIsLenient(t *testing.T) {
	const id = `"attachment_id":"` + attachmentID + `"`
	unruly := []byte{0xfb, 0xff, 0xbf, 0xfe} // +/+//g== in base64, so that alphabets and padding differ
	std, url := base64.StdEncoding, base64.URLEncoding

	for _, c := range []struct {
		name     string
		category blaze.Category
		data     string
		want     blaze.Payload
	}{
		{"an empty text", "PLAIN_TEXT", "", blaze.Text("")},
		{"a text of any bytes", "PLAIN_TEXT", "\xff\x00{", blaze.Text("\xff\x00{")},
		{"a text that is JSON", "PLAIN_TEXT", "null", blaze.Text("null")},
		{"a post of any bytes", "PLAIN_POST", "\xfe", blaze.Post("\xfe")},
		{
			"numbers in strings", "PLAIN_VIDEO",
			`{` + id + `,"width":"640","height":"480","size":"9000000000","duration":"1500"}`,
			blaze.Video{Attachment: plain(9000000000, ""), Width: 640, Height: 480, Duration: 1500 * time.Millisecond},
		},
		{
			"seconds in a string", "SYSTEM_CONVERSATION", `{"action":"EXPIRE","expire_in":"60"}`,
			blaze.SystemConversation{Action: "EXPIRE", ExpireIn: time.Minute},
		},
		{
			"null is absent", "PLAIN_DATA",
			`{` + id + `,"mime_type":null,"size":null,"name":null,"key":null,"digest":null}`,
			blaze.Data{Attachment: plain(0, "")},
		},
		{
			"unknown fields", "PLAIN_CONTACT",
			`{"user_id":"` + userB + `","since":[{}],"Key":1}`,
			blaze.Contact{UserID: userB},
		},
		{"names are exact", "PLAIN_CONTACT", `{"user_id":"` + userB + `","USER_ID":"x"}`, blaze.Contact{UserID: userB}},
		{"space around", "PLAIN_CONTACT", " \n{ \"user_id\" : \"u\" }\n", blaze.Contact{UserID: "u"}},
		{
			"nothing is less than nothing", "PLAIN_IMAGE", `{"attachment_id":"x","width":-1,"size":-2}`,
			blaze.Image{Attachment: blaze.Attachment{ID: "x"}},
		},
		{"a place at 0, 0", "PLAIN_LOCATION", `{"longitude":0,"latitude":0.0}`, blaze.Location{}},
		{"no buttons", "APP_BUTTON_GROUP", `[]`, blaze.ButtonGroup{}},
		{
			"a cover that is an object", "APP_CARD",
			`{"title":"t","cover":{"url":"u","width":64}}`,
			blaze.Card{Title: "t", CoverURL: "u"},
		},
		{
			"cover_url before cover", "APP_CARD",
			`{"title":"t","cover_url":"v","cover":{"url":"u"}}`,
			blaze.Card{Title: "t", CoverURL: "v"},
		},
		{"empty actions", "APP_CARD", `{"title":"t","action":"a","actions":[]}`, blaze.Card{Title: "t", Action: "a"}},
		{
			"both styles", "APP_CARD",
			`{"title":"t","action":"a","actions":[{"label":"l","color":"red","action":"b"}]}`,
			blaze.Card{Title: "t", Action: "a", Actions: []blaze.Button{{"l", "red", "b"}}},
		},
		{
			"counter_user_id", "SYSTEM_ACCOUNT_SNAPSHOT", `{"snapshot_id":"s","counter_user_id":"u"}`,
			blaze.AccountSnapshot{SnapshotID: "s", OpponentID: "u"},
		},
		{
			"opponent_id before counter_user_id", "SYSTEM_ACCOUNT_SNAPSHOT",
			`{"snapshot_id":"s","opponent_id":"o","counter_user_id":"u"}`,
			blaze.AccountSnapshot{SnapshotID: "s", OpponentID: "o"},
		},
		{
			"a memo that is not hexadecimal", "SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","memo":"thanks!"}`,
			blaze.SafeSnapshot{SnapshotID: "s", Memo: []byte("thanks!")},
		},
		{
			"a memo with half a byte", "SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","memo":"abc"}`,
			blaze.SafeSnapshot{SnapshotID: "s", Memo: []byte("abc")},
		},
		{
			"a time with a zone", "SYSTEM_SAFE_SNAPSHOT",
			`{"snapshot_id":"s","created_at":"2024-01-01T08:00:00+08:00"}`,
			blaze.SafeSnapshot{SnapshotID: "s", CreatedAt: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
		{
			"an empty time", "SYSTEM_SAFE_SNAPSHOT",
			`{"snapshot_id":"s","created_at":""}`,
			blaze.SafeSnapshot{SnapshotID: "s"},
		},
		{
			"base64, standard", "PLAIN_AUDIO", `{` + id + `,"waveform":"` + std.EncodeToString(unruly) + `"}`,
			blaze.Audio{Attachment: plain(0, ""), Waveform: unruly},
		},
		{
			"base64, standard, bare", "PLAIN_AUDIO",
			`{` + id + `,"waveform":"` + std.WithPadding(-1).EncodeToString(unruly) + `"}`,
			blaze.Audio{Attachment: plain(0, ""), Waveform: unruly},
		},
		{
			"base64, URL", "PLAIN_AUDIO", `{` + id + `,"waveform":"` + url.EncodeToString(unruly) + `"}`,
			blaze.Audio{Attachment: plain(0, ""), Waveform: unruly},
		},
		{
			"base64, URL, bare", "PLAIN_AUDIO",
			`{` + id + `,"waveform":"` + url.WithPadding(-1).EncodeToString(unruly) + `"}`,
			blaze.Audio{Attachment: plain(0, ""), Waveform: unruly},
		},
		{
			"base64 in lines", "PLAIN_AUDIO", `{` + id + `,"waveform":"+/+/\r\n/g==\n"}`,
			blaze.Audio{Attachment: plain(0, ""), Waveform: unruly},
		},
		{"an empty waveform", "PLAIN_AUDIO", `{` + id + `,"waveform":""}`, blaze.Audio{Attachment: plain(0, "")}},
		{
			"the other style of waveform is not read", "PLAIN_AUDIO",
			`{` + id + `,"wave_form":"AAEC"}`,
			blaze.Audio{Attachment: plain(0, "")},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, blaze.DecodePayload(c.category, []byte(c.data)))
		})
	}
}

func TestDecodePayloadReturnsInvalidDataAsRaw(t *testing.T) {
	const id = `"attachment_id":"` + attachmentID + `"`
	for _, c := range []struct {
		name     string
		category blaze.Category
		data     string
		contains string // part of the error
	}{
		{"nothing", "PLAIN_IMAGE", ``, "broken JSON"},
		{"not JSON", "PLAIN_IMAGE", secret, "broken JSON at byte 1"},
		{"cut off", "PLAIN_IMAGE", `{"attachment_id":"` + secret, "broken JSON"},
		{"something after it", "PLAIN_CONTACT", `{"user_id":"u"} ` + secret, "broken JSON"},
		{"null", "PLAIN_IMAGE", `null`, "null where a JSON object should be"},
		{"an array", "PLAIN_IMAGE", `["` + secret + `"]`, "not a JSON object"},
		{"a string", "PLAIN_CONTACT", `"` + secret + `"`, "not a JSON object"},
		{"a number", "APP_CARD", `8675309`, "not a JSON object"},
		{"no attachment_id", "PLAIN_IMAGE", `{"width":1}`, "attachment_id: missing"},
		{"an empty attachment_id", "PLAIN_DATA", `{"attachment_id":""}`, "attachment_id: missing"},
		{"a null attachment_id", "PLAIN_VIDEO", `{"attachment_id":null}`, "attachment_id: missing"},
		{"no attachment_id, audio", "PLAIN_AUDIO", `{}`, "attachment_id: missing"},
		{"a broken key", "PLAIN_IMAGE", `{` + id + `,"key":"` + secret + `!"}`, "key: not base64"},
		{"a broken digest", "PLAIN_IMAGE", `{` + id + `,"digest":"A"}`, "digest: not base64"},
		{"a key that is a number", "PLAIN_IMAGE", `{` + id + `,"key":8675309}`, "key: not a string"},
		{"a digest that is a list", "PLAIN_DATA", `{` + id + `,"digest":["` + secret + `"]}`, "digest: not a string"},
		{"an id that is an object", "PLAIN_CONTACT", `{"user_id":{"id":"` + secret + `"}}`, "user_id: missing"},
		{"a sticker without names", "PLAIN_STICKER", `{"name":"x"}`, "sticker_id: missing"},
		{"no user", "PLAIN_CONTACT", `{}`, "user_id: missing"},
		{"no stream", "PLAIN_LIVE", `{"width":1,"height":1}`, "url: missing"},
		{"no place", "PLAIN_LOCATION", `{"longitude":null,"latitude":"` + secret + `"}`, "longitude: missing"},
		{
			"an empty card", "APP_CARD",
			`{"app_id":"` + secret + `","icon_url":"` + secret + `","action":""}`, "title: missing",
		},
		{"a group of no buttons", "APP_BUTTON_GROUP", `["` + secret + `",5]`, "an array without any object"},
		{"a group of nulls", "APP_BUTTON_GROUP", `[null]`, "an array without any object"},
		{"a transcript of no messages", "PLAIN_TRANSCRIPT", `["` + secret + `",5]`, "an array without any object"},
		{"a group with a null", "APP_BUTTON_GROUP", `[{"label":"` + secret + `"},null]`, "[1]: not a JSON object"},
		{
			"a transcript with a number", "PLAIN_TRANSCRIPT",
			`[8675309,{"content":"` + secret + `"}]`, "[0]: not a JSON object",
		},
		{
			"a pin of odd things", "MESSAGE_PIN",
			`{"action":"PIN","message_ids":["` + secret + `",null]}`, "message_ids[1]: not a string",
		},
		{"a group that is none", "APP_BUTTON_GROUP", `{}`, "not a JSON array"},
		{"a null group", "APP_BUTTON_GROUP", `null`, "null where a JSON array should be"},
		{"a transcript that is none", "PLAIN_TRANSCRIPT", `{}`, "not a JSON array"},
		{
			"a transcript with a broken key", "PLAIN_TRANSCRIPT",
			`[{},{"media_key":"` + secret + `!"}]`, "[1].media_key: not base64",
		},
		{
			"a transcript with a broken digest", "PLAIN_TRANSCRIPT",
			`[{"media_digest":{}}]`, "[0].media_digest: not a string",
		},
		{"a recall of nothing", "MESSAGE_RECALL", `{}`, "message_id: missing"},
		{"a pin of nothing", "MESSAGE_PIN", `{"action":"PIN","message_ids":[]}`, "message_ids: missing"},
		{"a pin without action", "MESSAGE_PIN", `{"message_ids":["x"]}`, "action: missing"},
		{"a change of nothing", "SYSTEM_CONVERSATION", `{"user_id":"` + secret + `"}`, "action: missing"},
		{"no snapshot", "SYSTEM_ACCOUNT_SNAPSHOT", `{"amount":"8675309"}`, "snapshot_id: missing"},
		{"a pin of one", "MESSAGE_PIN", `{"action":"PIN","message_ids":"` + secret + `"}`, "message_ids: missing"},
		{
			"a snapshot id that is a number", "SYSTEM_ACCOUNT_SNAPSHOT",
			`{"snapshot_id":8675309}`, "snapshot_id: not a string",
		},
		{
			"a trace id that is a number", "SYSTEM_ACCOUNT_SNAPSHOT",
			`{"snapshot_id":"s","trace_id":8675309}`, "trace_id: not a string",
		},
		{
			"an asset id that is a list", "SYSTEM_SAFE_SNAPSHOT",
			`{"snapshot_id":"s","asset_id":["` + secret + `"]}`, "asset_id: not a string",
		},
		{
			"an opponent that is a number", "SYSTEM_SAFE_SNAPSHOT",
			`{"snapshot_id":"s","opponent_id":8675309}`, "opponent_id: not a string",
		},
		{
			"a counter user that is a number", "SYSTEM_ACCOUNT_SNAPSHOT",
			`{"snapshot_id":"s","counter_user_id":8675309}`, "counter_user_id: not a string",
		},
		{
			"an amount that is none", "SYSTEM_SAFE_INSCRIPTION",
			`{"snapshot_id":"s","amount":{"` + secret + `":1}}`, "amount: neither a string nor a number",
		},
		{
			"an amount that is true", "SYSTEM_ACCOUNT_SNAPSHOT",
			`{"snapshot_id":"s","amount":true}`, "amount: neither a string nor a number",
		},
		{"no safe snapshot", "SYSTEM_SAFE_SNAPSHOT", `{"amount":"8675309"}`, "snapshot_id: missing"},
		{"encrypted", "ENCRYPTED_TEXT", secret, "encrypted data"},
		{"encrypted, of an unknown version", "ENCRYPTED_SOMETHING_NEW", secret, "encrypted data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := blaze.DecodePayload(c.category, []byte(c.data)).(blaze.Raw)
			require.True(t, ok, "not a Raw")
			assert.Equal(t, c.category, got.As)
			assert.Equal(t, c.data, string(got.Data))
			require.ErrorContains(t, got.Err, c.contains)
			assert.True(t, strings.HasPrefix(got.Err.Error(), "blaze: "), got.Err)
			assert.NotContains(t, got.Err.Error(), secret, "the error quotes the message")
			assert.NotContains(t, got.Err.Error(), "86753", "the error quotes the message")
		})
	}
}

func TestDecodePayloadOfUnknownCategories(t *testing.T) {
	for _, c := range []blaze.Category{
		"", "plain_text", "SIGNAL_TEXT", "SYSTEM_USER", "WEBRTC_AUDIO_OFFER", "PLAIN_SOMETHING_NEW",
	} {
		assert.Equal(t, blaze.Raw{As: c, Data: []byte("{")}, blaze.DecodePayload(c, []byte("{")))
	}
}

func FuzzDecodePayload(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "payloads", "*.json"))
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		category, _, _ := strings.Cut(filepath.Base(file), ".")
		f.Add(category, data)
	}
	f.Add("ENCRYPTED_TEXT", []byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, category string, data []byte) {
		p := blaze.DecodePayload(blaze.Category(category), data)
		encoded, err := blaze.EncodePayload(p)
		if err != nil {
			if !errors.Is(err, blaze.ErrInvalid) {
				t.Fatalf("encoding the decoded payload: %v", err)
			}
			return
		}
		again := blaze.DecodePayload(blaze.Category(category), encoded)
		if raw, ok := again.(blaze.Raw); ok && raw.Err != nil {
			if was, ok := p.(blaze.Raw); !ok || was.Err == nil {
				t.Fatalf("the encoded payload does not decode: %v", raw.Err)
			}
		}
	})
}
