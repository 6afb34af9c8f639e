package blaze_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
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

const (
	attachmentID = "5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10"
	botID        = "8dcf823d-9eb3-4da2-8734-f0aad50c0da6"
	albumID      = "0b1f2e3d-4c5b-4a69-8778-96a5b4c3d2e1"
	stickerID    = "7d4c2a9e-1f38-4b6d-a5c0-e9f817263544"
	transcriptID = "1c0f6a2b-93d4-4e57-8f61-a2b3c4d5e6f7"
	messageA     = "2d1e7b3c-a4e5-4f68-9072-b3c4d5e6f708"
	messageB     = "4f309d5e-c607-418a-9294-d5e6f708192a"
	snapshotID   = "5a41ae6f-d718-429b-a3a5-e6f708192a3b"
	traceID      = "6b52bf70-e829-43ac-84b6-f708192a3b4c"
	assetID      = "c6d0c728-2624-429b-8e0d-d9d19b6592fa"
	txHash       = "6a1d8b7f2c3e4d5a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a"
	thumbnail    = "/9j/4CBhIHNtYWxsIHBpY3R1cmU="
)

var (
	attachmentKey    = counted(64, 1, 0)
	attachmentDigest = func() []byte { d := sha256.Sum256([]byte("a sealed file")); return d[:] }()
)

// counted returns n bytes: start, start+step, ...
func counted(n, step, start int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(start + i*step)
	}
	return out
}

func plain(size int64, mime string) blaze.Attachment {
	return blaze.Attachment{ID: attachmentID, MimeType: mime, Size: size}
}

// goldens are the payloads of testdata/payloads as Go values, by file. The files are written by hand in the form of the
// wire (see wireBytes for the two that are not JSON). The first twelve are the samples of the service's list of
// websocket messages, in its field order.
var goldens = map[string]blaze.Payload{
	"PLAIN_TEXT":    blaze.Text("Hi, Mixin <3 & 你好"),
	"PLAIN_POST":    blaze.Post("# Title\n\n- one\n- two & *three*\n"),
	"PLAIN_IMAGE":   blaze.Image{Attachment: plain(1024, ""), Width: 1024, Height: 1024, Thumbnail: thumbnail},
	"PLAIN_DATA":    blaze.Data{Attachment: plain(1024, ""), Name: "Share"},
	"PLAIN_STICKER": blaze.Sticker{Name: "hello", AlbumID: albumID},
	"PLAIN_CONTACT": blaze.Contact{UserID: userB},
	"APP_BUTTON_GROUP": blaze.ButtonGroup{
		{"Mixin Website", "#ABABAB", "https://mixin.one"}, {"价格", "#1f7aeb", "input:/price BTC & ETH"},
	},
	"APP_CARD": blaze.Card{
		IconURL: "https://mixin.one/assets/98b586edb270556d1972112bd7985e9e.png", Title: "Mixin",
		Description: "A free and lightning fast peer-to-peer transactional network for digital assets.",
		Action:      "https://mixin.one",
	},
	"PLAIN_AUDIO": blaze.Audio{
		Attachment: plain(1024, "audio/ogg"), Duration: 60 * time.Millisecond,
		Waveform: append(counted(62, 37, 64), '\n'),
	},
	"PLAIN_VIDEO": blaze.Video{
		Attachment: plain(1024, ""), Width: 1024, Height: 1024, Duration: 1024 * time.Millisecond, Thumbnail: thumbnail,
	},
	"PLAIN_LIVE": blaze.Live{
		Width: 650, Height: 366, ThumbURL: "https://mixin.one/logo.png", URL: "https://mixin.one/live.m3u8",
	},
	"PLAIN_LOCATION": blaze.Location{
		Longitude: 126.5893955829421, Latitude: 53.478451778240661, Name: "China", Address: "中国北京市",
	},

	"PLAIN_LOCATION.zero": blaze.Location{Latitude: -0.5},
	"PLAIN_IMAGE.encrypted": blaze.Image{
		Attachment: blaze.Attachment{
			ID: attachmentID, MimeType: "image/jpeg", Size: 70000, Key: attachmentKey, Digest: attachmentDigest,
		},
		Width: 640, Height: 480, Thumbnail: thumbnail,
	},
	"PLAIN_STICKER.sticker_id": blaze.Sticker{StickerID: stickerID},
	"APP_CARD.app_id": blaze.Card{
		AppID: botID, IconURL: "https://mixin.one/icon.png", Title: "Mixin", Description: "With the bot it is from.",
		Action: "https://mixin.one/?a=1&b=2", Shareable: ptr(true),
	},
	"APP_CARD.actions": blaze.Card{
		AppID: botID, CoverURL: "https://mixin.one/cover.png", Title: "Mixin", Description: "A card with buttons.",
		Actions:   []blaze.Button{{"Open", "#ABABAB", "https://mixin.one"}, {"Say hi", "#00ff7F", "input:hi"}},
		Shareable: ptr(false),
	},
	"PLAIN_TRANSCRIPT": blaze.Transcript{{
		TranscriptID: transcriptID, MessageID: messageA, UserID: userA, UserFullName: "Alice", Category: "PLAIN_TEXT",
		CreatedAt: time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC), Content: "hello",
		Mentions: `[{"identity_number":"7000101488","full_name":"Bot"}]`,
		QuoteID:  "3e2f8c4d-b5f6-4079-8183-c4d5e6f70819", QuoteContent: `{"content":"hi"}`,
	}, {
		TranscriptID: transcriptID, MessageID: messageB, UserID: userB, UserFullName: "Bob", Category: "PLAIN_VIDEO",
		CreatedAt: time.Date(2023, 4, 28, 10, 2, 0, 0, time.UTC),
		MediaURL:  attachmentID, MediaName: "film.mp4", MediaSize: 123456, MediaWidth: 640, MediaHeight: 480,
		MediaMimeType: "video/mp4", MediaDuration: 12345 * time.Millisecond,
		MediaStatus: "DONE", MediaWaveform: []byte{0, 1, 2},
		ThumbImage: thumbnail, ThumbURL: "https://mixin.one/thumb.png",
		MediaKey: attachmentKey, MediaDigest: attachmentDigest,
		MediaCreatedAt: time.Date(2023, 4, 28, 10, 1, 59, 500000000, time.UTC),
		StickerID:      stickerID, SharedUserID: userB, Caption: "the film",
	}},
	"MESSAGE_RECALL": blaze.Recall{MessageID: messageA},
	"MESSAGE_PIN":    blaze.Pin{Action: "PIN", MessageIDs: []string{messageA, messageB}},
	"SYSTEM_CONVERSATION": blaze.SystemConversation{
		Action: "ADD", ParticipantID: userB, UserID: userA, Role: "ADMIN",
	},
	"SYSTEM_CONVERSATION.expire": blaze.SystemConversation{
		Action: "EXPIRE", UserID: userA, ExpireIn: 7 * 24 * time.Hour,
	},
	"SYSTEM_ACCOUNT_SNAPSHOT": blaze.AccountSnapshot{
		Type: "transfer", SnapshotID: snapshotID, OpponentID: userB, AssetID: assetID, Amount: "-10", TraceID: traceID,
		Memo: "two coffees", CreatedAt: time.Date(2020, 7, 1, 8, 9, 10, 123456789, time.UTC),
	},
	"SYSTEM_SAFE_SNAPSHOT": blaze.SafeSnapshot{
		Type: "snapshot", SnapshotID: snapshotID, UserID: userA,
		OpponentID: userB, TransactionHash: txHash, AssetID: assetID,
		Amount: "0.00000001", Memo: []byte("two coffees"),
		CreatedAt: time.Date(2024, 2, 3, 4, 5, 6, 789000000, time.UTC),
	},
	"SYSTEM_SAFE_INSCRIPTION": blaze.SafeSnapshot{
		Type: "snapshot", SnapshotID: snapshotID, UserID: userA,
		TraceID: traceID, TransactionHash: txHash, AssetID: assetID,
		Amount: "1", CreatedAt: time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC),
		DepositHash:     "0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6",
		InscriptionHash: "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
	},
	"SYSTEM_USER":    nil, // nil: a known category without a type of its own
	"SYSTEM_CIRCLE":  nil,
	"SYSTEM_SESSION": nil,
	"PLAIN_JSON":     nil,
}

func ptr[T any](v T) *T { return &v }

// readGolden returns a file of testdata/payloads and its category, which is the beginning of its name.
func readGolden(t testing.TB, name string) (blaze.Category, []byte) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "payloads", name+".json"))
	require.NoError(t, err)
	category, _, _ := strings.Cut(name, ".")
	return blaze.Category(category), wireBytes(t, blaze.Category(category), file)
}

// wireBytes returns the wire form of a file. Texts and posts are JSON strings in the file and bare text on the wire.
// All other payloads are compacted.
func wireBytes(t testing.TB, c blaze.Category, file []byte) []byte {
	t.Helper()
	if c == blaze.CategoryPlainText || c == blaze.CategoryPlainPost {
		var s string
		require.NoError(t, json.Unmarshal(file, &s))
		return []byte(s)
	}
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, file))
	return compact.Bytes()
}

func TestPayloadsOfTheWire(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "payloads", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(goldens), "each file has its Go value, each Go value its file")

	for name, want := range goldens {
		t.Run(name, func(t *testing.T) {
			category, wire := readGolden(t, name)
			got := blaze.DecodePayload(category, wire)
			if want == nil {
				assert.Equal(t, blaze.Raw{As: category, Data: wire}, got)
				want = got
			}
			require.Equal(t, want, got)
			assert.Equal(t, category, got.Category())

			again, err := blaze.EncodePayload(got)
			require.NoError(t, err)
			if name == "PLAIN_LOCATION" {
				// The latitude of the sample, 53.478451778240661, has more digits than a float64 can hold. It is
				// written with the fewest digits that identify the same float64.
				assert.JSONEq(t, string(wire), string(again))
				wire = bytes.Replace(wire, []byte("53.478451778240661"), []byte("53.47845177824066"), 1)
			}
			assert.Equal(t, string(wire), string(again))
		})
	}
}

func TestEncodePayloadAcceptsPointers(t *testing.T) {
	for name, p := range map[string]blaze.Payload{
		"PLAIN_TEXT":       ptr(goldens["PLAIN_TEXT"].(blaze.Text)),
		"PLAIN_IMAGE":      ptr(goldens["PLAIN_IMAGE"].(blaze.Image)),
		"APP_BUTTON_GROUP": ptr(goldens["APP_BUTTON_GROUP"].(blaze.ButtonGroup)),
	} {
		_, wire := readGolden(t, name)
		got, err := blaze.EncodePayload(p)
		require.NoError(t, err, name)
		assert.Equal(t, string(wire), string(got))
	}
}

func TestEncodePayloadRejectsNil(t *testing.T) {
	type embeds struct{ blaze.Image }
	type embedsAny struct{ blaze.Payload }
	for name, p := range map[string]blaze.Payload{
		"nil":                         nil,
		"a nil *Image":                (*blaze.Image)(nil),
		"a nil *Text":                 (*blaze.Text)(nil),
		"a nil *ButtonGroup":          (*blaze.ButtonGroup)(nil),
		"a nil *Raw":                  (*blaze.Raw)(nil),
		"a type that embeds an Image": embeds{goldens["PLAIN_IMAGE"].(blaze.Image)},
		"a type that embeds a nil":    embedsAny{},
		"a pointer to such a type":    &embedsAny{},
		"a nil pointer to such a one": (*embedsAny)(nil),
	} {
		t.Run(name, func(t *testing.T) {
			data, err := blaze.EncodePayload(p)
			assert.Nil(t, data)
			var invalid *blaze.InvalidError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, "Payload", invalid.Field)
			assert.ErrorIs(t, err, blaze.ErrInvalid)
		})
	}
}

func TestEncodePayloadDetails(t *testing.T) {
	const id = `"attachment_id":"` + attachmentID + `"`
	for _, c := range []struct {
		name string
		p    blaze.Payload
		want string
	}{
		{
			"zeros of an attachment are written",
			blaze.Data{Attachment: plain(0, "")},
			`{` + id + `,"mime_type":"","size":0}`,
		},
		{
			"an audio without a waveform",
			blaze.Audio{Attachment: plain(0, "")},
			`{` + id + `,"mime_type":"","size":0,"duration":0}`,
		},
		{
			"milliseconds are cut",
			blaze.Video{Attachment: plain(7, ""), Width: 1, Height: 2, Duration: 1999999 * time.Nanosecond},
			`{` + id + `,"mime_type":"","width":1,"height":2,"size":7,"duration":1}`,
		},
		{
			"60 s are allowed",
			blaze.Audio{Attachment: plain(0, ""), Duration: time.Minute},
			`{` + id + `,"mime_type":"","size":0,"duration":60000}`,
		},
		{"0, 0 is a place", blaze.Location{}, `{"longitude":0,"latitude":0}`},
		{"the edge of the map", blaze.Location{Longitude: -180, Latitude: 90}, `{"longitude":-180,"latitude":90}`},
		{"ids in lower case", blaze.Contact{UserID: strings.ToUpper(userB)}, `{"user_id":"` + userB + `"}`},
		{
			"a recalled id in lower case",
			blaze.Recall{MessageID: strings.ToUpper(messageA)},
			`{"message_id":"` + messageA + `"}`,
		},
		{
			"both names of a sticker",
			blaze.Sticker{StickerID: stickerID, AlbumID: albumID, Name: "x"},
			`{"name":"x","album_id":"` + albumID + `","sticker_id":"` + stickerID + `"}`,
		},
		{
			"a live without a picture",
			blaze.Live{Width: 1, Height: 1, URL: "http://u"},
			`{"width":1,"height":1,"thumb_url":"","url":"http://u"}`,
		},
		{
			"a label of 35 bytes",
			blaze.ButtonGroup{{strings.Repeat("x", 35), "#000000", "mixin://a"}},
			`[{"label":"` + strings.Repeat("x", 35) + `","color":"#000000","action":"mixin://a"}]`,
		},
		{
			"no HTML escapes",
			blaze.ButtonGroup{{"<&>", "#000000", "https://a?b&c"}},
			`[{"label":"<&>","color":"#000000","action":"https://a?b&c"}]`,
		},
		{
			"a time in UTC",
			blaze.AccountSnapshot{
				SnapshotID: "s", CreatedAt: time.Date(2020, 1, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)),
			},
			`{"type":"","snapshot_id":"s","opponent_id":"","asset_id":"","amount":"","trace_id":"","memo":"",` +
				`"created_at":"2020-01-01T00:00:00Z"}`,
		},
		{"raw bytes", blaze.Raw{As: "NEW", Data: []byte{0, 1, 0xff}, Err: errors.New("x")}, "\x00\x01\xff"},
		{"raw without bytes", blaze.Raw{As: "NEW"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := blaze.EncodePayload(c.p)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
}

func TestTextf(t *testing.T) {
	assert.Equal(t, blaze.Text("1 of two"), blaze.Textf("%d of %s", 1, "two"))
	assert.Equal(t, blaze.Text("100%"), blaze.Textf("100%%"))
}
