package soak

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
)

// Number of senders: the first half of the sends is sent one at a time, the second half in batches.
const (
	singleSenders = 16
	batchSenders  = 3
	batchStreams  = 5 // conversations of one batch
)

// send starts the senders. Those of batches start first; after one batch each, they wait with the others until the
// client has detected the plural actions. Under full load on a slow machine the first batch might have no reply in
// time, and the client would not use the plural action any more.
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
				b.sendOne(ctx, b.outgoing(n, stream), n)
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
				size := 1 + b.below(b.batch)
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
		ConversationID: b.conversationID(b.conversations + stream),
		RecipientID:    b.userID(stream), Payload: blaze.Text(sendText(n, stream)),
		MessageID: b.givenID(n), Encrypted: b.encrypted(n),
	}
}

// sendAttempt is a send through one process.
type sendAttempt struct {
	*process
	holes uint64
	cuts  int
}

func (b *bot) beginAttempt(p *process) sendAttempt { return sendAttempt{p, holes(b.net), cuts(b.net)} }

// circumstances returns the events that may explain an unconfirmed send.
func (a sendAttempt) circumstances() circumstances {
	return circumstances{
		attempts: a.mode.sendAttempts, cuts: cuts(a.net) - a.cuts,
		hole: holes(a.net) != a.holes || a.stopRequested.Load(),
	}
}

// sendOne sends a message, and sends it again under the same id while it is unconfirmed.
func (b *bot) sendOne(ctx context.Context, out blaze.Outgoing, n int) {
	limit := 24 * time.Hour
	if b.impatient(n) {
		b.record("send canceled early")
		limit = b.within(b.times.poll)
	}
	p := b.nextProcess(ctx, nil)
	for p != nil {
		limited, cancel := context.WithTimeout(ctx, limit)
		a := b.beginAttempt(p)
		got, err := p.client.Send(limited, out)
		cancel()
		resend, id := b.out.sendReturned(n, got, err, a.circumstances())
		if !b.prepareResend(ctx, resend, id, n, &out) {
			return
		}
		limit = 24 * time.Hour
		if errors.Is(err, blaze.ErrClosed) {
			p = b.nextProcess(ctx, p)
		} else {
			p = b.nextProcess(ctx, nil)
		}
	}
}

// prepareResend reports whether to send a message again, and sets its id for that.
func (b *bot) prepareResend(ctx context.Context, resend bool, id string, n int, out *blaze.Outgoing) bool {
	if !resend || ctx.Err() != nil {
		return false
	}
	if id == "" {
		return true
	}
	b.record("send unconfirmed")
	out.MessageID = id
	return !b.rejected(n) // these stay unconfirmed: the server rejects them with 403 and does not store them
}

// sendBatch sends the sends from begin up to end, over several conversations in turn.
func (b *bot) sendBatch(ctx context.Context, begin, end, stream int) {
	var outs []blaze.Outgoing
	for n := begin; n < end; n++ {
		outs = append(outs, b.outgoing(n, stream+n%batchStreams))
	}
	p := b.nextProcess(ctx, nil)
	if p == nil {
		return
	}
	a := b.beginAttempt(p)
	got, err := p.client.SendBatch(ctx, outs...)
	circumstances := a.circumstances()
	errs := make([]error, len(outs))
	var batch *blaze.BatchError
	switch {
	case errors.As(err, &batch) && len(batch.Errs) == len(outs):
		errs = batch.Errs
	case err != nil:
		b.add(SendFailed, "batch: %v", err)
	}
	for i, out := range outs {
		resend, id := b.out.sendReturned(begin+i, got[i], errs[i], circumstances)
		if b.prepareResend(ctx, resend, id, begin+i, &out) {
			b.sendOne(ctx, out, begin+i)
		}
	}
}
