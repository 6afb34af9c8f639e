package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
)

// bot is a client of the library, and what a user does with one.
type bot struct {
	script
	*verdicts
	*luck
	in  *inboundOracle
	out *outboundOracle

	client  *blaze.Client
	dropped atomic.Int64 // by the client, as it says itself
	failed  atomic.Int64
	senders sync.WaitGroup
}

// errOnPurpose is what handlers fail with.
var errOnPurpose = errors.New("failed on purpose")

// connect makes the client. The timing is what its Config allows: replies are given up as early as a loaded machine permits.
func (b *bot) connect(addr string, o Options) error {
	key := blaze.Keystore{AppID: b.botID(), SessionID: b.userID(0), SessionPrivateKey: strings.Repeat("5e", 32)}
	drain := 30 * time.Second
	if o.FailFast {
		drain = time.Second
	}
	client, err := blaze.New(key, &blaze.Config{
		Endpoints:    []string{"ws://" + addr},
		Proxy:        func(*http.Request) (*url.URL, error) { return nil, nil },
		Logger:       slog.New(slog.DiscardHandler),
		InboxBytes:   o.InboxBytes,
		OutboxLen:    256,
		ReplyTimeout: o.ReplyTimeout,
		Drain:        drain,
		OnReceipt:    b.receipt,
		Trace: &blaze.Trace{
			HandlerError: func(*blaze.Message, error) { b.failed.Add(1) },
			Dropped:      func(*blaze.Message, error) { b.dropped.Add(1) },
		},
	})
	b.client = client
	return err
}

func (b *bot) receipt(r blaze.Receipt) {
	b.out.receipt(r.MessageID)
	runtime.Gosched() // another one, if there could be one, may come in here
	b.out.receiptDone()
}

// handle does what the script says about a message. The last thing it does is to tell the oracle how that ended.
func (b *bot) handle(ctx context.Context, m *blaze.Message) error {
	n := b.message(m.ID)
	b.in.began(n, m.Attempt)
	if n < 0 {
		return nil
	}
	how, err := failure, error(nil)
	defer func() { b.in.over(n, how) }() // also when it panics or exits
	if text, ok := m.Payload.(blaze.Text); !ok || string(text) != b.text(n) || m.ConversationID != b.conversationID(b.conversation(n)) {
		b.add(Protocol, "message %d arrived changed", n)
	}
	how, err = b.act(ctx, m, n)
	return err
}

func (b *bot) act(ctx context.Context, m *blaze.Message, n int) (outcome, error) {
	k := b.kind(n)
	first := m.Attempt == 1
	switch {
	case k == slow || k == lazy:
		b.note("handler slow")
		wait(ctx, b.wait(n))
	case k == declined:
		b.note("handler declined")
		return decline, blaze.ErrNotHandled
	case k == dropped:
		b.note("handler gave up")
		return drop, fmt.Errorf("%w: on purpose", blaze.ErrDrop)
	case k == panicking && first:
		b.note("handler panicked")
		panic(errOnPurpose) //nolint:forbidigo // what a user's handler may do
	case k == exiting && first:
		b.note("handler exited")
		runtime.Goexit()
	}
	for said := range k.answers() {
		if err := b.client.Reply(ctx, m, blaze.Text(replyText(n))); err != nil {
			return failure, fmt.Errorf("reply: %w", err)
		}
		b.out.replied(n, said+1)
	}
	if k == failing && first {
		b.note("handler failed")
		return failure, errOnPurpose
	}
	return success, nil
}

// wait returns when d is over or ctx has ended.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Who sends: the first half of the sends one at a time, the second half in batches.
const (
	singleSenders = 16
	batchSenders  = 3
	batchStreams  = 5  // conversations of one batch
	mostBatch     = 60 // messages of one batch
)

// send starts the senders: first those of batches, and the others once the client knows whether the server takes batches. It
// gives up a first batch that is not answered in time, as it may not be when everything begins at once on a slow machine.
func (b *bot) send(ctx context.Context, known <-chan struct{}) {
	half := b.sends / 2
	var single, batched atomic.Int64
	batched.Store(int64(half))
	for stream := range singleSenders {
		b.senders.Go(func() {
			select {
			case <-known:
			case <-ctx.Done():
			}
			for n := int(single.Add(1)) - 1; n < half && ctx.Err() == nil; n = int(single.Add(1)) - 1 {
				b.sendOne(ctx, n, stream)
			}
		})
	}
	for sender := range batchSenders {
		b.senders.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				if round == 1 {
					select {
					case <-known:
					case <-ctx.Done():
					}
				}
				size := 1 + b.below(mostBatch)
				end := int(batched.Add(int64(size)))
				begin := end - size
				if begin >= b.sends {
					return
				}
				b.sendBatch(ctx, begin, min(end, b.sends), singleSenders+sender*batchStreams)
			}
		})
	}
}

func (b *bot) outgoing(n, stream int) blaze.Outgoing {
	return blaze.Outgoing{
		ConversationID: b.conversationID(b.conversations + stream), RecipientID: b.userID(stream), Payload: blaze.Text(sendText(n, stream)),
		MessageID: b.givenID(n),
	}
}

// sendOne sends, and sends again under the same id as long as nobody knows whether it was stored.
func (b *bot) sendOne(ctx context.Context, n, stream int) {
	out := b.outgoing(n, stream)
	limit := 24 * time.Hour
	if b.impatient(n) {
		b.note("send given up early")
		limit = time.Duration(b.below(int(20 * time.Millisecond)))
	}
	for {
		hurried, cancel := context.WithTimeout(ctx, limit)
		got, err := b.client.Send(hurried, out)
		cancel()
		if out.MessageID = b.out.sentBack(n, got, err); out.MessageID == "" || ctx.Err() != nil {
			return
		}
		b.note("send unconfirmed")
		if b.refused(n) {
			return // it stays unknown: the server answers what it did not store with 403
		}
		limit = 24 * time.Hour
	}
}

// sendBatch sends numbers begin to end, over some conversations in turn.
func (b *bot) sendBatch(ctx context.Context, begin, end, stream int) {
	var outs []blaze.Outgoing
	for n := begin; n < end; n++ {
		outs = append(outs, b.outgoing(n, stream+n%batchStreams))
	}
	got, err := b.client.SendBatch(ctx, outs...)
	errs := make([]error, len(outs))
	var batch *blaze.BatchError
	switch {
	case errors.As(err, &batch) && len(batch.Errs) == len(outs):
		errs = batch.Errs
	case err != nil:
		b.add(SendFailed, "batch: %v", err)
	}
	for i, out := range outs {
		out.MessageID = b.out.sentBack(begin+i, got[i], errs[i])
		if out.MessageID != "" && !b.refused(begin+i) {
			b.note("send unconfirmed")
			again, err := b.client.Send(ctx, out)
			b.out.sentBack(begin+i, again, err)
		}
	}
}
