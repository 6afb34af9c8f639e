package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Outcomes of a message.
var (
	rawWithErr = outcome{text: "the message is delivered as a Raw with Err, and is acknowledged", check: func(r *run) {
		if m := r.message(attackID); m == nil {
			r.t.Errorf("the message is not delivered")
		} else if raw, is := m.Payload.(blaze.Raw); !is || raw.Err == nil {
			r.t.Errorf("the message is delivered as %T", m.Payload)
		}
		acknowledged(r)
	}}
	arrives = outcome{text: "the message is delivered, decoded or as a Raw, and is acknowledged", check: func(r *run) {
		if r.message(attackID) == nil {
			r.t.Errorf("the message is not delivered")
		}
		acknowledged(r)
	}}
)

var attackID = newID("attack")

func acknowledged(r *run) {
	if r.ack(attackID) == "" {
		r.t.Errorf("the message is not acknowledged")
	}
}

// Bounds of the memory for a message, in multiples of its size: for transport, as text and in base64, and for decoding.
const (
	wireTimes   = 24
	decodeTimes = 8
)

// sends returns the attack of a user who sends one message.
func sends(name string, o outcome, category string, payload func() []byte) attack {
	p := payload()
	return attack{
		name: name, outcome: o, bytes: func() []byte { return wspeer.Pack(pushed(attackID, alice, category, p)) },
		heap: smallHeap + (wireTimes+decodeTimes)*int64(len(p)), work: smallHeap +
			(wireTimes+decodeTimes)*int64(len(p)),
		does: func(r *run) { r.deliver(attackID, r.bytes); eventually(func() bool { return r.ack(attackID) != "" }) },
	}
}

// userSized is the largest payload of a user in bytes.
const userSized = 128 * kib

// list returns a JSON array of about size bytes with copies of one element.
func list(element string, size int) []byte {
	return []byte("[" + strings.Repeat(element+",", size/(len(element)+1)) + element + "]")
}

// uuids returns n different ids, separated by commas.
func uuids(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = quoted(newID(fmt.Sprint(i)))
	}
	return strings.Join(all, ",")
}

const (
	button     = `{"label":"a","color":"#ABABAB","action":"https://mixin.one"}`
	transcript = `{"transcript_id":"1c0f6a2b-93d4-4e57-8f61-a2b3c4d5e6f7",` +
		`"message_id":"2d1e7b3c-a4e5-4f68-9072-b3c4d5e6f708",` +
		`"user_id":"89e0bdee-c355-47f2-945a-be48be875606","user_full_name":"A","category":"PLAIN_TEXT",` +
		`"created_at":"2023-04-28T10:01:32Z","content":"x"}`
)

// hasList lists the payloads with an array.
var hasList = []struct {
	category, before, after string
}{
	{"PLAIN_TRANSCRIPT", "", ""},
	{"APP_BUTTON_GROUP", "", ""},
	{"APP_CARD", `{"title":"t","description":"d","cover_url":"https://a.test/x","actions":`, `}`},
	{"MESSAGE_PIN", `{"action":"PIN","message_ids":`, `}`},
}

func payloadAttacks() (all []attack) {
	for _, v := range hasList {
		in := func(list []byte) func() []byte {
			return func() []byte { return []byte(v.before + string(list) + v.after) }
		}
		all = append(all,
			sends("zeros in "+v.category, rawWithErr, v.category, in(list("0", userSized))),
			sends("empty objects in "+v.category, rawWithErr, v.category, in(list("{}", userSized))),
			sends("empty lists in "+v.category, rawWithErr, v.category, in(list("[]", userSized))),
			sends("nulls in "+v.category, rawWithErr, v.category, in(list("null", userSized))),
			sends("nested lists in "+v.category, rawWithErr, v.category, in([]byte(deep(userSized/2)))),
			sends("11 MB of zeros in "+v.category, rawWithErr, v.category, in(list("0", 11*mib))).bounded(160*mib,
				400*mib).slowly(),
		)
	}
	all = append(all,
		sends("200 buttons", rawWithErr, "APP_BUTTON_GROUP", func() []byte { return list(button, 200*len(button)) }),
		sends("200 buttons on a card", rawWithErr, "APP_CARD", func() []byte {
			return []byte(hasList[2].before + string(list(button, 200*len(button))) + "}")
		}),
		sends("3,000 pinned messages", rawWithErr, "MESSAGE_PIN", func() []byte {
			return []byte(`{"action":"PIN","message_ids":[` + uuids(3000) + `]}`)
		}),
		sends("10,000 messages in a transcript", rawWithErr, "PLAIN_TRANSCRIPT", func() []byte {
			return list(transcript, 10_000*len(transcript))
		}).bounded(48*mib, 128*mib),
		sends("a truncated transcript", rawWithErr, "PLAIN_TRANSCRIPT", func() []byte {
			b := list(transcript, userSized)
			return b[:len(b)-9]
		}),
	)
	return append(append(append(append(all, fieldAttacks()...), encryptedAttacks()...), repeatedAttacks()...),
		encodingAttacks()...)
}

// objects lists the categories with an object as payload, each with its required fields.
var objects = []struct{ category, good string }{
	{
		"PLAIN_IMAGE",
		`"attachment_id":"5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10","mime_type":"","width":1024,"height":1024,"size":1024`,
	},
	{"PLAIN_DATA", `"attachment_id":"5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10","size":1024,"name":"Share"`},
	{"PLAIN_AUDIO", `"attachment_id":"5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10","size":1024,"duration":60`},
	{
		"PLAIN_VIDEO",
		`"attachment_id":"5b7c6e0f-6a0d-4f0e-9d54-1c9b4f2f3a10","width":1,"height":1,"size":1024,"duration":1024`,
	},
	{
		"PLAIN_LIVE",
		`"width":650,"height":366,"thumb_url":"https://mixin.one/logo.png","url":"https://mixin.one/live.m3u8"`,
	},
	{"PLAIN_LOCATION", `"longitude":126.5,"latitude":53.4`},
	{"PLAIN_STICKER", `"sticker_id":"7d4c2a9e-1f38-4b6d-a5c0-e9f817263544"`},
	{"PLAIN_CONTACT", `"user_id":"53bac64e-e1ff-408a-ad0e-aca20cdc68bd"`},
	{"MESSAGE_RECALL", `"message_id":"2d1e7b3c-a4e5-4f68-9072-b3c4d5e6f708"`},
	{"SYSTEM_CONVERSATION", `"action":"ADD","participant_id":"53bac64e-e1ff-408a-ad0e-aca20cdc68bd"`},
	{
		"SYSTEM_ACCOUNT_SNAPSHOT",
		`"type":"transfer","snapshot_id":"5a41ae6f-d718-429b-a3a5-e6f708192a3b","amount":"-10"`,
	},
	{
		"SYSTEM_SAFE_SNAPSHOT",
		`"type":"snapshot","snapshot_id":"5a41ae6f-d718-429b-a3a5-e6f708192a3b","amount":"1"`,
	},
}

// fieldAttacks are objects with too many, too long or too deep fields. Each kind is tested with some of the categories,
// and an array in place of an object with all.
func fieldAttacks() (all []attack) {
	for i, v := range objects {
		odd := []struct{ name, fields string }{
			{"10,000 unknown fields", manyFields(10_000)},
			{"one field 10,000 times", strings.Repeat(`,"size":1`, 10_000)},
			{"an unknown field nested 60,000 times", `,"x":` + deep(60_000)},
			{"a string of 20,000 escapes", `,"name":"` + strings.Repeat(`\u0001`, 20_000) + `"`},
			{"a number of 100,000 digits", `,"width":` + strings.Repeat("9", 100_000)},
			{"numbers with huge exponents", `,"width":1e999999,"duration":-1e99999,"size":1e400`},
		}[i%6]
		all = append(all,
			sends(odd.name+" in "+v.category, arrives, v.category, func() []byte {
				return []byte("{" + v.good + odd.fields + "}")
			}),
			sends("a list of zeros as "+v.category, rawWithErr, v.category, func() []byte {
				return list("0", userSized)
			}),
		)
	}
	return all
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":%d`, i, i)
	}
	return b.String()
}

// encryptedAttacks are encrypted messages. Source of the layout: internal/seal, from the service's documentation.
func encryptedAttacks() []attack {
	const category = "ENCRYPTED_TEXT"
	good := encryptedForBot(alice, []byte("hello"))
	with := func(change func(b []byte) []byte) func() []byte {
		return func() []byte { return change(bytes.Clone(good)) }
	}
	claims := func(n int) func() []byte {
		return with(func(b []byte) []byte { binary.LittleEndian.PutUint16(b[1:], uint16(n)); return b })
	}
	return []attack{
		sends("encrypted, with a count of 65,535 sessions", rawWithErr, category, claims(65535)),
		sends("encrypted, with a count of 0 sessions", rawWithErr, category, claims(0)),
		sends("encrypted for 65,535 other sessions", rawWithErr, category, func() []byte {
			b := append([]byte{1, 0xff, 0xff}, make([]byte, 32)...)
			return append(b, bytes.Repeat([]byte{7}, 65535*64+100)...)
		}).bounded(96*mib, 200*mib),
		sends("encrypted, of another version", rawWithErr, category, with(func(b []byte) []byte {
			b[0] = 2
			return b
		})),
		sends("encrypted, with a key of low order", rawWithErr, category, with(func(b []byte) []byte {
			clear(b[3:35])
			return b
		})),
		sends("encrypted, with a modified message", rawWithErr, category, with(func(b []byte) []byte {
			b[len(b)-1] ^= 1
			return b
		})),
		sends("encrypted, with a modified key", rawWithErr, category, with(func(b []byte) []byte {
			b[60] ^= 1
			return b
		})),
		sends("encrypted and truncated", rawWithErr, category, with(func(b []byte) []byte { return b[:len(b)/2] })),
		sends("an encrypted header alone", rawWithErr, category, with(func(b []byte) []byte { return b[:35] })),
		sends("an empty encrypted message", rawWithErr, category, func() []byte { return nil }),
		sends("zeros in an encrypted transcript", rawWithErr, "ENCRYPTED_TRANSCRIPT", func() []byte {
			return encryptedForBot(alice, list("0", userSized))
		}),
		sends("empty objects in an encrypted transcript", rawWithErr, "ENCRYPTED_TRANSCRIPT", func() []byte {
			return encryptedForBot(alice, list("{}", userSized))
		}),
		sends("nested lists in an encrypted image", rawWithErr, "ENCRYPTED_IMAGE", func() []byte {
			return encryptedForBot(alice, []byte(deep(userSized/2)))
		}),
	}
}

// repeatedAttacks are messages that are decoded more than once.
func repeatedAttacks() []attack {
	panicking := func(*run) blaze.Handler { return func(context.Context, *blaze.Message) error { panic("no") } }
	payload := list(`{}`, userSized)
	again := func(name string, handler func(*run) blaze.Handler) attack {
		return attack{
			name: name, handler: handler, heap: smallHeap, work: 48 * mib, records: 60,
			bytes: func() []byte { return wspeer.Pack(pushed(attackID, alice, "PLAIN_TRANSCRIPT", payload)) },
			outcome: outcome{text: "the message is dropped after its attempts, and acknowledged", check: func(r *run) {
				acknowledged(r)
			}},
			does: func(r *run) {
				r.deliver(attackID, r.bytes)
				if !eventually(func() bool { return r.ack(attackID) != "" }) {
					r.t.Errorf("the message is not acknowledged")
				}
			},
		}
	}
	return []attack{
		again("a transcript of empty objects, with a failing handler", always(errors.New("no"))),
		again("a transcript of empty objects, with a panicking handler", panicking),
		{
			name: "five frames of 11 MB of zeros", slow: true, heap: 160 * mib, work: 1200 * mib, outcome: arrives,
			bytes: func() []byte { return wspeer.Pack(pushed(attackID, alice, "PLAIN_TRANSCRIPT", list("0", 11*mib))) },
			does: func(r *run) {
				p := r.peer()
				r.deliver(attackID, r.bytes)
				for i := range 4 {
					_ = p.Send(r.bytes)
					time.Sleep(time.Duration(i) * time.Second)
				}
				eventually(func() bool { return r.ack(attackID) != "" })
			},
		},
	}
}

// encodingAttacks are messages with unusual base64 or fields.
func encodingAttacks() (all []attack) {
	for _, v := range []struct {
		name   string
		o      outcome
		fields map[string]any
	}{
		{"data that is not base64", rawWithErr, map[string]any{"data": strings.Repeat("*", userSized)}},
		{"data with padding in the middle", arrives, map[string]any{"data": "aGk=aGk="}},
		{"data of line breaks", arrives, map[string]any{"data": strings.Repeat("\n", userSized)}},
		{"data and data_base64", arrives, map[string]any{"data_base64": "aGk", "data": "*"}},
		{"text with invalid UTF-8", arrives, map[string]any{"data": "//79/A=="}},
		{"a category of 100 KB", arrives, map[string]any{"category": strings.Repeat("C", 100_000)}},
		{"a category with escape sequences", arrives, map[string]any{"category": "\x1b[2J\r\nX"}},
		{"a date in the year 99999", arrives, map[string]any{"created_at": "99999-01-01T00:00:00Z"}},
		{"a message that expires in a billion years", arrives, map[string]any{"expire_in": int64(1 << 62)}},
		{"a message with a negative expiry", arrives, map[string]any{"expire_in": int64(-1 << 62)}},
		{"a quote of 100 KB", arrives, map[string]any{"quote_message_id": strings.Repeat("q", 100_000)}},
		{"a status of 100 KB", arrives, map[string]any{"status": strings.Repeat("s", 100_000)}},
	} {
		a := sends(v.name, v.o, "PLAIN_TEXT", func() []byte { return nil })
		a.bytes = func() []byte { return wspeer.Pack(pushedWith(attackID, alice, "PLAIN_TEXT", nil, v.fields)) }
		all = append(all, a)
	}
	return all
}
