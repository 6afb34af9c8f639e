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
	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// fullInbox is Config.InboxBytes of the tests that fill an inbox.
const fullInbox = 16 << 20

// heap returns the size of the live heap in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second run frees pooled objects
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// pushedFrame is a websocket message that pushes a message in a conversation of its own.
func pushedFrame(n int, category string, data []byte) []byte {
	p := fmt.Appendf(nil, `{"id":"%08x-0000-4000-8000-000000000000","action":"CREATE_MESSAGE",`+
		`"data":{"type":"message","conversation_id":"%08x-0393-3ea3-b9f2-000000000000",`+
		`"user_id":%q,"session_id":%q,"message_id":"%08x-0000-4000-8000-000000000001",`+
		`"category":%q,"data_base64":%q,"status":"SENT","source":"CREATE_MESSAGE",`+
		`"created_at":"2023-04-28T10:01:32.387507Z"}}`,
		n, n, userA, userB, n, category, base64.RawURLEncoding.EncodeToString(data))
	p = wire.AppendStored(nil, p)
	return append(binary.BigEndian.AppendUint64([]byte{0x82, 127}, uint64(len(p))), p...)
}

// contents are the kinds of messages that fill an inbox. Each function returns data of about a size.
var contents = map[string]func(t *testing.T, size int) (category string, data []byte){
	"text": func(_ *testing.T, size int) (string, []byte) { return "PLAIN_TEXT", []byte(strings.Repeat("x", size)) },
	"JSON": func(_ *testing.T, size int) (string, []byte) {
		return "PLAIN_TRANSCRIPT", fmt.Appendf(nil, `[{"transcript_id":%q,"content":%q}]`,
			userA, strings.Repeat("x", size))
	},
	"list": func(_ *testing.T, size int) (string, []byte) {
		each := fmt.Sprintf(`{"transcript_id":%q,"category":"PLAIN_TEXT","content":"xx"},`, userA)
		n := min(max(size/len(each), 1), 300)
		return "PLAIN_TRANSCRIPT", []byte("[" + strings.TrimSuffix(strings.Repeat(each, n), ",") + "]")
	},
	"unknown": func(_ *testing.T, size int) (string, []byte) { return "PLAIN_JSON", []byte(strings.Repeat("x", size)) },
	"encrypted": func(t *testing.T, size int) (string, []byte) {
		key, err := blaze.NewSigner(keyOf(botID))
		require.NoError(t, err)
		data, err := seal.Seal(key, []seal.Session{{ID: userB, Public: key.Public()}},
			[]byte(strings.Repeat("x", size)))
		require.NoError(t, err)
		return "ENCRYPTED_TEXT", data
	},
}

// fates are the handlers of messages that fill an inbox. Blocked ones return once done is closed.
var fates = map[string]func(m *blaze.Message, done <-chan struct{}) error{
	"blocked":  func(_ *blaze.Message, done <-chan struct{}) error { <-done; return nil },
	"failed":   func(m *blaze.Message, _ <-chan struct{}) error { return &quotingError{errors.New(string(m.Data)), m} },
	"panicked": func(m *blaze.Message, _ <-chan struct{}) error { panic(m) },
}

// forgetful is a Ledger without memory.
var forgetful = ledgerFuncs{
	func(context.Context, string) (bool, error) { return false, nil },
	func(context.Context, string) error { return nil },
}

// quotingError quotes a message and references it.
type quotingError struct {
	error
	m *blaze.Message
}

// A full inbox needs InboxBytes of memory, whatever is in it.
func TestAFullInboxNeedsInboxBytes(t *testing.T) {
	for _, c := range []struct {
		content, fate string
		size          int
	}{
		{"text", "blocked", 100},
		{"text", "failed", 100},
		{"text", "blocked", 128 << 10},
		{"text", "failed", 128 << 10},
		{"text", "panicked", 128 << 10},
		{"JSON", "blocked", 2 << 20},
		{"JSON", "failed", 2 << 20},
		{"list", "blocked", 60 << 10},
		{"unknown", "panicked", 2 << 20},
		{"encrypted", "blocked", 128 << 10},
		{"encrypted", "blocked", 2 << 20},
		{"encrypted", "panicked", 2 << 20},
	} {
		for mode, ack := range map[string]blaze.AckMode{
			"AckHandled": blaze.AckHandled, "AckReceived": blaze.AckReceived,
		} {
			if raced && (c.content != "text" || c.size != 128<<10 || ack != blaze.AckHandled) { // others are slow
				continue
			}
			bubble(t, fmt.Sprint(c.content, " ", c.fate, " ", c.size, " ", mode), func(t *testing.T) {
				category, data := contents[c.content](t, c.size)
				fillInbox(t, ack, category, data, fates[c.fate])
			})
		}
	}
}

func fillInbox(
	t *testing.T, ack blaze.AckMode, category string, data []byte, fate func(*blaze.Message, <-chan struct{}) error,
) {
	t.Helper()
	c, done := newQuietConn(), make(chan struct{})
	cfg := blaze.Config{InboxBytes: fullInbox, Ack: ack, Ledger: forgetful}
	stop := runQuietly(t, c, cfg, func(_ context.Context, m *blaze.Message) error { return fate(m, done) })
	synctest.Wait()
	before := heap()
	for i := range fullInbox/(len(data)+512) + 2 {
		c.push(pushedFrame(i, category, data))
		if i%100 == 0 || len(data) > 1<<20 {
			synctest.Wait()
		}
	}
	synctest.Wait()
	c.out, c.in = nil, nil
	assert.LessOrEqual(t, float64(heap()-before)/fullInbox, 1.5)
	close(done)
	stop()
}

// The text of a failure is released before the next attempt. Only for a message that is acknowledged already is it
// retained, and then it counts in InboxBytes.
func TestTextsOfFailuresAreReleased(t *testing.T) {
	const n = 5000
	taken := make(map[int]int64)
	for i, size := range []int{1, 1, 80} { // the first run fills caches and pools
		bubble(t, fmt.Sprint(i, " of ", size, " bytes"), func(t *testing.T) {
			c := newQuietConn()
			stop := runQuietly(t, c, blaze.Config{HandlerAttempts: -1}, func(context.Context, *blaze.Message) error {
				return errors.New(strings.Repeat("x", size))
			})
			synctest.Wait()
			before := heap()
			for i := range n {
				c.push(pushedFrame(i, "PLAIN_TEXT", []byte("hello")))
				if i%100 == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			c.out, c.in = nil, nil
			taken[size] = heap() - before
			stop()
		})
	}
	assert.Less(t, taken[80]-taken[1], int64(n*40))
}

// Preparing a message for its handler allocates at most eight times its data, encrypted or not.
func TestAMessageIsDecodedWithinEightTimesItsData(t *testing.T) {
	key, err := blaze.NewSigner(keyOf(botID))
	require.NoError(t, err)
	decrypt := func(m *wire.Message) ([]byte, error) { return seal.Open(key, userB, []byte(m.Data)) }
	for _, c := range categoriesDecoded {
		payloads := hostilePayloads(fieldsOf(c)[:1], c == "PLAIN_TRANSCRIPT" || c == "APP_BUTTON_GROUP", 5000)
		for name, data := range payloads {
			ciphertext, err := seal.Seal(key, []seal.Session{{ID: userB, Public: key.Public()}}, []byte(data))
			require.NoError(t, err)
			for category, data := range map[string]string{
				string(c): data, "ENCRYPTED_" + strings.TrimPrefix(string(c), "PLAIN_"): string(ciphertext),
			} {
				m := &wire.Message{Category: category, Data: data}
				got := gauge.Allocated(func() { blaze.NewMessage(m, botID, 1, decrypt) })
				// A Message needs less than 1 KiB. Decryption, with a secret and two ciphers, needs less than 4.
				if most := maxAllocated(len(data)) + 5<<10; got > most {
					t.Errorf("%s of %d bytes allocates %d, more than %d: %s", category, len(data), got, most, name)
				}
			}
		}
	}
}

// A message that the Ledger reports as handled is not decoded.
func TestMessagesInTheLedgerAreNotDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A list of 100 objects needs 44 KB in addition to its data. With shorter data such a list would be rejected.
		const n, decoded = 50, 20 << 10
		data := []byte(`[` + strings.Repeat(`{},`, 99) + `{"content":"` + strings.Repeat(`x`, 16<<10) + `"}]`)
		var taken [2]int64
		for i, known := range []bool{false, true} {
			c := newQuietConn()
			l := ledgerFuncs{
				func(context.Context, string) (bool, error) { return known, nil },
				func(context.Context, string) error { return nil },
			}
			stop := runQuietly(t, c, blaze.Config{Ledger: l}, func(context.Context, *blaze.Message) error {
				return nil
			})
			var frames [][]byte
			for j := range n {
				frames = append(frames, pushedFrame(j, "PLAIN_TRANSCRIPT", data))
			}
			taken[i] = gauge.Allocated(func() {
				for _, f := range frames {
					c.push(f)
				}
				synctest.Wait()
			})
			stop()
		}
		assert.Less(t, taken[1], taken[0]-n*decoded)
	})
}
