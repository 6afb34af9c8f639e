package blaze_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// An invalid optional field is ignored. The rest of the payload is decoded.
func TestInvalidOptionalFieldsOfPayloads(t *testing.T) {
	const id = `"attachment_id":"` + attachmentID + `"`
	file := plain(0, "")
	video := blaze.Video{Attachment: file}
	at := time.Date(2024, 1, 1, 8, 0, 0, 5e8, time.UTC)
	for _, c := range []struct {
		category blaze.Category
		data     string
		want     blaze.Payload
	}{
		// Integers are rounded and clamped to the range of their field.
		{
			"PLAIN_VIDEO", `{` + id + `,"width":"1080","height":607.5,"duration":"3200.0"}`,
			blaze.Video{Attachment: file, Width: 1080, Height: 608, Duration: 3200 * time.Millisecond},
		},
		{
			"PLAIN_VIDEO", `{` + id + `,"width":1.08e3,"height":"6.074e2","size":2e9}`,
			blaze.Video{Attachment: plain(2e9, ""), Width: 1080, Height: 607},
		},
		{"PLAIN_VIDEO", `{` + id + `,"width":"wide","height":"","duration":{"ms":5}}`, video},
		{"PLAIN_VIDEO", `{` + id + `,"width":-3,"height":"-1e9","duration":-0.4}`, video},
		{
			"PLAIN_VIDEO", `{` + id + `,"size":86753098675309867530986753}`,
			blaze.Video{Attachment: plain(math.MaxInt64, "")},
		},
		{
			"PLAIN_VIDEO", `{` + id + `,"duration":9223372036855}`,
			blaze.Video{Attachment: file, Duration: 9223372036854 * time.Millisecond},
		},
		{
			"PLAIN_AUDIO", `{` + id + `,"duration":1e300}`,
			blaze.Audio{Attachment: file, Duration: 9223372036854 * time.Millisecond},
		},
		{
			"SYSTEM_CONVERSATION", `{"action":"EXPIRE","expire_in":1e17}`,
			blaze.SystemConversation{Action: "EXPIRE", ExpireIn: 9223372036 * time.Second},
		},
		// Text
		{"PLAIN_CONTACT", `{"user_id":7000}`, blaze.Contact{UserID: "7000"}},
		{"PLAIN_IMAGE", `{` + id + `,"thumbnail":[1],"mime_type":{}}`, blaze.Image{Attachment: file}},
		{"PLAIN_DATA", `{` + id + `,"name":2024.10}`, blaze.Data{Attachment: file, Name: "2024.10"}},
		{"PLAIN_AUDIO", `{` + id + `,"waveform":"AAEC===="}`, blaze.Audio{Attachment: file}},
		{"PLAIN_AUDIO", `{` + id + `,"waveform":[0,1]}`, blaze.Audio{Attachment: file}},
		// Places: some clients omit a coordinate that is 0.
		{
			"PLAIN_LOCATION", `{"name":"Greenwich","latitude":51.4779}`,
			blaze.Location{Name: "Greenwich", Latitude: 51.4779},
		},
		{"PLAIN_LOCATION", `{"longitude":"12.5","latitude":null}`, blaze.Location{Longitude: 12.5}},
		{"PLAIN_LOCATION", `{"longitude":"far","latitude":1}`, blaze.Location{Latitude: 1}},
		// Cards and buttons
		{
			"APP_BUTTON_GROUP", `[{"label":1,"color":null,"action":"a"},{}]`,
			blaze.ButtonGroup{{Label: "1", Action: "a"}, {}},
		},
		{
			"APP_CARD", `{"title":"t","cover":7,"actions":{"buttons":[{"label":"l"}]},"shareable":"maybe"}`,
			blaze.Card{Title: "t"},
		},
		{
			"APP_CARD", `{"title":"t","cover":{"url":{}},"actions":[null],"shareable":"true"}`,
			blaze.Card{Title: "t", Shareable: ptr(true)},
		},
		{
			"APP_CARD", `{"cover":{"url":"u"},"actions":[{"label":"l","color":"#46B8DA","action":"a"}]}`,
			blaze.Card{CoverURL: "u", Actions: []blaze.Button{{"l", "#46B8DA", "a"}}},
		},
		{"APP_CARD", `{"description":"d"}`, blaze.Card{Description: "d"}},
		{
			"APP_CARD", `{"icon_url":"u","action":"https://example.com"}`,
			blaze.Card{IconURL: "u", Action: "https://example.com"},
		},
		// Times, with and without zone
		{
			"SYSTEM_SAFE_INSCRIPTION", `{"snapshot_id":"s","created_at":"2024-01-01T08:00:00.5"}`,
			blaze.SafeSnapshot{SnapshotID: "s", CreatedAt: at},
		},
		{
			"SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","created_at":"2024-01-01 16:00:00.5+08:00"}`,
			blaze.SafeSnapshot{SnapshotID: "s", CreatedAt: at},
		},
		{"SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","created_at":"2024-01-01"}`, blaze.SafeSnapshot{SnapshotID: "s"}},
		{
			"SYSTEM_ACCOUNT_SNAPSHOT", `{"snapshot_id":"s","created_at":1704067200}`,
			blaze.AccountSnapshot{SnapshotID: "s"},
		},
		// Lists
		{
			"MESSAGE_PIN", `{"action":"PIN","message_ids":["m",5]}`,
			blaze.Pin{Action: "PIN", MessageIDs: []string{"m", "5"}},
		},
		{
			"PLAIN_TRANSCRIPT", `[{"message_id":"m"},{"category":"X","created_at":"then","media_size":"1e3"}]`,
			blaze.Transcript{{MessageID: "m"}, {Category: "X", MediaSize: 1000}},
		},
		// Amounts have the digits of the wire.
		{
			"SYSTEM_ACCOUNT_SNAPSHOT", `{"snapshot_id":"s","amount":-0.10,"memo":7,"trace_id":null}`,
			blaze.AccountSnapshot{SnapshotID: "s", Amount: "-0.10", Memo: "7"},
		},
		{
			"SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","amount":100000000000000000000.00000001,"memo":{}}`,
			blaze.SafeSnapshot{SnapshotID: "s", Amount: "100000000000000000000.00000001"},
		},
		{
			"SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","amount":1E-8,"type":null,"user_id":[]}`,
			blaze.SafeSnapshot{SnapshotID: "s", Amount: "1E-8"},
		},
		{"SYSTEM_SAFE_SNAPSHOT", `{"snapshot_id":"s","deposit":"none"}`, blaze.SafeSnapshot{SnapshotID: "s"}},
	} {
		assert.Equal(t, c.want, blaze.DecodePayload(c.category, []byte(c.data)), c.data)
	}
}

// Fields that services and apps have added are decoded, and encoded again under the same names.
func TestAddedFieldsOfPayloads(t *testing.T) {
	at := time.Date(2021, 12, 17, 12, 51, 53, 252052226, time.UTC)
	file := blaze.Attachment{
		ID: attachmentID, MimeType: "application/pdf", Size: 1024, CreatedAt: at, Shareable: ptr(false),
	}
	for data, want := range map[string]blaze.Payload{
		`{"attachment_id":"` + attachmentID + `","mime_type":"application/pdf","size":1024,"name":"a.pdf",` +
			`"created_at":"2021-12-17T12:51:53.252052226Z","shareable":false}`: blaze.Data{
			Attachment: file, Name: "a.pdf",
		},
		`{"type":"transfer","snapshot_id":"s","opponent_id":"o","asset_id":"a","amount":"-0.606","trace_id":"t",` +
			`"memo":"","opening_balance":"89943016.35684771",` +
			`"closing_balance":"89943015.75084771"}`: blaze.AccountSnapshot{
			Type: "transfer", SnapshotID: "s", OpponentID: "o", AssetID: "a", Amount: "-0.606", TraceID: "t",
			OpeningBalance: "89943016.35684771", ClosingBalance: "89943015.75084771",
		},
		`{"type":"snapshot","snapshot_id":"s","user_id":"u","opponent_id":"","transaction_hash":"x","asset_id":"a",` +
			`"amount":"1","memo":"","deposit_hash":"ef","request_id":"r","deposit":{"deposit_hash":"ef",` +
			`"deposit_index":1,"sender":"from","destination":"to","tag":"g"}}`: blaze.SafeSnapshot{
			Type: "snapshot", SnapshotID: "s", UserID: "u",
			TransactionHash: "x", AssetID: "a", Amount: "1", RequestID: "r",
			DepositHash: "ef",
			Deposit:     &blaze.Deposit{Hash: "ef", Index: 1, Sender: "from", Destination: "to", Tag: "g"},
		},
	} {
		assert.Equal(t, want, blaze.DecodePayload(want.Category(), []byte(data)))
		encoded, err := blaze.EncodePayload(want)
		require.NoError(t, err)
		assert.JSONEq(t, data, string(encoded))
	}
	p := blaze.DecodePayload("SYSTEM_SAFE_SNAPSHOT", []byte(`{"snapshot_id":"s","deposit":{"deposit_hash":"ef"}}`))
	assert.Equal(t, "ef", p.(blaze.SafeSnapshot).DepositHash)
}

// accompanying are payloads with their required fields only, and the names of optional fields.
var accompanying = []struct {
	category blaze.Category
	needed   string
	beside   []string
}{
	{
		"PLAIN_IMAGE", `"attachment_id":"a"`,
		[]string{"mime_type", "size", "width", "height", "thumbnail", "created_at", "shareable", "other"},
	},
	{"PLAIN_DATA", `"attachment_id":"a"`, []string{"mime_type", "size", "name", "created_at", "shareable"}},
	{
		"PLAIN_AUDIO", `"attachment_id":"a"`,
		[]string{"mime_type", "size", "duration", "waveform", "created_at", "shareable"},
	},
	{"PLAIN_VIDEO", `"attachment_id":"a"`, []string{"mime_type", "size", "width", "height", "duration", "thumbnail"}},
	{"PLAIN_STICKER", `"sticker_id":"s"`, []string{"album_id", "name"}},
	{"PLAIN_CONTACT", `"user_id":"u"`, []string{"since"}},
	{"PLAIN_LIVE", `"url":"u"`, []string{"width", "height", "thumb_url", "shareable"}},
	{"PLAIN_LOCATION", `"latitude":1`, []string{"longitude", "name", "address"}},
	{
		"APP_CARD", `"title":"t"`,
		[]string{"app_id", "icon_url", "cover_url", "cover", "description", "action", "actions", "shareable"},
	},
	{"MESSAGE_RECALL", `"message_id":"m"`, []string{"other"}},
	{"MESSAGE_PIN", `"action":"PIN","message_ids":["m"]`, []string{"other", "conversation_id"}},
	{"SYSTEM_CONVERSATION", `"action":"ADD"`, []string{"participant_id", "user_id", "role", "expire_in"}},
	{
		"SYSTEM_ACCOUNT_SNAPSHOT", `"snapshot_id":"s"`,
		[]string{"type", "memo", "created_at", "opening_balance", "closing_balance"},
	},
	{"SYSTEM_SAFE_SNAPSHOT", `"snapshot_id":"s"`, []string{
		"type", "user_id", "transaction_hash", "memo", "deposit_hash",
		"inscription_hash", "created_at", "request_id", "deposit",
	}},
}

// listed are payloads that are lists of objects without required fields, and the names of their fields.
var listed = []struct {
	category blaze.Category
	beside   []string
}{
	{"APP_BUTTON_GROUP", []string{"label", "color", "action", "other"}},
	{"PLAIN_TRANSCRIPT", []string{
		"transcript_id", "message_id", "user_id", "user_full_name", "category", "created_at", "content", "media_url",
		"media_name", "media_size", "media_width", "media_height", "media_mime_type", "media_duration", "media_status",
		"media_waveform", "thumb_image", "thumb_url", "media_created_at", "sticker_id", "shared_user_id", "mentions",
		"quote_id", "quote_content", "caption", "other",
	}},
}

// FuzzAccompanyingFields puts any JSON into every optional field and into lists.
func FuzzAccompanyingFields(f *testing.F) {
	for _, odd := range []string{
		`null`, `true`, `""`, `"x"`, `-1`, `1.5`, `1e999`, `"1e17"`, `[]`, `{}`, `[null,{"label":5}]`, `{"url":7}`,
		`"2024-13-01"`, `"\ud800"`, `{"deposit_index":"x"}`, `99999999999999999999999`, `"="`, ` {"media_key":"!"}`,
	} {
		f.Add([]byte(odd))
	}
	f.Fuzz(func(t *testing.T, odd []byte) {
		if !json.Valid(odd) {
			return
		}
		fits := func(category blaze.Category, data string) {
			if raw, ok := blaze.DecodePayload(category, []byte(data)).(blaze.Raw); ok {
				t.Fatalf("%s %s: %v", category, data, raw.Err)
			}
		}
		for _, p := range accompanying {
			for _, name := range p.beside {
				fits(p.category, `{`+p.needed+`,"`+name+`":`+string(odd)+`}`)
			}
		}
		for _, p := range listed {
			for _, name := range p.beside {
				fits(p.category, `[{},{"`+name+`":`+string(odd)+`}]`)
				fits(p.category, `[{"`+name+`":`+string(odd)+`}]`)
			}
		}
		// An element of a list either fits, or the Raw has an error.
		for category, data := range map[blaze.Category]string{
			"MESSAGE_PIN":      `{"action":"PIN","message_ids":["m",%s]}`,
			"APP_BUTTON_GROUP": `[{},%s]`, "PLAIN_TRANSCRIPT": `[{},%s]`,
		} {
			if raw, ok := blaze.DecodePayload(category, fmt.Appendf(nil, data, odd)).(blaze.Raw); ok && raw.Err == nil {
				t.Fatalf("%s: %s", category, odd)
			}
		}
	})
}
