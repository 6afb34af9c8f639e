package blaze_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

const (
	fileKey    = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
	fileDigest = "the-digest-of-a-file-is-32-bytes"
)

func encryptedFile() blaze.Attachment {
	yes := true
	return blaze.Attachment{
		ID: userA, MimeType: "image/png", Size: 7,
		CreatedAt: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), Shareable: &yes,
		Key: []byte(fileKey), Digest: []byte(fileDigest),
	}
}

const shownFile = `"ID":"` + userA + `","MimeType":"image/png","Size":7,"CreatedAt":"2024-01-02T03:04:05Z",` +
	`"Shareable":true,"Key":"[redacted]","Digest":"[redacted]"`

func TestKeysOfFilesDoNotPrint(t *testing.T) {
	a := encryptedFile()
	piece := blaze.TranscriptMessage{
		TranscriptID: userA, MessageID: userB, Category: "PLAIN_IMAGE",
		MediaURL: userA, MediaKey: []byte(fileKey), MediaDigest: []byte(fileDigest),
	}
	for name, tt := range map[string]struct {
		value, pointer any
		empty          func() any
		json           string
	}{
		"Attachment": {a, &a, func() any { return new(blaze.Attachment) }, `{` + shownFile + `}`},
		"Image": {
			blaze.Image{Attachment: a, Width: 1, Height: 2, Thumbnail: "t"},
			&blaze.Image{Attachment: a, Width: 1, Height: 2, Thumbnail: "t"},
			func() any { return new(blaze.Image) }, `{` + shownFile + `,"Width":1,"Height":2,"Thumbnail":"t"}`,
		},
		"Data": {
			blaze.Data{Attachment: a, Name: "n"},
			&blaze.Data{Attachment: a, Name: "n"},
			func() any { return new(blaze.Data) }, `{` + shownFile + `,"Name":"n"}`,
		},
		"Audio": {
			blaze.Audio{Attachment: a, Duration: 5e6, Waveform: []byte{1}},
			&blaze.Audio{Attachment: a, Duration: 5e6, Waveform: []byte{1}},
			func() any { return new(blaze.Audio) }, `{` + shownFile + `,"Duration":5000000,"Waveform":"AQ=="}`,
		},
		"Video": {
			blaze.Video{Attachment: a, Width: 1, Height: 2, Duration: 5e6, Thumbnail: "t"},
			&blaze.Video{Attachment: a, Width: 1, Height: 2, Duration: 5e6, Thumbnail: "t"},
			func() any { return new(blaze.Video) },
			`{` + shownFile + `,"Width":1,"Height":2,"Duration":5000000,"Thumbnail":"t"}`,
		},
		"TranscriptMessage": {piece, &piece, func() any { return new(blaze.TranscriptMessage) }, ""},
		"Transcript": {
			blaze.Transcript{piece},
			[]*blaze.TranscriptMessage{&piece},
			func() any { return new(blaze.Transcript) }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := blaze.To(conversationA, blaze.Text("x"))
			if p, ok := tt.value.(blaze.Payload); ok {
				out.Payload = p
				data, err := blaze.EncodePayload(p)
				require.NoError(t, err)
				assert.Equal(t, p, blaze.DecodePayload(p.Category(), data), "encoded for the wire, nothing is lost")
			}
			for _, v := range []any{
				tt.value, tt.pointer,
				map[string]any{"a": tt.value},
				[]any{tt.value},
				out,
				blaze.Message{Payload: out.Payload},
			} {
				for how, text := range shows(t, v) {
					assertSilent(t, how, text, fileKey, fileDigest)
				}
			}
			for _, v := range []any{tt.value, tt.pointer} {
				p, err := json.Marshal(v)
				require.NoError(t, err)
				if tt.json != "" {
					assert.JSONEq(t, tt.json, string(p))
				}
				assert.Contains(t, string(p), "[redacted]")
				err = json.Unmarshal(p, tt.empty())
				require.ErrorIs(t, err, blaze.ErrInvalid, "JSON without the keys is rejected")
				assert.ErrorContains(t, err, "EncodePayload")
				assert.ErrorContains(t, err, "DecodePayload")
			}
		})
	}
}

// A printed payload shows its own fields after those of the file.
func TestFilesPrintTheirFields(t *testing.T) {
	a := encryptedFile()
	a.ID, a.MimeType, a.Size = "id", "type", 3
	for want, p := range map[string]blaze.Payload{
		`Image{id type 3 bytes, encrypted: true, 1 x 2}`:     blaze.Image{Attachment: a, Width: 1, Height: 2},
		`Data{id type 3 bytes, encrypted: true, a\nb.txt}`:   blaze.Data{Attachment: a, Name: "a\nb.txt"},
		`Audio{id type 3 bytes, encrypted: true, 5s}`:        blaze.Audio{Attachment: a, Duration: 5 * time.Second},
		`Video{id type 3 bytes, encrypted: true, 1 x 2, 0s}`: blaze.Video{Attachment: a, Width: 1, Height: 2},
	} {
		assert.Equal(t, want, fmt.Sprint(p))
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "p", p)
		assert.Contains(t, b.String(), "p.size=3 p.")
	}
}

// Files without keys, and with keys as encoding/json writes bytes, decode.
func TestFilesInJSON(t *testing.T) {
	plain := encryptedFile()
	plain.Key, plain.Digest = nil, nil
	piece := blaze.TranscriptMessage{
		MessageID: userB, Category: "PLAIN_IMAGE", MediaSize: 5, Content: "c", MediaDuration: 3,
	}
	for _, v := range []any{
		&plain, &blaze.Image{Attachment: plain, Width: 1, Height: 2, Thumbnail: "t"},
		&blaze.Data{Attachment: plain, Name: "n"},
		&blaze.Audio{Attachment: plain, Duration: 5, Waveform: []byte{1}},
		&blaze.Video{Attachment: plain, Width: 1, Height: 2, Duration: 5, Thumbnail: "t"},
		&piece, &blaze.Transcript{piece},
	} {
		p, err := json.Marshal(v)
		require.NoError(t, err)
		var got any
		switch v.(type) {
		case *blaze.Attachment:
			got = new(blaze.Attachment)
		case *blaze.Image:
			got = new(blaze.Image)
		case *blaze.Data:
			got = new(blaze.Data)
		case *blaze.Audio:
			got = new(blaze.Audio)
		case *blaze.Video:
			got = new(blaze.Video)
		case *blaze.TranscriptMessage:
			got = new(blaze.TranscriptMessage)
		case *blaze.Transcript:
			got = new(blaze.Transcript)
		}
		require.NoError(t, json.Unmarshal(p, got))
		assert.Equal(t, v, got)
	}
	var a blaze.Attachment
	require.NoError(t, json.Unmarshal([]byte(`{"ID":"x","Key":"AQID","Digest":"BAU="}`), &a))
	assert.Equal(t, blaze.Attachment{ID: "x", Key: []byte{1, 2, 3}, Digest: []byte{4, 5}}, a)
	require.NoError(t, json.Unmarshal([]byte(`{"Size":9}`), &a), "absent fields stay")
	assert.Equal(t, blaze.Attachment{ID: "x", Size: 9, Key: []byte{1, 2, 3}, Digest: []byte{4, 5}}, a)
	assert.Error(t, json.Unmarshal([]byte(`{"Key":7}`), &a))
	assert.Contains(t, fmt.Sprint(a), "encrypted: true")
}
