package faults_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Fault 19: the client reconnects after a close frame with any code. It escapes the reason.
func TestFault19Closed(t *testing.T) {
	text := "go\x1b[2J\naway " + strings.Repeat("\u202e", 30)
	for _, code := range []int{
		1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4401, 4999,
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
					if c.Accept() == nil && c.Send(wspeer.CloseFrame(code, text)) == nil {
						c.Drain()
						fired(t, 19)
					}
				})
			}, func(t *testing.T, b *bench) {
				_, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.failures(), 1)
				assertTame(t, b.failures()[0])
				if code != 1006 { // no close frame may have this code
					assert.ErrorContains(t, b.failures()[0], fmt.Sprintf("code %d \"go", code))
				}
			})
		})
	}
}

// Fault 20: after a violation of RFC 6455 the client sends a close frame and reconnects.
func TestFault20Violations(t *testing.T) {
	ok := wspeer.Gzip(`{"id":"x","action":"X"}`)
	tests := map[string][]byte{
		"opcode 3":             wspeer.Encode(wspeer.Final|0x3, ok),
		"opcode F":             wspeer.Encode(wspeer.Final|0xF, nil),
		"masked":               {wspeer.Final | wspeer.Binary, 0x80 | 1, 1, 2, 3, 4, 5},
		"RSV1":                 wspeer.Encode(wspeer.Final|0x40|wspeer.Binary, ok),
		"RSV2":                 wspeer.Encode(wspeer.Final|0x20|wspeer.Binary, ok),
		"RSV3":                 wspeer.Encode(wspeer.Final|0x10|wspeer.Binary, ok),
		"2^63 bytes":           {wspeer.Final | wspeer.Binary, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"2^63-1 bytes":         {wspeer.Final | wspeer.Binary, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"continuation of none": wspeer.Encode(wspeer.Final, ok),
		"fragmented ping":      wspeer.Encode(wspeer.Ping, nil),
	}
	for name, frame := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(b *bench) {
				b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
					if c.Accept() == nil && c.Send(frame) == nil {
						// For a length that does not fit an int64 the client sends no close frame.
						if code := c.Drain(); name != "2^63 bytes" && assert.NotEmpty(t, code) {
							assert.Contains(t, []uint16{1002, 1009}, binary.BigEndian.Uint16(code))
						}
						fired(t, 20)
					}
				})
			}, func(t *testing.T, b *bench) {
				_, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.failures(), 1)
				assertTame(t, b.failures()[0])
			})
		})
	}
	t.Run("fragments and pings are allowed", func(t *testing.T) {
		whole := wspeer.Gzip(pushOf("00000000-0000-4000-8000-000000000001", "PLAIN_TEXT", `"data":"aGVsbG8="`))
		parts := [][]byte{
			wspeer.Encode(wspeer.Binary, whole[:5]), wspeer.Whole(wspeer.Ping, []byte("1")),
			wspeer.Encode(0, whole[5:9]), wspeer.Encode(0, nil),
			wspeer.Whole(wspeer.Pong, nil), wspeer.Encode(wspeer.Final, whole[9:]),
		}
		got := feed(t, nil, slices.Concat(parts...)) // in one write, so that no reply comes between them
		require.Len(t, got.messages, 1)
		assert.Equal(t, blaze.Text("hello"), got.messages[0].Payload)
		fired(t, 20)
	})
}

// result is the messages, statistics and log of a client.
type result struct {
	messages []*blaze.Message
	stats    blaze.Stats
	log      string
}

// feed runs a client against a peer that writes frames, and returns the result. The connection must not be lost.
func feed(t *testing.T, handler func(m *blaze.Message) error, frames ...[]byte) (got result) {
	t.Helper()
	var mu sync.Mutex
	h := blaze.On(func(_ context.Context, m *blaze.Message, _ blaze.Payload) error {
		mu.Lock()
		defer mu.Unlock()
		got.messages = append(got.messages, m)
		if handler != nil {
			return handler(m)
		}
		return nil
	})
	bubble(t, h, func(b *bench) {
		b.cfg.OnReceipt = func(blaze.Receipt) { assert.Fail(t, "a receipt") }
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			go func() {
				for _, f := range frames {
					_ = c.Send(f)
				}
			}()
			for {
				r, err := c.Next()
				if err != nil || c.Reply(r, "") != nil {
					return
				}
			}
		})
	}, func(t *testing.T, b *bench) {
		time.Sleep(30 * time.Second)
		assert.Empty(t, b.failures(), "the connection is not replaced")
		got.stats, got.log = b.c.Stats(), b.log.String()
	})
	return got
}

// last is a valid message, for tests that write it after invalid ones.
var last = wspeer.Whole(wspeer.Binary,
	wspeer.Gzip(pushOf("00000000-0000-4000-8000-00000000000f", "PLAIN_TEXT", `"data":"bGFzdA=="`)))

// requireLast checks that the last message is handled and acknowledged, and no other.
func requireLast(t *testing.T, got result) {
	t.Helper()
	require.Len(t, got.messages, 1)
	assert.Equal(t, blaze.Text("last"), got.messages[0].Payload)
	assert.EqualValues(t, 1, got.stats.Acked)
}

// skipped checks that a frame counts as bad, that it is logged without its data, and that the next frame is handled.
func skipped(t *testing.T, row int, frames map[string][]byte) {
	for name, f := range frames {
		t.Run(name, func(t *testing.T) {
			got := feed(t, nil, f, last)
			assert.EqualValues(t, 1, got.stats.BadFrames)
			requireLast(t, got)
			assert.Equal(t, 1, strings.Count(got.log, `msg="blaze: frame skipped"`))
			assert.NotContains(t, got.log, "aGVsbG8")
			if row == 23 {
				assert.Contains(t, got.log, "bytes after gunzip", "the reason is the limit")
			}
			firedN(t, row, int(got.stats.BadFrames))
		})
	}
}

// ignored checks that a well-formed frame counts as ignored, and that the next frame is handled.
func ignored(t *testing.T, row int, frames map[string]string) {
	for name, text := range frames {
		t.Run(name, func(t *testing.T) {
			got := feed(t, nil, binaryOf(text), last)
			assert.Zero(t, got.stats.BadFrames)
			assert.EqualValues(t, 1, got.stats.Ignored)
			requireLast(t, got)
			firedN(t, row, int(got.stats.Ignored))
		})
	}
}

func binaryOf(text string) []byte {
	return wspeer.Pack(text)
}

func TestFault21TextFrame(t *testing.T) {
	skipped(t, 21, map[string][]byte{
		"empty": wspeer.Whole(wspeer.Text, nil),
		"JSON":  wspeer.Whole(wspeer.Text, []byte(`{"id":"x","action":"X"}`)),
		"gzip":  wspeer.Whole(wspeer.Text, wspeer.Gzip("{}")),
		"bytes": wspeer.Whole(wspeer.Text, []byte{0xFF, 0xFE, 0}),
	})
}

func TestFault22BadGzip(t *testing.T) {
	text := pushOf("00000000-0000-4000-8000-000000000001", "PLAIN_TEXT", `"data":"aGVsbG8="`)
	good := wspeer.Gzip(text)
	flip := bytes.Clone(good)
	flip[len(flip)-5] ^= 1
	size := bytes.Clone(good)
	size[len(size)-1] ^= 1
	frames := map[string][]byte{
		"two members":     append(wspeer.Gzip(text[:50]), wspeer.Gzip(text[50:])...),
		"an empty member": append(wspeer.Gzip(text), wspeer.Gzip("")...),
		"not gzip":        []byte(`{"id":"x","action":"X"}`), "empty": nil,
		"truncated": good[:len(good)/2], "without a trailer": good[:len(good)-8],
		"bad CRC": flip, "bad length": size, "trailing junk": append(bytes.Clone(good), 'x'),
		"second member": append(bytes.Clone(good), good...), "more than 8 MiB": make([]byte, 9<<20),
	}
	for name, f := range frames {
		frames[name] = wspeer.Whole(wspeer.Binary, f)
	}
	skipped(t, 22, frames)
}

// Fault 23: a small frame that inflates to 512 MiB is cut at the limit, and little memory is allocated.
func TestFault23GzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	mib := 512
	if testkit.Race {
		mib = 24
	}
	for range mib {
		_, _ = w.Write(zeros)
	}
	require.NoError(t, w.Close())
	f := wspeer.Whole(wspeer.Binary, bomb.Bytes())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	skipped(t, 23, map[string][]byte{"zeros": f})
	runtime.ReadMemStats(&after)
	assert.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(150),
		"of 16 MiB that may be inflated, doubling on the way")
}

func TestFault24BrokenJSON(t *testing.T) {
	frames := map[string][]byte{}
	for name, text := range map[string]string{
		"nothing": "", "null": "null", "array": "[]", "string": `"x"`,
		"number": "1", "half": `{"id":"x","act`, "empty object": "{}",
		"id as number":     `{"id":5,"action":"CREATE_MESSAGE"}`,
		"two values":       `{"id":"x","action":"X"}{}`,
		"action as object": `{"id":"x","action":{}}`, "NUL": "\x00", "NaN": `{"id":NaN}`,
		"data as text":                    `{"id":"x","action":"CREATE_MESSAGE","data":"aGVsbG8="}`,
		"data as array":                   `{"id":"x","action":"CREATE_MESSAGE","data":[1]}`,
		"message id as number":            pushOfText(`"message_id":7`),
		"neither id nor action":           `{"data":{"message_id":"x"}}`,
		"a push without ids":              `{"id":"x","action":"CREATE_MESSAGE","data":{"category":"PLAIN_TEXT"}}`,
		"a push with a long id":           pushOfText(`"message_id":"` + strings.Repeat("x", 65) + `"`),
		"a push with a long user":         pushOfText(`"user_id":"` + strings.Repeat("x", 65) + `"`),
		"a push with a long conversation": pushOfText(`"conversation_id":"` + strings.Repeat("x", 65) + `"`),
	} {
		frames[name] = binaryOf(text)
	}
	skipped(t, 24, frames)
	// Fields that are not essential are decoded leniently.
	ignored(t, 24, map[string]string{
		"code as text":   `{"id":"x","action":"X","error":{"code":"403"}}`,
		"code as object": `{"id":"x","action":"X","error":{"code":{}}}`,
		"error as array": `{"id":"x","action":"X","error":[]}`,
	})
	for name, odd := range map[string]string{
		"silent": `"silent":0`, "expire_in": `"expire_in":""`, "status": `"status":{}`, "session": `"session_id":7`,
	} {
		t.Run(name, func(t *testing.T) {
			got := feed(t, nil, binaryOf(pushOfText(odd)), last)
			assert.Zero(t, got.stats.BadFrames)
			require.Len(t, got.messages, 2)
			assert.Equal(t, blaze.Text("hello"), got.messages[0].Payload)
			fired(t, 24)
		})
	}
}

// pushOfText returns a pushed text with more fields. A later field overrides an earlier one.
func pushOfText(rest string) string {
	return pushOf("00000000-0000-4000-8000-000000000001", "PLAIN_TEXT", `"data":"aGVsbG8=",`+rest)
}

func TestFault25Nesting(t *testing.T) {
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	skipped(t, 25, map[string][]byte{
		"params": binaryOf(`{"id":"x","action":"X","params":` + deep + `}`),
		"all":    binaryOf(strings.Repeat(`{"id":`, 100_000)),
		"data":   binaryOf(pushOfText(`"unknown":` + deep)),
	})
}

// Fault 26: numbers are rounded, and clamped to the range of their field. A value that is not a number counts as
// absent.
func TestFault26Numbers(t *testing.T) {
	for number, want := range map[string]time.Duration{
		"1e3": 1000 * time.Second, "1.5": 2 * time.Second, `"60"`: time.Minute,
		"123456789012345678901234567890": 9223372036 * time.Second,
		"1e17":                           9223372036 * time.Second, "-1e999": 0, `"many"`: 0,
	} {
		t.Run(number, func(t *testing.T) {
			got := feed(t, nil, binaryOf(pushOfText(`"expire_in":`+number)), last)
			assert.Zero(t, got.stats.BadFrames)
			require.Len(t, got.messages, 2)
			assert.Equal(t, want, got.messages[0].ExpireIn)
			assert.Equal(t, blaze.Text("hello"), got.messages[0].Payload)
			fired(t, 26)
		})
	}
	ignored(t, 26, map[string]string{"code": `{"id":"x","action":"X","error":{"code":1e30}}`})
}

// Fault 27: of duplicate keys the last one counts, even if their case differs.
func TestFault27DuplicateKeys(t *testing.T) {
	got := feed(t, nil,
		binaryOf(pushOfText(`"data":"Zmlyc3Q=","DATA":"c2Vjb25k","Message_ID":"00000000-0000-4000-8000-000000000002"`)))
	require.Len(t, got.messages, 1)
	assert.Equal(t, blaze.Text("second"), got.messages[0].Payload)
	assert.Equal(t, "00000000-0000-4000-8000-000000000002", got.messages[0].ID)
	fired(t, 27)
}

func TestFault28UnknownAction(t *testing.T) {
	ignored(t, 28, map[string]string{
		"unknown": `{"id":"x","action":"CREATE_SOMETHING","data":{"message_id":"x"}}`,
		"none":    `{"id":"x","data":{"message_id":"x"}}`,
		"empty":   `{"id":"x","data":{}}`,
		"case":    `{"id":"x","action":"create_message","data":{}}`,
	})
}

// Fault 31: text is delivered unchanged and not logged.
func TestFault31StrangeText(t *testing.T) {
	for name, text := range map[string]string{
		"NUL": "be\x00fore", "bidi": "a\u202egnp.exe", "escape": "\x1b[2Jclear",
		"line": "one\nlevel=ERROR two", "tag": "\U000E0041", "replacement": "\uFFFD",
		"invalid UTF-8": "half \xe4\xbd", "surrogate": "\xed\xa0\x80",
	} {
		t.Run(name, func(t *testing.T) {
			text = "spoken " + text // plain letters, because a log escapes the rest
			data := base64.StdEncoding.EncodeToString([]byte(text))
			failing := func(*blaze.Message) error { return blaze.ErrDrop }
			got := feed(t, failing,
				binaryOf(pushOf("00000000-0000-4000-8000-000000000001", "PLAIN_TEXT", `"data":"`+data+`"`)))
			require.Len(t, got.messages, 1)
			assert.Equal(t, []byte(text), got.messages[0].Data)
			assert.NotContains(t, got.log, "spoken")
			assert.NotContains(t, got.log, data[:8])
			assert.EqualValues(t, 1, got.stats.Dropped)
			fired(t, 31)
		})
	}
}

// stub is the data that the service may add to a reply to CREATE_MESSAGE: a message of the bot without a category.
const stub = `,"data":{"type":"message","conversation_id":"","user_id":"b1a2e000-0000-4000-8000-000000000001",` +
	`"message_id":"00000000-0000-4000-8000-000000000008","category":"","data":"","status":"SENT","source":""}`

// Fault 38: replies without a request are neither messages nor bad frames.
func TestFault38StrayReplies(t *testing.T) {
	reply := func(action, more string) string {
		return `{"id":"00000000-0000-4000-8000-000000000009","action":"` + action + `"` + more + `}`
	}
	frames := map[string]string{
		"error": reply(create, `,"error":{"status":202,"code":10002}`),
		"error with a message": reply(create,
			`,"error":{"code":10002},"data":{"message_id":"x","category":"PLAIN_TEXT"}`),
		"like a message":           reply(create, stub),
		"like one, id in capitals": reply(create, strings.Replace(stub, "b1a2e", "B1A2E", 1)),
		"batch with a string":      reply("CREATE_PLAIN_MESSAGES", `,"params":"mRm5rm9bkQztvpsaTyz1Rib0BEM0S1FKl"`),
	}
	for _, action := range []string{create, ack, acks, list, "CREATE_PLAIN_MESSAGES", "CREATE_CALL"} {
		for _, data := range []string{"", `{}`, `[]`, ` { } `, "[\n]", `null`} {
			more := ""
			if data != "" {
				more = `,"data":` + data
			}
			frames[action+" of "+data] = reply(action, more)
		}
	}
	ignored(t, 38, frames)
}

// Fault 41: an error without a request is logged, and the connection is not replaced.
func TestFault41StrayError(t *testing.T) {
	ignored(t, 41, map[string]string{
		"no id":  `{"action":"ERROR","error":{"status":202,"code":403,"description":"Forbidden"}}`,
		"an id":  `{"id":"x","action":"ERROR","error":{"code":7000}}`,
		"code 0": `{"id":"x","action":"ERROR","error":{}}`,
	})
}
