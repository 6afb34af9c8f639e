package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// writesJSON returns the attack of a server that writes one frame with JSON.
func writesJSON(name string, o outcome, json func() string) attack {
	return writes(name, o, func() []byte { return wspeer.Pack(json()) })
}

func text(s string) func() string { return func() string { return s } }

// deep returns JSON of n nested arrays.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// frameAttacks are unusual JSON in valid gzip.
func frameAttacks() []attack {
	const reply = `{"id":"00000000-0000-4000-8000-000000000000","action":"CREATE_MESSAGE"`
	all := []attack{
		writesJSON("data nested 9,000 times", lives,
			text(`{"id":"1","action":"CREATE_MESSAGE","data":{"x":`+deep(9_000)+`}}`)),
		writesJSON("data nested a million times", lives,
			text(`{"id":"1","action":"CREATE_MESSAGE","data":`+deep(1_000_000)+`}`)).bounded(24*mib, 64*mib),
		writesJSON("an error nested a million times", lives,
			text(`{"id":"1","action":"ERROR","error":{"code":1,"extra":`+deep(1_000_000)+`}}`)).bounded(24*mib, 64*mib),
		writesJSON("objects nested 100,000 times", lives,
			text(`{"id":"1","action":"X","data":`+strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}",
				100_000)+`}`)),
		writesJSON("a million fields", lives, func() string {
			var b strings.Builder
			b.WriteString(`{"id":"1","action":"CREATE_MESSAGE","data":{"message_id":"m"`)
			for i := range 1_000_000 {
				fmt.Fprintf(&b, `,"f%d":0`, i)
			}
			return b.String() + "}}"
		}).bounded(64*mib, 128*mib).slowly(),
		writesJSON("the same field a million times", lives,
			text(`{"id":"1","action":"X","data":{"a":1`+strings.Repeat(`,"message_id":"x"`,
				800_000)+`}}`)).bounded(64*mib, 128*mib).slowly(),
		writesJSON("a number of a million digits", lives,
			text(`{"id":"1","action":"CREATE_MESSAGE","data":{"message_id":"m","expire_in":`+strings.Repeat("9",
				1_000_000)+`}}`)),
		writesJSON("a number with a huge exponent", lives,
			text(reply+`,"error":{"code":1e999999999,"status":-1e999999999}}`)),
		writesJSON("an id of a megabyte", lives,
			text(`{"id":"`+strings.Repeat("i", mib)+`","action":"CREATE_MESSAGE"}`)),
		writesJSON("an action of a megabyte", lives, text(`{"id":"1","action":"`+strings.Repeat("A", mib)+`"}`)),
		writesJSON("a string of a million escapes", lives,
			text(`{"id":"1","action":"`+strings.Repeat(`\u0000`, 1_000_000)+`"}`)).bounded(32*mib, 64*mib).slowly(),
		writesJSON("lone surrogates", lives,
			text(`{"id":"\ud800","action":"\udfff\ud800","data":{"message_id":"\ud800"}}`)),
		writes("strings with invalid UTF-8", lives,
			of(wspeer.Pack("{\"id\":\"\xff\xfe\",\"action\":\"\x80\xc0\",\"data\":{\"message_id\":\"\xff\"}}"))),
		writes("UTF-16", lives, of(wspeer.Pack("\xff\xfe{\x00\"\x00i\x00d\x00\"\x00"))),
		writes("a byte order mark", lives, of(wspeer.Pack("\xef\xbb\xbf{\"id\":\"1\",\"action\":\"X\"}"))),
		writesJSON("JSON with a second value", lives, text(reply+`}{"id":"2","action":"X"}`)),
		writesJSON("keys in capitals", lives, text(`{"ID":"1","ACTION":"CREATE_MESSAGE","DATA":{"MESSAGE_ID":5}}`)),
		writesJSON("an ERROR of a megabyte", lives,
			text(`{"action":"ERROR","error":{"code":500,"description":"`+strings.Repeat("d", mib)+`"}}`)),
		writesJSON("JSON with every field of a wrong type", lives, text(`{"id":{},"action":[],"data":5,"error":"no"}`)),
	}
	for _, v := range []struct{ name, fields string }{
		{"no message_id", `"x":1`},
		{"message_id null", `"message_id":null`},
		{"message_id a number", `"message_id":5`},
		{"message_id an object", `"message_id":{"a":1}`},
		{"a message_id of 65 bytes", `"message_id":"` + strings.Repeat("m", 65) + `"`},
		{"a message_id of a megabyte", `"message_id":"` + strings.Repeat("m", mib) + `"`},
		{"a conversation_id of a megabyte", `"message_id":"m","conversation_id":"` + strings.Repeat("c", mib) + `"`},
	} {
		all = append(all,
			writesJSON(v.name, lives,
				text(`{"action":"CREATE_MESSAGE","data":{`+v.fields+`,"category":"PLAIN_TEXT","data":"aGk="}}`)))
	}
	return append(append(all, oddIDAttacks()...), rejectionAttacks()...)
}

// always returns a handler that returns err for each message.
func always(err error) func(*run) blaze.Handler {
	return func(*run) blaze.Handler { return func(context.Context, *blaze.Message) error { return err } }
}

// oddIDAttacks are messages with ids that are no UUIDs. They are handled and acknowledged like any other.
func oddIDAttacks() (all []attack) {
	for _, v := range []struct{ name, id string }{
		{"an id with a line break", "a\nlevel=ERROR msg=fake"},
		{"an id with escape sequences", "\x1b[2J\x1b]0;x\x07"},
		{"an id with quotes", `","message_id":"other`},
		{"an id with bidirectional controls", "\u202egnp.exe\u2066"},
		{"an id of zeros", "\x00\x00\x00"},
		{"an id that is a path", "../../../etc/passwd"},
	} {
		payload := pushedWith(v.id, alice, "PLAIN_IMAGE", []byte("no image"), map[string]any{
			"conversation_id": v.id, "user_id": v.id, "session_id": v.id, "quote_message_id": v.id,
			"representative_id": v.id,
		})
		all = append(all, attack{
			name:    v.name,
			handler: always(fmt.Errorf("no: %w", blaze.ErrDrop)),
			does:    func(r *run) { r.deliver(v.id, wspeer.PackStored(payload)) },
			outcome: outcome{
				text: "the message is acknowledged with its id, and the log escapes its ids",
				check: func(r *run) {
					if r.ack(v.id) == "" {
						r.t.Errorf("the message is not acknowledged")
					}
				},
			},
		})
	}
	return all
}

// rejectionAttacks are rejections and errors.
func rejectionAttacks() []attack {
	const huge = 100_000
	rejecting := func(rejection string) func(r *run) {
		return func(r *run) {
			r.request = func(p *peer, f wspeer.Request) bool {
				if f.Action != "CREATE_MESSAGE" {
					return false
				}
				_ = p.Send(wspeer.PackStored(fmt.Sprintf(`{"id":%q,"action":"ERROR","error":%s}`, f.ID, rejection)))
				return true
			}
		}
	}
	send := func(r *run) {
		_, err := r.c.Send(r.ctx, r.c.ToUser(alice, blaze.Text("hello")))
		r.fails(err)
	}
	bounded := outcome{
		text: "the error is *Error, with at most 200 printable characters from the server",
		check: func(r *run) {
			var rejection *blaze.Error
			if !errors.As(r.err, &rejection) {
				r.t.Errorf("the error is %v", short(r.err))
				return
			}
			if n := len([]rune(rejection.Description)); n > 203 || !printable(rejection.Description) {
				r.t.Errorf("a description of %d characters", n)
			}
			if len(rejection.Extra) > 4*kib {
				r.t.Errorf("%d bytes of details", len(rejection.Extra))
			}
		},
	}
	checked := outcome{text: "the session is checked by GET /me, and the next link works", check: func(r *run) {
		replaced.check(r)
		if len(r.called("/me")) == 0 {
			r.t.Errorf("GET /me was not requested")
		}
	}}
	return []attack{
		{
			name: "a rejection with a description of 100 KB", outcome: bounded, does: send,
			arm: rejecting(`{"status":202,"code":403,"description":"` + strings.Repeat("no ", huge/3) + `"}`),
		},
		{
			name: "a rejection with escape sequences", outcome: bounded, does: send,
			arm: rejecting(`{"status":202,"code":403,"description":"\u001b[2J\r\nlevel=ERROR\u202e"}`),
		},
		{
			name: "a rejection with 100 KB of details", outcome: bounded, does: send,
			arm: rejecting(`{"status":202,"code":10002,"extra":{"field":"` + strings.Repeat("f", huge) + `"}}`),
		},
		{
			name: "a rejection with details nested 9,000 times", outcome: bounded, does: send,
			arm: rejecting(`{"status":202,"code":10002,"extra":` + deep(9_000) + `}`),
		},
		{
			name:    "a rejection with a code of a wrong type",
			outcome: failsWith("the error is *Error without a code, after SendAttempts", blaze.Code(0)), does: send,
			arm: rejecting(`{"code":"forbidden","status":[]}`),
		},
		{
			name: "401 with an unknown id", outcome: lives,
			does: writeJSON(`{"id":"1","action":"CREATE_MESSAGE","error":{"status":202,"code":401}}`),
		},
		{
			name: "401 without an id", outcome: checked,
			does: writeJSON(`{"action":"ERROR","error":{"status":401,"code":401,"description":"` +
				strings.Repeat("no", 5000) + `"}}`),
		},
		{
			name: "401 with an unknown action", outcome: checked,
			does: writeJSON(`{"id":"1","action":"DANCE","error":{"code":401}}`),
		},
		{
			name:    "10006 in a push",
			does:    writeJSON(`{"id":"1","action":"CREATE_MESSAGE","error":{"status":202,"code":10006}}`),
			outcome: endsWith("Run ends with CodeUpdateRequired", blaze.CodeUpdateRequired),
		},
		{
			name: "401 on each link for an hour", records: 400, log: 128 * kib, work: 96 * mib,
			outcome: outcome{text: "Run does not end, and the error is logged once a minute", check: func(r *run) {
				if n := r.book.has(`"level":"ERROR"`); n > 70 {
					r.t.Errorf("%d errors were logged", n)
				}
			}},
			does: func(r *run) {
				for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(time.Second) {
					settle()
					_ = r.peer().Send(wspeer.PackStored(`{"action":"ERROR","error":{"code":401}}`))
				}
			},
		},
		writes("100,000 replies without a request", lives, func() []byte {
			return many(100_000, `{"id":"%d","action":"CREATE_MESSAGE"}`)
		}).bounded(0, 64*mib).slowly(),
		writes("100,000 unknown actions", lives, func() []byte {
			return many(100_000, `{"id":"%d","action":"DANCE_%[1]d"}`)
		}).bounded(0, 64*mib).slowly(),
		writes("50,000 different errors", lives, func() []byte {
			return many(50_000, `{"id":"x","action":"ERROR","error":{"code":2%05d,"description":"reason %[1]d"}}`)
		}).bounded(0, 256*mib).slowly().logging(64*kib, 300),
		writes("eight errors of a megabyte", lives, func() []byte {
			return bytes.Repeat(wspeer.Pack(`{"action":"ERROR","error":{"code":500,"description":"`+strings.Repeat("d",
				mib)+`"}}`), 8)
		}).bounded(32*mib, 96*mib).slowly(),
		writes("2 MB of empty frames", lives, func() []byte {
			return bytes.Repeat(wspeer.Whole(wspeer.Binary, nil), 1_000_000)
		}).bounded(0, 900*mib).slowly(),
		writes("100,000 frames of broken JSON", lives, func() []byte {
			return many(100_000, `{"id":"%d",`)
		}).bounded(0, 256*mib).slowly(),
		writes("100,000 frames with null", lives, func() []byte {
			return bytes.Repeat(wspeer.PackStored("null"), 100_000)
		}).bounded(0, 128*mib).slowly(),
		writes("100,000 text frames", lives, func() []byte {
			return bytes.Repeat(wspeer.Whole(wspeer.Text, []byte("{}")), 100_000)
		}).bounded(0, 128*mib).slowly(),
		writes("20,000 broken messages, each with its own id", lives, func() []byte {
			return many(20_000, `{"id":"1","action":"CREATE_MESSAGE","data":{"message_id":"m%d","category":5}}`)
		}).bounded(0, 128*mib),
	}
}

// writeJSON returns a function that writes a frame to the first link.
func writeJSON(json string) func(r *run) {
	return func(r *run) { _ = r.peer().Send(wspeer.PackStored(json)) }
}

// endsWith returns the outcome that Run returns want.
func endsWith(text string, want error) outcome {
	return outcome{text: text, ends: true, check: func(r *run) {
		if !errors.Is(r.runErr, want) {
			r.t.Errorf("Run ends with %v", short(r.runErr))
		}
	}}
}
