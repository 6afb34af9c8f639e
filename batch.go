package blaze

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Bounds of a batch, in addition to those of a request.
const (
	batchFrames   = 64 // unanswered frames of one SendBatch
	batchPosts    = 16 // unanswered HTTP requests of one SendBatch; newHTTPClient keeps as many idle connections
	batchLinger   = 100 * time.Millisecond
	envelopeBytes = 128 // upper bound of a frame's JSON around its messages
)

// SendBatch sends messages, several per request where possible, and waits until each is confirmed or has failed.
// Encrypted and plain messages of one conversation are sent in the order given. The result has one Sent for each of
// outs, in the same order. The Sent of a message with an error is zero.
//
// The error is nil or a *[BatchError], with an error like those of Send for each message that failed. An invalid
// message, or one that the server rejects, does not affect the others. A MessageID may occur once: a second message
// with it is an [InvalidError]. To report progress, call SendBatch for each chunk of [slices.Chunk].
//
// PLAIN_ messages with a RecipientID share frames (CREATE_PLAIN_MESSAGES) of at most 100 messages and 128 KiB, unless
// they have Silent, ExpireIn or Mentions. Of quotes, only Text and Post share frames. Encrypted messages share HTTP
// requests with the same limits; if a firewall or gateway rejects such a request, its messages are sent in smaller
// ones. All other messages are sent in a frame of their own.
func (c *Client) SendBatch(ctx context.Context, outs ...Outgoing) ([]Sent, error) {
	b := newBatch(c, outs)
	b.run(ctx)
	return b.results()
}

// batch is one call of SendBatch. The calling goroutine owns all state. Requests and the Limiter's Wait run on
// goroutines that it joins.
type batch struct {
	c     *Client
	items []*item          // one for each message
	lanes map[string]*lane // by conversation
	ready [ways]fifo.Queue[*lane]
	last  way // of the latest request
	left  int // items in progress

	// State of the Limiter's calls; without a Limiter, all items are allowed at once:
	next    int        // item of the next Wait; len(items) if no more follow
	asking  bool       // Wait is running
	waiting int        // items allowed and not in a request yet
	allowed chan error // receives the result of Wait

	frames, posts int           // unanswered requests
	ended         chan *request // receives finished requests
}

// lane holds the items of one conversation that are allowed and not in a request yet, in order.
type lane struct {
	items []*item
	taken bool // it is in a ready queue, or some of its items are in a request
}

// request holds the items that are sent together.
type request struct {
	way   way
	items []*item
	lanes []*lane
	size  int
	most  int // maximum number of items
}

func newBatch(c *Client, outs []Outgoing) *batch {
	b := &batch{
		c: c, items: make([]*item, len(outs)), lanes: make(map[string]*lane),
		allowed: make(chan error), ended: make(chan *request),
	}
	given := make(map[string]bool) // message ids
	for i, out := range outs {
		m := new(item)
		b.items[i] = m
		if m.prepared, m.err = c.prepare(&out); m.err != nil {
			continue
		}
		if id := m.MessageID; id != "" {
			//mutant:batch-given-id
			if given[id] {
				m.err = invalid("Outgoing.MessageID",
					"%s is given twice in one batch, and the service stores an id once: give each message its own", id)
				continue
			}
			given[id] = true
		} else if m.MessageID, m.err = wire.NewID(); m.err != nil {
			continue
		}
		m.measure()
		b.left++
		if c.cfg.Limiter == nil {
			b.place(m)
		}
	}
	if c.cfg.Limiter == nil {
		b.next = len(b.items)
	}
	return b
}

// measure sets the size of m. A plain message that fills a frame is sent alone.
func (m *item) measure() {
	switch m.way { //nolint:exhaustive // one that goes alone is not packed
	case sealed:
		m.size = sealedSize(len(m.Data))
	case plain:
		if m.size = m.plainSize(); m.size+envelopeBytes > batchBytes {
			m.way = single
		}
	}
}

// place appends an allowed item to the queue of its conversation.
func (b *batch) place(m *item) {
	t := b.lanes[m.ConversationID]
	if t == nil {
		t = new(lane)
		b.lanes[m.ConversationID] = t
	}
	t.items = append(t.items, m)
	b.waiting++
	if !t.taken {
		b.enqueue(t)
	}
}

// enqueue makes a lane ready for a request of its first item's way. It ignores an empty lane.
func (b *batch) enqueue(t *lane) {
	if t.taken = len(t.items) > 0; t.taken {
		b.ready[t.items[0].way].Push(t)
	}
}

// run makes requests until every item has finished.
func (b *batch) run(ctx context.Context) {
	linger := time.NewTimer(batchLinger)
	defer linger.Stop()
	for b.left > 0 {
		b.ask(ctx)
		b.dispatch(ctx, linger)
		select {
		case err := <-b.allowed:
			b.waited(err)
		case r := <-b.ended:
			b.complete(r)
		case <-linger.C:
		}
	}
}

// ask starts the Limiter's Wait for the next item, unless it is running or a request could be filled already.
func (b *batch) ask(ctx context.Context) {
	for b.next < len(b.items) && b.items[b.next].err != nil {
		b.next++
	}
	if b.asking || b.next == len(b.items) || b.waiting >= batchMessages {
		return
	}
	b.asking = true
	//mutant:limit-batch
	go guard.Call(func() error { return b.c.limit(ctx) }, func(err error) {
		b.allowed <- err // run receives it, because the item has not finished
	})
}

// waited handles the result of the Limiter's Wait for the next item.
func (b *batch) waited(err error) {
	m := b.items[b.next]
	b.next++
	b.asking = false
	if err != nil {
		b.end(m, err)
		return
	}
	m.allowed = time.Now()
	b.place(m)
}

// dispatch makes the requests that are due and sets linger to the time of the next one.
func (b *batch) dispatch(ctx context.Context, linger *time.Timer) {
	now := time.Now()
	w, wait := b.due(now)
	for ; wait == 0; w, wait = b.due(now) {
		r := b.pack(w)
		b.open(w, 1)
		//mutant:batch-guard
		go guard.Call(func() error { b.c.send(ctx, r); return nil }, func(err error) {
			r.failed(err)
			b.ended <- r // run receives it, because its items have not finished
		})
	}
	if wait > 0 {
		linger.Reset(wait)
	}
}

// open adds n to the number of unanswered requests: HTTP requests if w is sealed, otherwise frames.
func (b *batch) open(w way, n int) {
	if w == sealed {
		b.posts += n
	} else {
		b.frames += n
	}
}

// full reports whether no further request of a way may be made: as many HTTP requests or frames are unanswered as
// allowed.
func (b *batch) full(w way) bool {
	if w == sealed {
		return b.posts == batchPosts
	}
	return b.frames == batchFrames
}

// due returns the way of the next request, and how long to wait before making it. A negative time means that no request
// may be made. The ways take turns. While a slow Limiter allows one item at a time, a request waits batchLinger for
// more.
func (b *batch) due(now time.Time) (way, time.Duration) {
	next, shortest := single, time.Duration(-1)
	for i := range ways {
		w := (b.last + 1 + i) % ways
		if b.ready[w].Len() == 0 || b.full(w) {
			continue
		}
		if b.next == len(b.items) || b.waiting >= batchMessages {
			return w, 0
		}
		//mutant:batch-linger
		wait := max(0, batchLinger-now.Sub(b.ready[w].All()[0].items[0].allowed))
		if shortest < 0 || wait < shortest {
			next, shortest = w, wait
		}
	}
	return next, shortest
}

// pack takes the items of the next request from the ready lanes. A lane that contributed is not ready again until the
// request has finished. So no two concurrent requests contain items of one conversation.
func (b *batch) pack(w way) *request {
	b.last = w
	r := &request{way: w, size: envelopeBytes, most: b.most(w)}
	if r.most == 1 && w == plain {
		r.way = single
	}
	for b.ready[w].Len() > 0 && len(r.items) < r.most {
		t := b.ready[w].All()[0]
		before := len(r.items)
		for len(t.items) > 0 && t.items[0].way == w && r.fits(t.items[0]) {
			r.add(t.items[0])
			t.items = t.items[1:]
		}
		if len(r.items) == before {
			break // for the next request
		}
		b.ready[w].Pop()
		//mutant:batch-lane
		r.lanes = append(r.lanes, t)
	}
	b.waiting -= len(r.items)
	return r
}

// most returns the maximum number of items in a request.
func (b *batch) most(w way) int {
	switch w { //nolint:exhaustive // the end of the function is for the others
	case single:
		return 1
	case plain:
		return b.c.engine.Plain().Take(batchMessages)
	}
	return batchMessages
}

// failed records an error of user code that ended the request, such as a panic in a method of the caller's context. The
// items that have not finished may have been sent.
func (r *request) failed(err error) {
	if err == nil {
		return
	}
	for _, m := range r.items {
		if m.err == nil {
			m.err = &UnconfirmedError{MessageID: m.MessageID, Err: err}
		}
	}
}

// fits reports whether r has capacity for m. The first item always fits.
func (r *request) fits(m *item) bool {
	n := len(r.items)
	return n == 0 || n < r.most && (m.most == 0 || n < m.most) && r.size+m.size <= batchBytes
}

func (r *request) add(m *item) {
	r.items = append(r.items, m)
	r.size += m.size
	if m.most > 0 {
		r.most = min(r.most, m.most)
	}
}

// complete processes a finished request and makes its conversations ready again. Items that must be sent again in a
// smaller request go to the front of their conversation.
func (b *batch) complete(r *request) {
	b.open(r.way, -1)
	back := make(map[string][]*item)
	for _, m := range r.items {
		if !m.again {
			b.end(m, m.err)
			continue
		}
		if m.way == r.way { // otherwise it is sent unencrypted now
			//mutant:denied-halves
			m.most = max(len(r.items)/2, 1)
		}
		m.again, m.changed = false, false
		back[m.ConversationID] = append(back[m.ConversationID], m)
		b.waiting++
	}
	for id, items := range back {
		t := b.lanes[id]
		t.items = append(items, t.items...)
	}
	for _, t := range r.lanes {
		b.enqueue(t)
	}
}

func (b *batch) end(m *item, err error) {
	b.left--
	if m.err = m.keepUnconfirmed(err); err == nil {
		b.c.observer.Observe(engine.Event{Kind: messageSent})
	}
}

// results returns the results of SendBatch.
func (b *batch) results() ([]Sent, error) {
	sent, errs := make([]Sent, len(b.items)), make([]error, len(b.items))
	failed := false
	for i, m := range b.items {
		if m.err != nil {
			errs[i], failed = m.err, true
			continue
		}
		sent[i] = Sent{MessageID: m.MessageID, ConversationID: m.ConversationID}
	}
	if failed {
		return sent, &BatchError{Errs: errs}
	}
	return sent, nil
}

// send makes a request and waits until it has finished.
func (c *Client) send(ctx context.Context, r *request) {
	switch r.way {
	case sealed:
		c.sendSealed(ctx, r.items)
		for _, m := range r.items {
			//mutant:plain-batch
			if m.again = m.again || c.asPlain(m); m.way != sealed {
				m.measure()
			}
		}
	case plain:
		c.sendPlain(ctx, r.items)
	default:
		c.sendSingle(ctx, r.items[0])
	}
}

// sendPlain sends items in one frame, CREATE_PLAIN_MESSAGES. If the service does not accept it, each item is sent in a
// frame of its own.
func (c *Client) sendPlain(ctx context.Context, items []*item) {
	// Not compressed: compression would more than halve the throughput. See docs/decisions/3-stored-batches.md.
	var o outbox.Outcome
	defer func() { c.engine.Plain().Observe(o) }() // deferred, because a method of ctx may end this goroutine
	//mutant:batch-split
	o = c.do(ctx, engine.Request{
		Action: wire.ActionCreatePlain, Params: plainParams(items), Store: true,
		Split: func() []engine.Part { return singly(items) },
	})
	for i, m := range items {
		if o.Parts == nil {
			m.err = c.sendError(o, wire.ActionCreatePlain, m.MessageID)
		} else {
			m.err = c.sendError(o.Parts[i], wire.ActionCreateMessage, m.MessageID)
		}
	}
}

// singly returns a request for each item. Those of one conversation are sent in order, one at a time.
func singly(items []*item) []engine.Part {
	parts := make([]engine.Part, len(items))
	for i, m := range items {
		//mutant:batch-singly
		parts[i] = engine.Part{Action: wire.ActionCreateMessage, Params: &m.messageParams, Order: m.ConversationID}
	}
	return parts
}

// plainParams are the params of CREATE_PLAIN_MESSAGES.
type plainParams []*item

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

// appendPlain appends one message, with the fields in the order of the protocol's sample.
func appendPlain(b []byte, m *item) []byte {
	b = wire.AppendField(append(b, '{'), "conversation_id", m.ConversationID)
	b = wire.AppendField(b, "recipient_id", m.RecipientID)
	b = wire.AppendField(b, "message_id", m.MessageID)
	b = wire.AppendOptional(b, "representative_id", m.RepresentativeID)
	b = wire.AppendOptional(b, "quote_message_id", m.QuoteID)
	b = wire.AppendField(b, "category", string(m.Category))
	return wire.AppendEnd(wire.AppendData(b, "data", m.Data), '}')
}

// plainSize returns an upper bound of the message's JSON in a frame, at most 46 bytes too large. None of its validated
// values needs escaping.
func (d *prepared) plainSize() int {
	const keys = len(`{"conversation_id":"","recipient_id":"","message_id":"","representative_id":"",` +
		`"quote_message_id":"","category":"","data":""},`)
	return keys + len(d.ConversationID) + len(d.RecipientID) + len(d.MessageID) + len(d.RepresentativeID) +
		len(d.QuoteID) + len(d.Category) + base64.StdEncoding.EncodedLen(len(d.Data))
}
