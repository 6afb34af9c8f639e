package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
)

// A full inbox: many times as much as fits.
const (
	inboxBytes = 32 * mib
	fillBytes  = 256 * kib // of one message
	fillCount  = 200
	// mostInbox is half as much again for what handlers hold, and for garbage. The wire needs more beside it.
	mostInbox = inboxBytes*3/2 + inboxBytes*3/8 + 24*mib
)

// fullInboxes fill the inbox in each way in which messages may wait. InboxBytes bounds what they take.
func fullInboxes() []attack {
	words := []byte(strings.Repeat("word ", fillBytes/5))
	live := []byte(`{"width":1,"height":1,"thumb_url":"` + strings.Repeat("t", fillBytes/2) + `","url":"` + strings.Repeat("u", fillBytes/2) + `"}`)
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
		fills("texts that wait for a handler", "PLAIN_TEXT", words, blocked),
		fills("texts whose handler fails", "PLAIN_TEXT", words, failed),
		fills("texts whose handler panics", "PLAIN_TEXT", words, panicked),
		fills("JSON that waits for a handler", "PLAIN_LIVE", live, blocked),
		fills("JSON whose handler fails", "PLAIN_LIVE", live, failed),
		fills("JSON whose handler panics", "PLAIN_LIVE", live, panicked),
		fills("sealed texts that wait for a handler", "ENCRYPTED_TEXT", sealed, blocked),
		fills("sealed texts whose handler fails", "ENCRYPTED_TEXT", sealed, failed),
		fills("unreadable messages that wait for a handler", "PLAIN_IMAGE", words, blocked),
		fills("unknown messages whose handler fails", "PLAIN_HOLOGRAM", words, failed),
	}
	return all
}

// fills returns the attack of users who write more than fits, while the bot does not get on for ten minutes.
func fills(name, category string, payload []byte, handler func(r *run) blaze.Handler) attack {
	return attack{
		name: "a full inbox: " + name, heap: mostInbox, work: 4096 * mib, handler: handler, log: 256 * kib, records: 600,
		config: func(cfg *blaze.Config) { cfg.InboxBytes, cfg.HandlerAttempts = inboxBytes, -1 },
		bytes: func() []byte {
			var b bytes.Buffer
			for i := range fillCount {
				b.Write(stored(pushed(newID(fmt.Sprint("fill", i)), newID(fmt.Sprint("user", i)), category, payload)))
			}
			return b.Bytes()
		},
		outcome: outcome{text: "what waits takes half as much again as InboxBytes at most, and all is acknowledged in the end", check: func(r *run) {
			if !r.flooded(fillCount) {
				r.t.Errorf("not all messages are acknowledged")
			}
		}},
		arm: func(r *run) { r.gate = make(chan struct{}) },
		does: func(r *run) {
			frame := len(r.bytes) / fillCount
			for i := range fillCount {
				r.deliver(newID(fmt.Sprint("fill", i)), r.bytes[i*frame:(i+1)*frame])
			}
			time.Sleep(10 * time.Minute)
			close(r.gate)
			eventually(func() bool { return r.flooded(fillCount) })
		},
	}
}
