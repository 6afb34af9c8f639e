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

// A full inbox. It releases failed messages in favor of new ones, so memory is largest with as many failed messages as
// fit.
const (
	inboxBytes  = 8 * mib
	fillBytes   = 128 * kib // of one message
	overfull    = 128       // messages; twice as many as fit
	justFull    = 60        // messages; as many as fit, including encrypted ones, which are longer
	mostInbox   = inboxBytes * 3 / 2
	serverBytes = 40 + 48 // bytes of the server's memory for the push and the id of a message
)

// fullInboxes fill the inbox with messages in each state. InboxBytes bounds their memory.
func fullInboxes() []attack {
	words := []byte(strings.Repeat("word ", fillBytes/5))
	live := []byte(`{"width":1,"height":1,"thumb_url":"` + strings.Repeat("t", fillBytes/2) + `","url":"` +
		strings.Repeat("u", fillBytes/2) + `"}`)
	encrypted := encryptedForBot(alice, words)
	blocked := func(r *run) blaze.Handler {
		return func(ctx context.Context, m *blaze.Message) error {
			select {
			case <-r.gate:
			case <-ctx.Done():
			}
			return nil
		}
	}
	until := func(fail func() error) func(r *run) blaze.Handler {
		return func(r *run) blaze.Handler {
			return func(context.Context, *blaze.Message) error {
				select {
				case <-r.gate:
					return nil
				default:
					return fail()
				}
			}
		}
	}
	failed := until(func() error { return errors.New("not yet") })
	panicked := until(func() error { panic(strings.Repeat("not yet ", 1000)) })
	all := []attack{
		fills("texts in the queue", "PLAIN_TEXT", words, overfull, blocked),
		fills("failed texts", "PLAIN_TEXT", words, justFull, failed),
		fills("more failed texts than fit", "PLAIN_TEXT", words, overfull, failed),
		fills("as many queued texts as fit", "PLAIN_TEXT", words, justFull, blocked),
		fills("small texts in the queue", "PLAIN_TEXT", words[:5], 20_000, blocked),
		fills("small failed texts", "PLAIN_TEXT", words[:5], 7500, failed),
		fills("small texts with a panicking handler", "PLAIN_TEXT", words[:5], 2000, panicked),
		fills("texts with a panicking handler", "PLAIN_TEXT", words, justFull, panicked),
		fills("JSON in the queue", "PLAIN_LIVE", live, overfull, blocked),
		fills("failed JSON", "PLAIN_LIVE", live, justFull, failed),
		fills("JSON with a panicking handler", "PLAIN_LIVE", live, justFull, panicked),
		fills("encrypted texts in the queue", "ENCRYPTED_TEXT", encrypted, overfull, blocked),
		fills("failed encrypted texts", "ENCRYPTED_TEXT", encrypted, justFull, failed),
		fills("invalid messages in the queue", "PLAIN_IMAGE", words, overfull, blocked),
		fills("failed unknown messages", "PLAIN_HOLOGRAM", words, justFull, failed),
	}
	received := func(cfg *blaze.Config) { cfg.Ack = blaze.AckReceived }
	for _, a := range []attack{
		fills("failed texts acknowledged on receipt", "PLAIN_TEXT", words, justFull, failed),
		fills("JSON acknowledged on receipt, with a panicking handler", "PLAIN_LIVE", live, justFull, panicked),
	} {
		configure := a.config
		a.config = func(cfg *blaze.Config) { configure(cfg); received(cfg) }
		all = append(all, a)
	}
	return all
}

// fills returns the attack of users who write more than fits while no message is handled for two minutes. The bound of
// the heap includes garbage and the memory of link and server.
func fills(name, category string, payload []byte, count int, handler func(r *run) blaze.Handler) attack {
	return attack{
		name: "a full inbox: " + name, slow: count != justFull || category != "PLAIN_TEXT", heap: 2*mostInbox + 40*mib,
		work: 2048 * mib, handler: handler, log: 128 * kib,
		records: 300,
		config:  func(cfg *blaze.Config) { cfg.InboxBytes, cfg.HandlerAttempts = inboxBytes, -1 },
		bytes: func() []byte {
			var b bytes.Buffer
			for i := range count {
				message := pushed(newID(fmt.Sprint("fill", i)), newID(fmt.Sprint("user", i)), category, payload)
				b.Write(wspeer.PackStored(message))
			}
			return b.Bytes()
		},
		outcome: outcome{
			text: "the memory is at most 1.5 times InboxBytes, and all messages are acknowledged",
			check: func(r *run) {
				if r.written > mostInbox {
					r.t.Errorf("%d bytes of memory, and InboxBytes is %d", r.written, inboxBytes)
				}
				if !r.flooded(count) {
					r.t.Errorf("not all messages are acknowledged")
				}
			},
		},
		arm: func(r *run) { r.gate = make(chan struct{}) },
		does: func(r *run) {
			frame := len(r.bytes) / count
			for i := range count {
				r.deliver(newID(fmt.Sprint("fill", i)), r.bytes[i*frame:(i+1)*frame])
			}
			time.Sleep(2 * time.Minute)
			settle()
			r.written = r.meter.live() - int64(count)*serverBytes
			close(r.gate)
			eventually(func() bool { return r.flooded(count) })
		},
	}
}
