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

// A full inbox. Messages that failed give way to others, so as many of them as fit hold most.
const (
	inboxBytes  = 8 * mib
	fillBytes   = 128 * kib // of one message
	overfull    = 128       // messages: twice as many as fit
	justFull    = 60        // sealed ones are a little longer
	mostInbox   = inboxBytes * 3 / 2
	serverHolds = 40 + 48 // bytes for a message: its push, and its id
)

// fullInboxes fill the inbox in each way in which messages may wait. InboxBytes bounds what they take.
func fullInboxes() []attack {
	words := []byte(strings.Repeat("word ", fillBytes/5))
	live := []byte(`{"width":1,"height":1,"thumb_url":"` + strings.Repeat("t", fillBytes/2) + `","url":"` +
		strings.Repeat("u", fillBytes/2) + `"}`)
	sealed := sealedForBot(alice, words)
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
		fills("texts that wait for a handler", "PLAIN_TEXT", words, overfull, blocked),
		fills("texts whose handler fails", "PLAIN_TEXT", words, justFull, failed),
		fills("more texts than fit, whose handler fails", "PLAIN_TEXT", words, overfull, failed),
		fills("as many texts as fit, that wait", "PLAIN_TEXT", words, justFull, blocked),
		fills("small texts that wait", "PLAIN_TEXT", words[:5], 20_000, blocked),
		fills("small texts whose handler fails", "PLAIN_TEXT", words[:5], 7500, failed),
		fills("small texts whose handler panics", "PLAIN_TEXT", words[:5], 2000, panicked),
		fills("texts whose handler panics", "PLAIN_TEXT", words, justFull, panicked),
		fills("JSON that waits for a handler", "PLAIN_LIVE", live, overfull, blocked),
		fills("JSON whose handler fails", "PLAIN_LIVE", live, justFull, failed),
		fills("JSON whose handler panics", "PLAIN_LIVE", live, justFull, panicked),
		fills("sealed texts that wait for a handler", "ENCRYPTED_TEXT", sealed, overfull, blocked),
		fills("sealed texts whose handler fails", "ENCRYPTED_TEXT", sealed, justFull, failed),
		fills("unreadable messages that wait for a handler", "PLAIN_IMAGE", words, overfull, blocked),
		fills("unknown messages whose handler fails", "PLAIN_HOLOGRAM", words, justFull, failed),
	}
	received := func(cfg *blaze.Config) { cfg.Ack = blaze.AckReceived }
	for _, a := range []attack{
		fills("texts acknowledged before they fail", "PLAIN_TEXT", words, justFull, failed),
		fills("JSON acknowledged before its handler panics", "PLAIN_LIVE", live, justFull, panicked),
	} {
		configure := a.config
		a.config = func(cfg *blaze.Config) { configure(cfg); received(cfg) }
		all = append(all, a)
	}
	return all
}

// fills returns the attack of users who write more than fits, while the bot does not get on for two minutes. Garbage
// and the wire need room beside what is held.
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
			text: "at most 1.5 times InboxBytes are held, and all is acknowledged in the end",
			check: func(r *run) {
				if r.written > mostInbox {
					r.t.Errorf("%d bytes are held, and InboxBytes is %d", r.written, inboxBytes)
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
			r.written = r.meter.live() - int64(count)*serverHolds
			close(r.gate)
			eventually(func() bool { return r.flooded(count) })
		},
	}
}
