package hostile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// logFloods are attacks that make the bot log as much as possible.
func logFloods(n int) []attack {
	once := func(cfg *blaze.Config) { cfg.HandlerAttempts = 1 }
	numbered := func(end func(text string) error) func(*run) blaze.Handler {
		return func(*run) blaze.Handler {
			var i atomic.Int64
			return func(context.Context, *blaze.Message) error { return end(fmt.Sprint("reason ", i.Add(1))) }
		}
	}
	pour := func(name string, handler func(*run) blaze.Handler) attack {
		return attack{
			name: name, slow: true, handler: handler, config: once, outcome: steady, does: pours(n),
			bytes: flood(n, 1000, "PLAIN_TEXT", hello),
			heap:  96 * mib, work: 1500 * mib, log: 256 * kib, records: 400,
		}
	}
	all := []attack{
		pour("a handler that fails 20,000 times", always(errors.New("no"))),
		pour("a handler that fails 20,000 times, each time with another error", numbered(errors.New)),
		pour("a handler that panics 20,000 times", func(*run) blaze.Handler {
			return func(context.Context, *blaze.Message) error { panic("no") }
		}),
		pour("a handler that panics 20,000 times, each time with another text", numbered(func(text string) error {
			panic(text)
		})),
		pour("a handler that declines 20,000 times", always(blaze.ErrNotHandled)),
		{
			name: "a handler with an error of 10 MB", slow: true, heap: 160 * mib, work: 2048 * mib, log: 64 * kib,
			outcome: steady, does: pours(20),
			config: once, handler: always(errors.New(strings.Repeat("long ", 2*mib))),
			bytes: flood(20, 20, "PLAIN_TEXT", hello),
		},
	}
	decline := pour("20,000 unknown categories", always(blaze.ErrNotHandled))
	decline.bytes = func() []byte {
		var b strings.Builder
		for i := range n {
			message := pushed(newID(fmt.Sprint("flood", i)), alice, fmt.Sprint("PLAIN_", i), []byte("x"))
			b.Write(wspeer.PackStored(message))
		}
		return []byte(b.String())
	}
	return append(all, decline, groupFlood(),
		flapping("one reason", mib, 4500, func(int) string { return "going away" }),
		flapping("different reasons", 3*mib, 9000, func(i int) string {
			return strings.Repeat(fmt.Sprint("reason", i, " "), 8)
		}))
}

// groupFlood is an encrypted message in each of many groups. The replies are sent unencrypted, which is logged.
func groupFlood() attack {
	const groups = 2000
	encrypted := encryptedForBot(alice, []byte("hello"))
	return attack{
		name: "encrypted messages in 2,000 groups, all with replies", outcome: steady, heap: 64 * mib, work: 256 * mib,
		log: 256 * kib, records: 400,
		does: pours(groups),
		bytes: func() []byte {
			var b strings.Builder
			for i := range groups {
				fields := map[string]any{"conversation_id": newID(fmt.Sprint("group", i))}
				message := pushedWith(newID(fmt.Sprint("flood", i)), alice, "ENCRYPTED_TEXT", encrypted, fields)
				b.Write(wspeer.PackStored(message))
			}
			return []byte(b.String())
		},
		handler: func(r *run) blaze.Handler {
			return func(ctx context.Context, m *blaze.Message) error { return r.c.Reply(ctx, m, blaze.Text("hello")) }
		},
	}
}

// flapping is a server that closes each link at once, for a day.
func flapping(name string, log, records int64, reason func(i int) string) attack {
	const day = 24 * time.Hour
	return attack{
		name: "each link is closed at once for a day, with " + name, slow: true, heap: 48 * mib, work: 4096 * mib,
		log:     log,
		records: records,
		outcome: outcome{
			text: "the waits between links grow, and the log has a few records a minute",
			check: func(r *run) {
				if n := r.links(); n > 20_000 {
					r.t.Errorf("%d links in a day", n)
				}
			},
		},
		arm: func(r *run) {
			r.request = func(p *peer, f wspeer.Request) bool {
				if f.Action != "LIST_PENDING_MESSAGES" || r.age() > day {
					return false
				}
				r.link(p)
				text := reason(r.links())
				_ = p.Send(wspeer.CloseFrame(4000, text[:min(len(text), 120)]))
				return true
			}
		},
		does: func(*run) { time.Sleep(day) },
	}
}
