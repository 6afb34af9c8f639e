package soak

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
)

// Who sends: the first half of the sends one at a time, the second half in batches.
const (
	singleSenders = 16
	batchSenders  = 3
	batchStreams  = 5 // conversations of one batch
)

// send starts the senders: first those of batches, and the others once the client knows whether the server takes
// batches. It gives up a first batch that is not answered in time, as it may not be when everything begins at once on
// a slow machine.
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
		MessageID: b.givenID(n), Encrypted: b.sealed(n),
	}
}

// attempt is a send through one process.
type attempt struct {
	*process
	holes uint64
	cuts  int
}

func (b *bot) begin(p *process) attempt { return attempt{p, holes(b.net), cuts(b.net)} }

// circumstances returns what may explain that nothing was confirmed.
func (a attempt) circumstances() circumstances {
	return circumstances{
		attempts: a.mode.sendAttempts, hole: holes(a.net) != a.holes || a.told.Load(), cuts: cuts(a.net) - a.cuts,
	}
}

// sendOne sends, and sends again under the same id as long as nobody knows whether it was stored.
func (b *bot) sendOne(ctx context.Context, out blaze.Outgoing, n int) {
	limit := 24 * time.Hour
	if b.impatient(n) {
		b.note("send given up early")
		limit = b.within(b.times.look)
	}
	p := b.next(ctx, nil)
	for p != nil {
		hurried, cancel := context.WithTimeout(ctx, limit)
		a := b.begin(p)
		got, err := p.client.Send(hurried, out)
		cancel()
		again, id := b.out.sentBack(n, got, err, a.circumstances())
		if !b.again(ctx, again, id, n, &out) {
			return
		}
		limit = 24 * time.Hour
		if errors.Is(err, blaze.ErrClosed) {
			p = b.next(ctx, p)
		} else {
			p = b.next(ctx, nil)
		}
	}
}

// again says whether a send is to be tried again, under which id.
func (b *bot) again(ctx context.Context, again bool, id string, n int, out *blaze.Outgoing) bool {
	if !again || ctx.Err() != nil {
		return false
	}
	if id == "" {
		return true
	}
	b.note("send unconfirmed")
	out.MessageID = id
	return !b.refused(n) // of these it stays unknown: the server answers what it did not store with 403
}

// sendBatch sends numbers begin to end, over some conversations in turn.
func (b *bot) sendBatch(ctx context.Context, begin, end, stream int) {
	var outs []blaze.Outgoing
	for n := begin; n < end; n++ {
		outs = append(outs, b.outgoing(n, stream+n%batchStreams))
	}
	p := b.next(ctx, nil)
	if p == nil {
		return
	}
	a := b.begin(p)
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
		again, id := b.out.sentBack(begin+i, got[i], errs[i], circumstances)
		if b.again(ctx, again, id, begin+i, &out) {
			b.sendOne(ctx, out, begin+i)
		}
	}
}
