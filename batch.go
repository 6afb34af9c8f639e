package blaze

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Bounds of a batch, beside those of a request.
const (
	batchFrames   = 64 // of one SendBatch that are unanswered at once
	batchLinger   = 100 * time.Millisecond
	envelopeBytes = 128 // more than a frame's JSON takes around its messages
)

// SendBatch sends messages, many in a frame where that is possible, and waits until each is confirmed or has failed. Messages
// of one conversation are sent in the order given. The result has the length and order of outs, with a zero Sent where the
// message was not sent; the error is nil or a *[BatchError], whose errors are as those of Send. An invalid message fails
// alone, and so does one that the server refuses. For progress, call it with slices.Chunk.
//
// Plain messages with a RecipientID share frames (CREATE_PLAIN_MESSAGES) of at most 100 messages and 128 KB; everything else
// goes out alone. Encrypted messages share HTTP requests of at most 100 messages and 128 KB; a run of them waits for what is before it
// in outs, and what is behind it waits for them.
func (c *Client) SendBatch(ctx context.Context, outs ...Outgoing) ([]Sent, error) {
	sent, errs := make([]Sent, len(outs)), make([]error, len(outs))
	// What is encrypted takes another way, and must not overtake.
	for from, to := 0, 0; from < len(outs); from = to {
		for to = from; to < len(outs) && outs[to].Encrypted == outs[from].Encrypted; to++ {
			continue
		}
		if outs[from].Encrypted {
			c.sendSealedBatch(ctx, outs[from:to], sent[from:to], errs[from:to])
		} else {
			c.sendPlainBatch(ctx, outs[from:to], sent[from:to], errs[from:to])
		}
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return sent, &BatchError{Errs: errs}
	}
	return sent, nil
}

func (c *Client) sendPlainBatch(ctx context.Context, outs []Outgoing, sent []Sent, errs []error) {
	b := &batch{c: c, sent: sent, errs: errs, threads: make(map[string]*thread)}
	for i, out := range outs {
		b.add(i, out)
	}
	b.run(ctx)
}

// batch is one SendBatch. The goroutine that called it owns everything; requests run on goroutines that it joins.
type batch struct {
	c       *Client
	sent    []Sent
	errs    []error
	threads map[string]*thread
	ready   []*thread // those with messages to send and none under way
	left    int       // messages that have neither been sent nor failed
}

// thread is the messages of one conversation that are still to be sent, in order.
type thread struct{ messages []*parcel }

// parcel is one message on its way.
type parcel struct {
	*draft
	thread *thread
	index  int
	size   int  // of its JSON inside a frame
	alone  bool // goes out as CREATE_MESSAGE
	unsure bool // was written in a frame that ended without an answer

	limited chan error // gets the Limiter's word, once it was asked
	allowed bool       // it has come
	refused error      // and was this
}

// flight is one request on its way, and what came of it.
type flight struct {
	parcels []*parcel
	threads []*thread
	size    int
	began   time.Time
	plural  bool // CREATE_PLAIN_MESSAGES

	singly bool // the frame was refused as such: its messages are to be sent one by one
	unsure bool
	errs   []error // of each parcel
}

// plainParams are the params of CREATE_PLAIN_MESSAGES.
type plainParams []*parcel

// SizeJSON implements [wire.Params].
func (p plainParams) SizeJSON() int {
	size := len(`{"messages":[]}`)
	for _, message := range p {
		size += message.size
	}
	return size
}

// AppendJSON implements [wire.Params].
func (p plainParams) AppendJSON(b []byte) []byte {
	return wire.AppendEnd(wire.AppendList(append(b, '{'), "messages", p, appendPlain), '}')
}

// appendPlain appends one message, in the order of the protocol's sample.
func appendPlain(b []byte, p *parcel) []byte {
	b = wire.AppendField(append(b, '{'), "conversation_id", p.ConversationID)
	b = wire.AppendField(b, "recipient_id", p.RecipientID)
	b = wire.AppendField(b, "message_id", p.MessageID)
	b = wire.AppendOptional(b, "representative_id", p.RepresentativeID)
	b = wire.AppendOptional(b, "quote_message_id", p.QuoteID)
	b = wire.AppendField(b, "category", string(p.Category))
	return wire.AppendEnd(wire.AppendData(b, "data", p.Data), '}')
}

// add validates one message and puts it into its conversation's thread.
func (b *batch) add(i int, out Outgoing) {
	d, err := out.draft()
	if err == nil && d.MessageID == "" {
		d.MessageID, err = wire.NewID()
	}
	if err != nil {
		b.errs[i] = err
		return
	}
	t := b.threads[d.ConversationID]
	if t == nil {
		t = new(thread)
		b.threads[d.ConversationID] = t
		b.ready = append(b.ready, t)
	}
	p := &parcel{draft: d, thread: t, index: i, size: d.plainSize()}
	p.alone = !d.plain || p.size+envelopeBytes > batchBytes
	t.messages = append(t.messages, p)
	b.left++
}

// plainSize returns how many bytes of JSON the message takes inside a frame, or a few more. None of its values, checked as
// they are, needs escaping.
func (d *draft) plainSize() int {
	return len(`{"conversation_id":"","recipient_id":"","message_id":"","representative_id":"","quote_message_id":"","category":"","data":""},`) +
		len(d.ConversationID) + len(d.RecipientID) + len(d.MessageID) + len(d.RepresentativeID) + len(d.QuoteID) + len(d.Category) +
		base64.StdEncoding.EncodedLen(len(d.Data))
}

// run sends frames as long as there are conversations with nothing under way, and waits for the others.
func (b *batch) run(ctx context.Context) {
	landed := make(chan *flight)
	flying := 0
	for b.left > 0 {
		for len(b.ready) > 0 && flying < batchFrames {
			if f := b.pack(ctx); len(f.parcels) > 0 {
				flying++
				go func() { // ends with the receive below, which comes once for each
					f.fly(ctx, b.c)
					landed <- f
				}()
			}
		}
		if flying > 0 {
			b.land(<-landed)
			flying--
		}
	}
}

// pack takes the next frame's messages from the threads that are ready. A thread that gave one is not ready again until the
// frame has ended, so that no two requests hold messages of one conversation at the same time.
func (b *batch) pack(ctx context.Context) *flight {
	f := &flight{began: time.Now(), size: envelopeBytes}
	for len(b.ready) > 0 {
		t := b.ready[0]
		before := len(f.parcels)
		for len(t.messages) > 0 && f.takes(t.messages[0], b.c.batches.Usable()) && b.limit(ctx, f, t.messages[0]) {
			p := t.messages[0]
			t.messages = t.messages[1:]
			if p.refused != nil {
				b.ended(p, p.refused)
				continue
			}
			f.parcels = append(f.parcels, p)
			f.size += p.size
		}
		if len(f.parcels) > before {
			//mutant:batch-thread
			f.threads = append(f.threads, t)
		} else if len(t.messages) > 0 {
			break // for the next frame
		}
		b.ready = b.ready[1:]
	}
	return f
}

// takes reports whether p fits into f. The first message of a frame always does, and decides which action it is.
func (f *flight) takes(p *parcel, usable bool) bool {
	single := p.alone || !usable
	if len(f.parcels) == 0 {
		f.plural = !single
		return true
	}
	// While a slow Limiter lets one message through after the other, those that it did are not kept waiting.
	return f.plural && !single && len(f.parcels) < batchMessages && f.size+p.size <= batchBytes && time.Since(f.began) < batchLinger
}

// fly makes the request and waits for its end.
func (f *flight) fly(ctx context.Context, c *Client) {
	f.errs = make([]error, len(f.parcels))
	if !f.plural {
		p := f.parcels[0]
		o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &p.messageParams})
		o.Unconfirmed = o.Unconfirmed || p.unsure
		f.errs[0] = c.sendError(o, wire.ActionCreateMessage, p.MessageID)
		return
	}
	// Compressed, the frames would be a quarter as long, and of 849,000 messages a second 381,000 would be left (make bench,
	// two cores, with the server's share): SendBatch is for many messages.
	o := c.do(ctx, engine.Request{
		Action: wire.ActionCreatePlain, Params: plainParams(f.parcels), Store: true, Attempts: c.batches.Attempts(),
	})
	// A frame that was rejected for a transient reason, as often as that is allowed, would fare no better message by message.
	if c.batches.Observe(o) {
		//mutant:batch-singly
		f.singly, f.unsure = true, o.Unconfirmed
		return
	}
	for i, p := range f.parcels {
		f.errs[i] = c.sendError(o, wire.ActionCreatePlain, p.MessageID)
	}
}

// land takes the outcome of a frame, and makes its conversations ready again.
func (b *batch) land(f *flight) {
	for i, p := range slices.Backward(f.parcels) {
		if f.singly {
			b.c.observer.Observe(engine.Event{Kind: messageResent})
			//mutant:batch-alone
			p.alone, p.unsure = true, p.unsure || f.unsure
			p.thread.messages = slices.Insert(p.thread.messages, 0, p)
		} else {
			b.ended(p, f.errs[i])
		}
	}
	for _, t := range f.threads {
		if len(t.messages) > 0 {
			b.ready = append(b.ready, t)
		}
	}
}

// limit waits for the Limiter, once for each message, and reports whether it has had its word. While f has messages that it
// let through, it is not waited for long.
func (b *batch) limit(ctx context.Context, f *flight, p *parcel) bool {
	if p.allowed || b.c.cfg.Limiter == nil {
		return true
	}
	if p.limited == nil {
		p.limited = make(chan error, 1)
		go func() { p.limited <- b.c.limit(ctx) }() // its word is taken below, sooner or later
	}
	var late <-chan time.Time
	if len(f.parcels) > 0 {
		t := time.NewTimer(batchLinger - time.Since(f.began))
		defer t.Stop()
		late = t.C
	}
	select {
	case p.refused = <-p.limited:
		p.allowed = true
	case <-late:
	}
	return p.allowed
}

func (b *batch) ended(p *parcel, err error) {
	b.left--
	if b.errs[p.index] = err; err == nil {
		b.c.observer.Observe(engine.Event{Kind: messageSent})
		b.sent[p.index] = Sent{MessageID: p.MessageID, ConversationID: p.ConversationID}
	}
}
