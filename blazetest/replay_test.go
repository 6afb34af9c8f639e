package blazetest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Recorded ids. No client generates one of them again.
const (
	list  = "aaaaaaaa-0000-4000-8000-000000000001"
	send  = "aaaaaaaa-0000-4000-8000-000000000002"
	made  = "aaaaaaaa-0000-4000-8000-000000000003"
	ack1  = "aaaaaaaa-0000-4000-8000-000000000004"
	push1 = "aaaaaaaa-0000-4000-8000-000000000005"
)

func in(frame string) string {
	return `{"at":"2026-01-02T03:04:05Z","dir":"in","frame":` + frame + "}\n"
}

func out(frame string) string {
	return `{"at":"2026-01-02T03:04:05Z","dir":"out","frame":` + frame + "}\n"
}

// sending is a recording of a client that lists pending messages, sends a message, and receives a receipt for it.
var sending = out(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`) +
	in(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`) +
	out(`{"id":"`+send+`","action":"CREATE_MESSAGE",`+
		`"params":{"message_id":"`+made+`","category":"PLAIN_TEXT","silent":true,"expire_in":1.50}}`) +
	in(`{"id":"`+send+`","action":"CREATE_MESSAGE","data":{"message_id":"`+made+`"}}`) +
	in(`{"id":"x","action":"ACKNOWLEDGE_MESSAGE_RECEIPT",`+
		`"data":{"message_id":"`+made+`","other":["`+made+`",1.50,null]}}`) +
	"\n" +
	out(`{"id":"`+send[:35]+`9","action":"CREATE_MESSAGE",`+
		`"params":{"message_id":"`+made[:35]+`8","quote_message_id":"`+made+`"}}`)

// play replays a recording while client runs.
func play(t *testing.T, recording string, client func(*testing.T, *blazetest.Server)) error {
	t.Helper()
	var err error
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ended := make(chan error, 1)
		go func() { ended <- s.Replay(strings.NewReader(recording)) }()
		synctest.Wait()
		client(t, s)
		err = <-ended
	})
	return err
}

func TestReplayTranslatesIDs(t *testing.T) {
	err := play(t, sending, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		// The order differs from the recording. The server stores this frame until its line is played.
		create := c.write(wire.ActionCreateMessage, object{
			"message_id": id1, "category": "PLAIN_TEXT", "silent": true, "expire_in": json.Number("1.50"),
		})
		listed := c.write(wire.ActionListPending, nil)
		require.Equal(t, listed, c.read().ID)
		reply := c.read()
		require.Equal(t, create, reply.ID)
		require.JSONEq(t, `{"message_id":"`+id1+`"}`, string(reply.Data))
		receipt := c.read()
		require.Equal(t, "x", receipt.ID)
		require.Equal(t, `{"message_id":"`+id1+`","other":["`+id1+`",1.50,null]}`, string(receipt.Data))
		c.write(wire.ActionCreateMessage, object{"message_id": id2, "quote_message_id": id1})
	})
	require.NoError(t, err)
}

func TestReplayNamesWhatIsMissing(t *testing.T) {
	err := play(t, sending, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.call(wire.ActionListPending, nil)
		c.write(wire.ActionCreateMessage, object{
			"message_id": id1, "category": "PLAIN_POST", "silent": true, "expire_in": json.Number("1.50"),
		})
	})
	require.ErrorContains(t, err, "line 3 of the recording: waiting for CREATE_MESSAGE")
	require.ErrorContains(t, err, "differs in params.category")
	require.ErrorContains(t, err, "timeout after 1m0s")
	require.ErrorContains(t, err, "does not contain: CREATE_MESSAGE")
}

func TestReplayDifferences(t *testing.T) {
	for params, path := range map[string]string{
		`{"a":{"b":[1,2]}}`:       "params.a.b[1]",
		`{"a":{"b":[1]}}`:         "params.a.b",
		`{"a":{"b":{}}}`:          "params.a.b",
		`{"a":[]}`:                "params.a",
		`{}`:                      "params.a",
		`{"a":{"b":[1,3]},"c":1}`: "params.c",
		`{"a":{"b":[1,"3"]}}`:     "params.a.b[1]",
	} {
		recording := out(`{"id":"` + send + `","action":"X","params":{"a":{"b":[1,3]}}}`)
		err := play(t, recording, func(t *testing.T, s *blazetest.Server) {
			connect(t, s).write("X", json.RawMessage(params))
		})
		require.ErrorContains(t, err, "differs in "+path+":", params)
	}
}

func TestReplayWithoutAClient(t *testing.T) {
	err := play(t, sending[strings.Index(sending, "\n")+1:], func(*testing.T, *blazetest.Server) {})
	require.ErrorContains(t, err, "line 1 of the recording: timeout after 1m0s")
}

func TestReplayEndsWithTheServer(t *testing.T) {
	err := play(t, sending, func(_ *testing.T, s *blazetest.Server) { s.Close() })
	require.ErrorContains(t, err, "closed")
}

func TestReplayTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		before := connectAndList(t, s)
		ended := make(chan error)
		go func() { ended <- s.Replay(strings.NewReader(sending[:strings.Index(sending, "\n")+1])) }()
		require.Error(t, before.ended(), "a recording begins with a connection")
		synctest.Wait()
		require.ErrorContains(t, s.Replay(strings.NewReader("")), "another replay")
		c := connect(t, s)
		c.write(wire.ActionListPending, nil)
		require.NoError(t, <-ended)
		c.call(wire.ActionListPending, nil) // as usual again
	})
}

// acking is a recording of two messages acknowledged in one frame, with an error as the reply.
var acking = in(`{"id":"`+push1+`","action":"CREATE_MESSAGE","data":{"message_id":"`+id1+`"}}`) +
	out(`{"id":"`+ack1+`","action":"ACKNOWLEDGE_MESSAGE_RECEIPTS","params":{"messages":[`+
		`{"message_id":"`+id1+`","status":"READ"},{"message_id":"`+id2+`","status":"READ"}]}}`) +
	in(`{"id":"`+ack1+`","action":"ACKNOWLEDGE_MESSAGE_RECEIPTS",`+
		`"error":{"status":202,"code":404,"description":"Not Found"}}`)

func TestReplayAcknowledgements(t *testing.T) {
	read := func(id string) object { return object{"message_id": id, "status": "READ"} }
	err := play(t, acking, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.read()
		id := c.write(wire.ActionAcks, object{"messages": []object{read(id2), read(id1)}})
		reply := c.read()
		require.Equal(t, id, reply.ID)
		require.Equal(t, 404, reply.Error.Code, "as recorded")
	})
	require.NoError(t, err)
	err = play(t, acking, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.read()
		require.Nil(t, c.call(wire.ActionAck, read(id2)).Error, "divided in another way: answered by the server itself")
		require.Nil(t, c.call(wire.ActionAck, read(id1)).Error)
	})
	require.NoError(t, err)
	err = play(t, acking, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.read()
		c.call(wire.ActionAck, read(id3))
		c.call(wire.ActionAck, read(id1))
		c.call(wire.ActionAck, read(id2))
	})
	require.ErrorContains(t, err, "does not contain: acknowledgement of "+id3)
}

func TestReplayBrokenRecordings(t *testing.T) {
	good := out(`{"id":"1","action":"X"}`)
	s := blazetest.NewServer()
	defer s.Close()
	for name, bad := range map[string]string{
		"no JSON":      "{",
		"no object":    "[]",
		"two objects":  strings.TrimSpace(good) + "{}",
		"no time":      `{"dir":"in","frame":{}}`,
		"direction":    `{"at":"2026-01-02T03:04:05Z","dir":"up","frame":{}}`,
		"nothing":      `{"at":"2026-01-02T03:04:05Z","dir":"in"}`,
		"both":         `{"at":"2026-01-02T03:04:05Z","dir":"in","frame":{},"raw":"AA=="}`,
		"unknown":      `{"at":"2026-01-02T03:04:05Z","dir":"in","frames":{}}`,
		"base64":       `{"at":"2026-01-02T03:04:05Z","dir":"in","raw":"*"}`,
		"frame array":  `{"at":"2026-01-02T03:04:05Z","dir":"in","frame":[]}`,
		"link":         `{"at":"2026-01-02T03:04:05Z","dir":"in","link":-1,"frame":{}}`,
		"bot":          `{"at":"2026-01-02T03:04:05Z","dir":"in","bot":"me","frame":{}}`,
		"raw out":      `{"at":"2026-01-02T03:04:05Z","dir":"out","raw":"AA=="}`,
		"empty out":    `{"at":"2026-01-02T03:04:05Z","dir":"out","frame":{}}`,
		"out no frame": `{"at":"2026-01-02T03:04:05Z","dir":"out","frame":{"id":1}}`,
		"long line":    strings.Repeat(" ", 33<<20),
	} {
		require.ErrorContains(t, s.Replay(strings.NewReader(good+"\n"+bad)), "line 3 of the recording", name)
	}
}

func FuzzReplay(f *testing.F) {
	files, err := filepath.Glob("../testdata/frames/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatal("no recordings", err)
	}
	for _, name := range files {
		p, err := os.ReadFile(name)
		require.NoError(f, err)
		for line := range bytes.Lines(p) {
			f.Add(line)
		}
	}
	f.Add([]byte(sending))
	f.Add([]byte(acking))
	f.Add([]byte(twoLinks))
	f.Add([]byte(ofAnotherBot))
	s := blazetest.NewServer()
	s.Close()
	f.Fuzz(func(t *testing.T, p []byte) {
		if s.Replay(bytes.NewReader(p)) == nil {
			t.Fatal("played on a closed server")
		}
	})
}

// bomb is a frame that decompresses to a thousand times its size, beyond the limit.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, err := zw.Write(make([]byte, 17<<20))
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	require.Less(t, b.Len(), 20<<10)
	return b.Bytes()
}

// recorded returns a recording of testdata/frames.
func recorded(t *testing.T, name string) string {
	t.Helper()
	p, err := os.ReadFile("../testdata/frames/" + name + ".jsonl")
	require.NoError(t, err)
	return string(p)
}

// replayTo plays a recording to a real client.
func replayTo(
	t *testing.T, recording string,
	bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config), sends func(context.Context, *blaze.Client),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, bot, edit)
		ended := make(chan error, 1)
		go func() { ended <- s.Replay(strings.NewReader(recording)) }()
		synctest.Wait()
		if sends != nil {
			sends(t.Context(), c)
		}
		require.NoError(t, <-ended)
		synctest.Wait() // for the handlers of the last messages
	})
}

func TestRecordedSpecificationSent(t *testing.T) {
	replayTo(t, recorded(t, "specification_sent"), nil, nil, func(ctx context.Context, c *blaze.Client) {
		alice, bob := blazetest.UserID("alice"), blazetest.UserID("bob")
		for _, category := range specification {
			_, err := c.Send(ctx, blaze.To(c.ConversationWith(alice), sample(t, category)))
			require.NoError(t, err, category)
		}
		_, err := c.SendBatch(ctx, c.ToUser(alice, sample(t, "PLAIN_TEXT")), c.ToUser(bob, sample(t, "PLAIN_STICKER")))
		require.NoError(t, err)
	})
}

// specification has the categories of the specification, in its order.
var specification = strings.Fields(`PLAIN_TEXT PLAIN_POST PLAIN_IMAGE PLAIN_DATA PLAIN_STICKER PLAIN_CONTACT
	APP_BUTTON_GROUP APP_CARD PLAIN_AUDIO PLAIN_VIDEO PLAIN_LIVE PLAIN_LOCATION`)

// sample returns the specification's sample of a category.
func sample(t *testing.T, category string) blaze.Payload {
	t.Helper()
	p, err := os.ReadFile("../testdata/payloads/" + category + ".json")
	require.NoError(t, err)
	payload := blaze.DecodePayload(blaze.Category(category), bytes.TrimSuffix(p, []byte("\n")))
	_, raw := payload.(blaze.Raw)
	require.False(t, raw, category)
	return payload
}

func TestRecordedSpecificationReceived(t *testing.T) {
	var got []blaze.Payload
	replayTo(t, recorded(t, "specification_received"), func(*blaze.Client) blaze.Handler {
		return func(_ context.Context, m *blaze.Message) error {
			got = append(got, m.Payload)
			return nil
		}
	}, nil, nil)
	var want []blaze.Payload
	for _, category := range specification {
		want = append(want, sample(t, category))
	}
	require.Equal(t, append(want, blaze.Text("one more, acknowledged alone")), got)
}

func echo(c *blaze.Client) blaze.Handler {
	return blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		return c.Reply(ctx, m, "echo: "+text)
	})
}

func TestRecordedSession(t *testing.T) {
	var receipts []string
	replayTo(t, recorded(t, "session"), echo, func(cfg *blaze.Config) {
		cfg.OnReceipt = func(r blaze.Receipt) { receipts = append(receipts, string(r.Status)) }
	}, nil)
	require.Equal(t, []string{"DELIVERED", "READ", "DELIVERED", "READ"}, receipts)
}

// A client handles frames in the forms that the service and the apps write.
func TestRecordedShapes(t *testing.T) {
	const id = "5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10"
	var got []blaze.Payload
	var receipts []blaze.Receipt
	replayTo(t, recorded(t, "shapes"), func(c *blaze.Client) blaze.Handler {
		return func(ctx context.Context, m *blaze.Message) error {
			got = append(got, m.Payload)
			require.Equal(t, blazetest.UserID("alice"), m.UserID)
			require.Equal(t, c.ConversationWith(m.UserID), m.ConversationID)
			require.Equal(t, time.UTC, m.CreatedAt.Location())
			require.False(t, m.CreatedAt.IsZero())
			require.Equal(t, m.Payload == blaze.Text("gone in a minute"), m.ExpireIn == time.Minute)
			if m.Payload != blaze.Text("good evening") {
				return nil
			}
			require.True(t, m.Backlog)
			return c.Reply(ctx, m, blaze.Text("good evening, alice"))
		}
	}, func(cfg *blaze.Config) { cfg.OnReceipt = func(r blaze.Receipt) { receipts = append(receipts, r) } }, nil)
	require.Equal(t, []blaze.Payload{
		blaze.Text("good evening"), blaze.Text("is anybody there?"),
		blaze.Text("it seems so"), blaze.Text("gone in a minute"),
		blaze.AccountSnapshot{
			Type: "transfer", SnapshotID: "5a41ae6f-d718-429b-a3a5-e6f708192a3b", OpponentID: blazetest.UserID("alice"),
			AssetID: "c6d0c728-2624-429b-8e0d-d9d19b6592fa", Amount: "5",
			TraceID: "6b52bf70-e829-43ac-84b6-f708192a3b4c", Memo: "two pots of tea",
			CreatedAt: time.Date(2018, 8, 20, 9, 11, 36, 241180813, time.UTC),
		},
		blaze.Video{
			Attachment: blaze.Attachment{
				ID: id, MimeType: "video/mp4", Size: 2048, CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			},
			Width: 720, Height: 406, Duration: 4100 * time.Millisecond, Thumbnail: "AAAA",
		},
		blaze.Audio{
			Attachment: blaze.Attachment{ID: id, MimeType: "audio/ogg", Size: 512},
			Duration:   1900 * time.Millisecond, Waveform: []byte{1, 2, 3},
		},
		blaze.Location{Name: "Tema", Latitude: 5.6698},
		blaze.Card{
			AppID: "b1a2e000-0000-4000-8000-000000000001", CoverURL: "https://example.org/tea.jpg",
			Shareable: new(bool), Actions: []blaze.Button{{Label: "Tea", Color: "#46B8DA", Action: "input:tea"}},
		},
		blaze.Card{Title: "Tea", Description: "hot", CoverURL: "https://example.org/tea.jpg"},
		blaze.SystemConversation{
			Action: "ADD", ParticipantID: blazetest.UserID("alice"), UserID: "b1a2e000-0000-4000-8000-000000000001",
		},
	}, got)
	require.Len(t, receipts, 2)
	require.Equal(t, blaze.StatusDelivered, receipts[0].Status)
	require.Equal(t, time.Date(2019, 10, 9, 7, 21, 5, 336060000, time.UTC), receipts[1].At)
}

func TestRecordedErrors(t *testing.T) {
	replayTo(t, recorded(t, "errors"), nil, nil, func(ctx context.Context, c *blaze.Client) {
		alice := blazetest.UserID("alice")
		for _, send := range []struct {
			text blaze.Text
			want error
		}{
			{"forbidden", blaze.CodeForbidden},
			{"invalid", blaze.CodeInvalidField},
			{"action error", blaze.Code(20121)},
			{"slow down", nil},
			{"fine", nil},
		} {
			_, err := c.Send(ctx, c.ToUser(alice, send.text))
			if send.want == nil {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, send.want)
			var refusal *blaze.Error
			require.True(t, errors.As(err, &refusal))
			require.Equal(t, send.text == "invalid", refusal.Extra != nil)
		}
	})
}

func TestRecordedUnknown(t *testing.T) {
	var got []string
	replayTo(t, recorded(t, "unknown"), func(*blaze.Client) blaze.Handler {
		return func(_ context.Context, m *blaze.Message) error {
			got = append(got, fmt.Sprintf("%s %T", m.Category, m.Payload))
			return blaze.ErrNotHandled
		}
	}, func(cfg *blaze.Config) { cfg.Workers = 1 }, nil)
	require.ElementsMatch(t, []string{
		"PLAIN_HOLOGRAM blaze.Raw", "PLAIN_TEXT blaze.Text", "PLAIN_TEXT blaze.Text",
		"PLAIN_TEXT blaze.Raw", "PLAIN_IMAGE blaze.Raw", "ENCRYPTED_TEXT blaze.Raw",
		"WEBRTC_AUDIO_OFFER blaze.Raw", "KRAKEN_INVITE blaze.Raw", "SYSTEM_SESSION blaze.Raw",
	}, got)
}

func TestRecordedGarbage(t *testing.T) {
	// The bomb is too large for a readable file, so it is inserted here.
	lines := strings.SplitAfterN(recorded(t, "garbage"), "\n", 3)
	large := base64.StdEncoding.EncodeToString(bomb(t))
	lines[1] += `{"at":"2026-01-02T03:04:05Z","dir":"in","raw":"` + large + `"}` + "\n"
	var got []string
	var stats blaze.Stats
	var client *blaze.Client
	replayTo(t, strings.Join(lines, ""), func(c *blaze.Client) blaze.Handler {
		client = c
		return blaze.On(func(_ context.Context, _ *blaze.Message, text blaze.Text) error {
			got = append(got, string(text))
			stats = client.Stats()
			return nil
		})
	}, nil, nil)
	require.Equal(t, []string{"still here"}, got)
	require.EqualValues(t, strings.Count(recorded(t, "garbage"), `"raw"`)+1, stats.BadFrames)
}
