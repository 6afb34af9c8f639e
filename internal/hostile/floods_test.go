package hostile

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// flood returns the frames of messages from a number of users.
func flood(messages, users int, category string, payload func(i int) []byte) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		for i := range messages {
			id, user := newID(fmt.Sprint("flood", i)), newID(fmt.Sprint("user", i%users))
			b.Write(wspeer.PackStored(pushed(id, user, category, payload(i))))
		}
		return b.Bytes()
	}
}

func hello(int) []byte { return []byte("hello") }

// flooded reports whether the number of acknowledged messages has reached messages.
func (r *run) flooded(messages int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.acked) >= messages
}

// pours writes a flood and waits until it is acknowledged.
func pours(messages int) func(r *run) {
	return func(r *run) {
		_ = r.peer().Send(r.bytes)
		if !eventually(func() bool { return r.flooded(messages) }) {
			r.t.Errorf("not all %d messages are acknowledged", messages)
		}
	}
}

// handled is the outcome of a flood that fits into the inbox.
func handled(messages int) outcome {
	return outcome{
		text: fmt.Sprintf("all %d messages are handled once, and acknowledged", messages),
		check: func(r *run) {
			lives.check(r)
			r.lock.Lock()
			defer r.lock.Unlock()
			if n := len(r.got); n != messages+1 { // including the message after the attack
				r.t.Errorf("%d messages were handled", n)
			}
		},
	}
}

// steady is the outcome of a flood that must not flood the log.
var steady = outcome{text: "all messages are acknowledged, and the log is small", check: func(*run) {}}

func floodAttacks() []attack {
	const n = 20_000
	slow := func(r *run) blaze.Handler {
		return func(ctx context.Context, m *blaze.Message) error {
			time.Sleep(10 * time.Millisecond)
			return r.record(ctx, m)
		}
	}
	all := []attack{
		{
			name: "20,000 messages of one user", slow: true, bytes: flood(n, 1, "PLAIN_TEXT", hello),
			outcome: handled(n),
			does:    pours(n),
			handler: slow, heap: 64 * mib, work: 256 * mib,
		},
		{
			name: "20,000 messages, each of another user", slow: true, bytes: flood(n, n, "PLAIN_TEXT", hello),
			outcome: handled(n), does: pours(n),
			handler: slow, heap: 64 * mib, work: 256 * mib,
		},
		{
			name: "one message 20,000 times", outcome: handled(1), heap: 48 * mib, work: 128 * mib,
			bytes: func() []byte {
				return bytes.Repeat(wspeer.PackStored(pushed(attackID, alice, "PLAIN_TEXT", []byte("x"))), 20_000)
			},
			does: pours(1),
		},
		{
			name: "20,000 messages of the bot itself", slow: true, outcome: steady, heap: 32 * mib, work: 128 * mib,
			does: pours(n),
			bytes: func() []byte {
				var b bytes.Buffer
				for i := range n {
					b.Write(wspeer.PackStored(pushed(newID(fmt.Sprint("flood", i)), botID, "PLAIN_TEXT", []byte("x"))))
				}
				return b.Bytes()
			},
		},
		{
			name: "20,000 notices about sessions", slow: true, outcome: handled(n), heap: 64 * mib, work: 256 * mib,
			does: pours(n),
			bytes: flood(n, n, "SYSTEM_SESSION", func(i int) []byte {
				return []byte(`{"action":"PROVISION","user_id":"` + newID(fmt.Sprint("user", i)) + `","session_id":"` +
					newID("s") + `"}`)
			}),
		},
		receiptFlood(), sessionFlood(10_000), sessionFlood(300), deafSends(), deafAcks(500),
	}
	return append(append(all, fullInboxes()...), logFloods(n)...)
}

// receiptFlood is the receipts of a broadcast to 100,000 recipients.
func receiptFlood() attack {
	const n = 200_000
	return attack{
		name: "200,000 receipts, and OnReceipt is slow", slow: true, heap: 48 * mib, work: 400 * mib,
		outcome: outcome{
			text: "each receipt is delivered or counted as dropped, and the log reports drops",
			check: func(r *run) {
				dropped := r.c.Stats().ReceiptsDropped
				if got := uint64(r.number) + dropped; got != n {
					r.t.Errorf("%d receipts were delivered and %d dropped", r.number, dropped)
				}
				if dropped > 0 && r.book.has("receipt") == 0 {
					r.t.Errorf("the log does not report dropped receipts")
				}
			},
		},
		bytes: func() []byte {
			var b bytes.Buffer
			for i := range n {
				fmt.Fprintf(&b, "%s",
					wspeer.PackStored(fmt.Sprintf(`{"id":"r%d","action":"ACKNOWLEDGE_MESSAGE_RECEIPT",`+
						`"data":{"message_id":"2d1e7b3c-a4e5-4f68-9072-%012x","status":"READ"}}`, i, i/2)))
			}
			return b.Bytes()
		},
		config: func(cfg *blaze.Config) {
			cfg.OnReceipt = func(blaze.Receipt) {
				time.Sleep(10 * time.Millisecond)
				receipts.Add(1)
			}
		},
		does: func(r *run) {
			receipts.Store(0)
			_ = r.peer().Send(r.bytes)
			eventually(func() bool {
				r.number = int(receipts.Load())
				return uint64(r.number)+r.c.Stats().ReceiptsDropped >= n
			})
		},
	}
}

// receipts is the number of calls of a slow OnReceipt.
var receipts atomic.Int64

// sessionFlood is a user with too many sessions. A message is encrypted for at most 256.
func sessionFlood(sessions int) attack {
	const most = 256
	return attack{
		name: fmt.Sprintf("a user with %d sessions", sessions), heap: 48 * mib, work: 128 * mib,
		outcome: outcome{text: "the message is encrypted for at most 256 sessions", check: func(r *run) {
			if r.err != nil {
				r.t.Errorf("the error is %v", short(r.err))
			}
			if r.number == 0 || r.number > most {
				r.t.Errorf("encrypted for %d sessions", r.number)
			}
		}},
		bytes: func() []byte {
			var b strings.Builder
			key := base64.RawURLEncoding.EncodeToString(signerOf(alice).Public())
			for i := range sessions {
				fmt.Fprintf(&b,
					`,{"user_id":%q,"session_id":"a11ce000-0000-4000-8000-%012x","public_key":%q}`, alice, i, key)
			}
			return []byte(`{"data":[` + b.String()[1:] + `]}`)
		},
		arm: func(r *run) {
			r.http = func(p *peer, body []byte) bool {
				switch p.Request.URL.Path {
				case "/sessions/fetch":
					return p.Say(ok(string(r.bytes))) == nil
				case "/encrypted_messages":
					r.number = bytes.Count(body, []byte(`{"session_id":`))
				}
				return false
			}
		},
		does: func(r *run) {
			out := r.c.ToUser(alice, blaze.Text("hello"))
			out.Encrypted = true
			_, err := r.c.Send(r.ctx, out)
			r.fails(err)
		},
	}
}

// deafSends is a server that confirms no message.
func deafSends() attack {
	return attack{
		name: "3,000 sends without a confirmation", slow: true, heap: 64 * mib, work: 400 * mib,
		outcome: outcome{text: "each Send ends with its context", check: func(r *run) {
			if r.number != 3000 {
				r.t.Errorf("%d sends ended with the error of their context", r.number)
			}
		}},
		arm: func(r *run) {
			r.request = func(_ *peer, f wspeer.Request) bool { return f.Action == "CREATE_MESSAGE" }
		},
		does: func(r *run) {
			ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for range 3000 {
				wg.Go(func() {
					_, err := r.c.Send(ctx, r.c.ToUser(alice, blaze.Text(strings.Repeat("x", 1000))))
					r.saw(err)
					r.lock.Lock()
					defer r.lock.Unlock()
					if errors.Is(err, context.DeadlineExceeded) {
						r.number++
					}
				})
			}
			wg.Wait()
		},
	}
}

// deafAcks is a server that confirms no acknowledgement for an hour and then closes the link.
func deafAcks(n int) attack {
	return attack{
		name: "an hour without confirmed acknowledgements", heap: 96 * mib, work: 768 * mib, log: 64 * kib,
		records: 200,
		bytes:   flood(n, 100, "PLAIN_TEXT", hello),
		outcome: outcome{text: "all messages are handled once, and acknowledged", check: func(r *run) {
			if !r.flooded(n) {
				r.t.Errorf("not all messages are acknowledged")
			}
			r.lock.Lock()
			defer r.lock.Unlock()
			if len(r.got) != n+1 {
				r.t.Errorf("%d messages were handled", len(r.got))
			}
		}},
		arm: func(r *run) {
			r.request = func(_ *peer, f wspeer.Request) bool {
				return strings.HasPrefix(f.Action, "ACKNOWLEDGE") && r.age() < time.Hour
			}
		},
		does: func(r *run) {
			frame := len(r.bytes) / n
			for i := range n {
				r.deliver(newID(fmt.Sprint("flood", i)), r.bytes[i*frame:(i+1)*frame])
			}
			time.Sleep(time.Hour)
			r.cut()
			eventually(func() bool { return r.flooded(n) })
		},
	}
}
