package blaze_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// fullInbox is Config.InboxBytes where an inbox is filled.
const fullInbox = 16 << 20

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// pushedFrame is the websocket message of a message in a conversation of its own.
func pushedFrame(n int, category string, data []byte) []byte {
	p := fmt.Appendf(nil, `{"id":"%08x-0000-4000-8000-000000000000","action":"CREATE_MESSAGE","data":{"type":"message",`+
		`"conversation_id":"%08x-0393-3ea3-b9f2-000000000000","user_id":%q,"session_id":%q,"message_id":"%08x-0000-4000-8000-000000000001",`+
		`"category":%q,"data_base64":%q,"status":"SENT","source":"CREATE_MESSAGE","created_at":"2023-04-28T10:01:32.387507Z"}}`,
		n, n, userA, userB, n, category, base64.RawURLEncoding.EncodeToString(data))
	p = wire.AppendStored(nil, p)
	return append(binary.BigEndian.AppendUint64([]byte{0x82, 127}, uint64(len(p))), p...)
}

// contents are what an inbox is filled with: the data of a message of about a size.
var contents = map[string]func(t *testing.T, size int) (category string, data []byte){
	"text": func(_ *testing.T, size int) (string, []byte) { return "PLAIN_TEXT", []byte(strings.Repeat("x", size)) },
	"JSON": func(_ *testing.T, size int) (string, []byte) {
		return "PLAIN_TRANSCRIPT", fmt.Appendf(nil, `[{"transcript_id":%q,"content":%q}]`, userA, strings.Repeat("x", size))
	},
	"list": func(_ *testing.T, size int) (string, []byte) {
		each := fmt.Sprintf(`{"transcript_id":%q,"category":"PLAIN_TEXT","content":"xx"},`, userA)
		n := min(max(size/len(each), 1), 300)
		return "PLAIN_TRANSCRIPT", []byte("[" + strings.TrimSuffix(strings.Repeat(each, n), ",") + "]")
	},
	"unknown": func(_ *testing.T, size int) (string, []byte) { return "PLAIN_JSON", []byte(strings.Repeat("x", size)) },
	"sealed": func(t *testing.T, size int) (string, []byte) {
		key, err := blaze.NewSigner(keyOf(botID))
		require.NoError(t, err)
		data, err := seal.Seal(key, []seal.Session{{ID: userB, Public: key.Public()}}, []byte(strings.Repeat("x", size)))
		require.NoError(t, err)
		return "ENCRYPTED_TEXT", data
	},
}

// outcomes are what handlers do with what an inbox is filled with.
var fates = map[string]struct {
	ack    blaze.AckMode
	handle func(ctx context.Context, m *blaze.Message) error
}{
	"blocked":              {blaze.AckHandled, func(ctx context.Context, _ *blaze.Message) error { <-ctx.Done(); return nil }},
	"failed":               {blaze.AckHandled, func(_ context.Context, m *blaze.Message) error { return failedWith(m) }},
	"panicked":             {blaze.AckHandled, func(_ context.Context, m *blaze.Message) error { panic(m) }},
	"blocked when acked":   {blaze.AckReceived, func(ctx context.Context, _ *blaze.Message) error { <-ctx.Done(); return nil }},
	"failed when acked":    {blaze.AckReceived, func(_ context.Context, m *blaze.Message) error { return failedWith(m) }},
	"panicked when acked":  {blaze.AckReceived, func(_ context.Context, m *blaze.Message) error { panic(m) }},
	"handled without acks": {blaze.AckManual, func(context.Context, *blaze.Message) error { return nil }},
}

// forgetful is a Ledger that takes no memory.
var forgetful = ledgerFuncs{
	func(context.Context, string) (bool, error) { return false, nil }, func(context.Context, string) error { return nil },
}

// heldError holds a message and quotes it.
type heldError struct {
	error
	m *blaze.Message
}

func failedWith(m *blaze.Message) error { return &heldError{errors.New(string(m.Data)), m} }

// What a full inbox takes is what InboxBytes says, whatever is in it.
func TestAFullInboxTakesInboxBytes(t *testing.T) {
	for content, of := range contents {
		for fate, f := range fates {
			for _, size := range []int{100, 10 << 10, 128 << 10, 3 << 20} {
				if size < 1<<20 && raced && size != 128<<10 {
					continue
				}
				bubble(t, fmt.Sprint(content, " ", fate, " ", size), func(t *testing.T) {
					category, data := of(t, size)
					c := newQuietConn()
					stop := runQuietly(t, c, blaze.Config{InboxBytes: fullInbox, Ack: f.ack, Ledger: forgetful}, f.handle)
					synctest.Wait()
					before := heap()
					n := fullInbox/(len(data)+512) + 2
					for i := range n {
						c.push(pushedFrame(i, category, data))
						if i%100 == 0 || size > 1<<20 {
							synctest.Wait()
						}
					}
					synctest.Wait()
					c.out, c.in = nil, nil
					got := heap() - before
					t.Logf("%s %s %d: %.2f", content, fate, size, float64(got)/fullInbox)
					assert.LessOrEqual(t, float64(got)/fullInbox, 1.5)
					stop()
				})
			}
		}
	}
}
