package blaze_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// surprised runs a bot, calls say to write frames, and then pushes a valid message. It returns the messages handled
// before that one. Whatever say wrote, the connection stays and the valid message is handled and acknowledged.
func surprised(t *testing.T, edit func(*blaze.Config), say func(c *rawConn)) ([]*blaze.Message, *rig, *rawServer) {
	t.Helper()
	var mu sync.Mutex
	var got []*blaze.Message
	s := newReplyingServer(t)
	r := s.run(func(_ context.Context, m *blaze.Message) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, m)
		return nil
	}, edit)
	synctest.Wait()
	say(s.conn())
	time.Sleep(time.Second)
	good := message("alice", "fine")
	s.conn().push(good)
	time.Sleep(time.Second)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, got, "the good message was handled")
	last := got[len(got)-1]
	assert.Equal(t, blaze.Text("fine"), last.Payload)
	assert.Contains(t, s.ackedIDs(), good["message_id"])
	assert.EqualValues(t, 1, r.Stats().Connects, "the connection stays")
	assert.Zero(t, r.disconnects.len())
	return got[:len(got)-1], r, s
}

func TestMalformedMessages(t *testing.T) {
	raw := func(data string) blaze.Raw { return blaze.Raw{As: "PLAIN_TEXT", Data: []byte(data)} }
	for _, tt := range []struct {
		name   string
		fields map[string]any
		want   blaze.Payload
		err    bool
	}{
		{
			"unknown category",
			map[string]any{"category": "PLAIN_HOLOGRAM"},
			blaze.Raw{As: "PLAIN_HOLOGRAM", Data: []byte("odd")},
			false,
		},
		{
			"a long category",
			map[string]any{"category": strings.Repeat("X", 65)},
			blaze.Raw{As: blaze.Category(strings.Repeat("X", 65)), Data: []byte("odd")},
			false,
		},
		{"no category", map[string]any{"category": nil}, blaze.Raw{Data: []byte("odd")}, false},
		{
			"encrypted",
			map[string]any{"category": "ENCRYPTED_TEXT"},
			blaze.Raw{As: "ENCRYPTED_TEXT", Data: []byte("odd")},
			true,
		},
		{"not base64", map[string]any{"data_base64": "*odd*"}, raw("*odd*"), true},
		{"half of a byte", map[string]any{"data_base64": "aGVsbG8hh"}, raw("aGVsbG8hh"), true},
		{"too much padding", map[string]any{"data_base64": "aGVsbG8===="}, raw("aGVsbG8===="), true},
		{
			"another shape",
			map[string]any{"category": "PLAIN_IMAGE"},
			blaze.Raw{As: "PLAIN_IMAGE", Data: []byte("odd")},
			true,
		},
		{"data_base64 is preferred", map[string]any{"data": b64("other")}, blaze.Text("odd"), false},
		{"data only", map[string]any{"data_base64": nil}, blaze.Text("odd"), false},
		{"data only, raw URL", map[string]any{
			"data_base64": "", "data": base64.RawURLEncoding.EncodeToString([]byte("\xf0\x9f\x98\x80>?")),
		}, blaze.Text("😀>?"), false},
		{"data only, line breaks", map[string]any{"data_base64": "", "data": "b2\nRk\r\n"}, blaze.Text("odd"), false},
		{"standard, padded", map[string]any{"data_base64": "c3ViamVjdHM/Pz8+Pg=="}, blaze.Text("subjects???>>"), false},
		{"standard, raw", map[string]any{"data_base64": "c3ViamVjdHM/Pz8+Pg"}, blaze.Text("subjects???>>"), false},
		{"URL, padded", map[string]any{"data_base64": "c3ViamVjdHM_Pz8-Pg=="}, blaze.Text("subjects???>>"), false},
		{"no data", map[string]any{"data_base64": nil, "data": nil}, blaze.Text(""), false},
		{"created_at is nonsense", map[string]any{"created_at": "yesterday"}, blaze.Text("odd"), false},
		{"created_at is a number", map[string]any{"created_at": 5}, blaze.Text("odd"), false},
		{"expire_in as a string", map[string]any{"expire_in": "60"}, blaze.Text("odd"), false},
		{
			"nulls",
			map[string]any{"representative_id": []byte(nil), "expire_in": []byte(nil), "silent": []byte(nil)},
			blaze.Text("odd"), false,
		},
		{"unknown fields", map[string]any{"hologram": map[string]any{"a": []int{1}}}, blaze.Text("odd"), false},
		{"no conversation", map[string]any{"conversation_id": ""}, blaze.Text("odd"), false},
		{
			"ids that are no UUIDs",
			map[string]any{"user_id": "me", "conversation_id": "here", "session_id": "s"},
			blaze.Text("odd"), false,
		},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			v := with(message("alice", "odd"), tt.fields)
			got, r, s := surprised(t, nil, func(c *rawConn) { c.push(v) })
			require.Len(t, got, 1)
			m := got[0]
			payload := m.Payload
			if raw, isRaw := payload.(blaze.Raw); isRaw {
				assert.Equal(t, tt.err, raw.Err != nil)
				raw.Err = nil
				payload = raw
			}
			assert.Equal(t, tt.want, payload)
			assert.Equal(t, v["message_id"], m.ID)
			assert.Equal(t, v["message_id"], s.ackedIDs()[0], "acknowledged as usual")
			assert.Equal(t, tt.fields["created_at"] != nil, m.CreatedAt.IsZero())
			if tt.fields["expire_in"] == "60" {
				assert.Equal(t, time.Minute, m.ExpireIn)
			}
			assert.Zero(t, r.Stats().BadFrames)
		})
	}
}

func TestCallsArriveAsRaw(t *testing.T) {
	for _, action := range []string{"CREATE_CALL", "CREATE_KRAKEN"} {
		bubble(t, action, func(t *testing.T) {
			v := with(message("alice", "{}"), map[string]any{"category": "WEBRTC_AUDIO_OFFER"})
			got, _, s := surprised(t, nil, func(c *rawConn) { c.json(frameOf(action, v)) })
			require.Len(t, got, 1)
			assert.Equal(t, blaze.Raw{As: "WEBRTC_AUDIO_OFFER", Data: []byte("{}")}, got[0].Payload)
			assert.Len(t, s.ackedIDs(), 2)
		})
	}
}

func TestOurOwnMessageIsAcknowledgedAndNotHandled(t *testing.T) {
	for name, mode := range ackModes {
		bubble(t, name, func(t *testing.T) {
			var got diary
			s := newReplyingServer(t)
			r := s.run(got.texts(), func(cfg *blaze.Config) { cfg.Ack = mode })
			synctest.Wait()
			own := with(message("alice", "ours"), map[string]any{"user_id": strings.ToUpper(botID)})
			s.conn().push(own)
			time.Sleep(time.Second)
			assert.Zero(t, got.len())
			assert.Equal(t, []string{own["message_id"].(string)}, s.ackedIDs())
			assert.Zero(t, r.Stats().Handled)
		})
	}
}

func TestPingsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, func(cfg *blaze.Config) { cfg.Workers = 1 })
		synctest.Wait()
		pongs := make(chan string, 1)
		s.conn().onControl(func(f wspeer.Frame) bool {
			if f.Op() == wspeer.Pong {
				pongs <- string(f.Payload)
			}
			return false
		})
		s.conn().push(message("alice", "busy"))
		s.conn().write(wspeer.Ping, []byte("are you there"))
		start := time.Now()
		assert.Equal(t, "are you there", <-pongs)
		assert.Zero(t, time.Since(start))
		time.Sleep(2 * time.Minute)
		assert.EqualValues(t, 1, r.Stats().Connects)
	})
}

// Fields that do not count in InboxBytes are not stored. Otherwise a server could fill the memory with them.
func TestUncountedFieldsAreNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 256 << 10
		s := newReplyingServer(t)
		stuck := make(chan struct{})
		defer close(stuck)
		r := s.run(func(context.Context, *blaze.Message) error { <-stuck; return nil }, func(cfg *blaze.Config) {
			cfg.InboxBytes = 64 << 10
		})
		synctest.Wait()
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for i := range 32 {
			s.conn().push(with(message(fmt.Sprint("user", i), "x"), map[string]any{
				[]string{"status", "source", "type"}[i%3]: strings.Repeat("x", large),
			}))
			synctest.Wait()
		}
		assert.Equal(t, 32, r.Stats().InboxMessages)
		assert.Less(t, heap(), before+8*large, "of 32")
	})
}
