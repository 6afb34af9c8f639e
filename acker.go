package blaze

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// acker acknowledges handled messages, many in a frame. Its goroutine lives while acknowledgements wait to be written;
// those that were written live in the outbox, across links, until they are confirmed.
type acker struct {
	c      *Client
	plural plural
	slots  chan struct{} // one for each unanswered frame
	kick   chan struct{} // a full frame, or hurry
	stop   chan struct{}
	ended  sync.WaitGroup

	mu      sync.Mutex
	queue   fifo.Queue[string]
	alone   fifo.Queue[string] // ids of refused frames, to go out one by one
	waiting int                // ids that are not confirmed, written ones and those of Client.Ack included
	running bool
	rush    bool // do not wait for full frames
	sealed  bool // takes nothing from Client.Ack any more
	closed  bool
	idlers  []chan struct{}
}

func newAcker(c *Client) *acker {
	return &acker{c: c, slots: make(chan struct{}, ackFrames), kick: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add acknowledges a message soon. The inbox holds its id until that is confirmed. add never blocks.
func (a *acker) add(id string) {
	a.c.inbox.Hold(id)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue.Push(id)
	a.waiting++
	a.startLocked()
	if a.queue.Len() >= a.full() {
		a.wake()
	}
}

// full returns how many ids fill a frame: without the plural action there is nothing to wait for after the first.
func (a *acker) full() int {
	if !a.plural.usable() {
		return 1
	}
	return a.c.cfg.AckBatch
}

func (a *acker) startLocked() {
	if !a.running && !a.closed {
		a.running = true
		a.ended.Add(1)
		go a.run()
	}
}

func (a *acker) wake() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// run writes frames until nothing waits.
func (a *acker) run() {
	defer a.ended.Done()
	for a.gather() {
		select {
		case a.slots <- struct{}{}:
		case <-a.stop:
			return
		}
		a.send(a.take())
	}
}

// gather waits until there is a frame worth writing. It returns false, and the goroutine ends, when nothing waits.
func (a *acker) gather() bool {
	t := time.NewTimer(ackDelay)
	defer t.Stop()
	for {
		a.mu.Lock()
		if a.closed || a.queue.Len()+a.alone.Len() == 0 {
			a.running = false
			a.mu.Unlock()
			return false
		}
		worth := a.rush || a.alone.Len() > 0 || a.queue.Len() >= a.full()
		a.mu.Unlock()
		if worth {
			return true
		}
		select {
		case <-a.kick:
		case <-t.C:
			return true
		case <-a.stop:
		}
	}
}

// take returns the ids of the next frame.
func (a *acker) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.alone.Len() > 0 {
		return cut(&a.alone, 1)
	}
	return cut(&a.queue, a.full())
}

// cut takes the first n off a queue.
func cut(queue *fifo.Queue[string], n int) []string {
	n = min(n, queue.Len())
	ids := slices.Clone(queue.All()[:n])
	queue.Drop(n)
	return ids
}

// send hands a frame to the outbox, which tells settle how it ended.
func (a *acker) send(ids []string) {
	r, err := ackRequest(a.c.cfg.AckStatus, ids)
	if err != nil {
		a.settle(ids, outbox.Outcome{Err: err})
		return
	}
	r.Attempts = a.tries(ids)
	a.c.outbox.Go(r, func(o outbox.Outcome) { a.settle(ids, o) })
}

// tries is how often a frame is written without an answer; 0: any number. After that, several ids go out one by one, and one is
// forgotten.
func (a *acker) tries(ids []string) int {
	if n := a.plural.tries(); len(ids) > 1 && n > 0 {
		return n
	}
	return max(a.c.cfg.SendAttempts, 0)
}

// failed reports whether the ids of a frame are to go out one by one: where plural says so, and also where the server was too
// busy for it until its tries were used up.
func (a *acker) failed(ids []string, o outbox.Outcome) bool {
	return len(ids) > 1 && (a.plural.heard(o) || o.Kind == outbox.TransientExhausted)
}

// settle hears how a frame ended. It is called by whoever ended it and does not block.
func (a *acker) settle(ids []string, o outbox.Outcome) {
	a.leave()
	switch {
	case a.failed(ids, o):
		a.again(ids)
		return
	case o.Kind == outbox.Confirmed:
		a.c.stats.acked.Add(uint64(len(ids)))
	case o.Kind != outbox.Unanswered:
		a.c.cfg.Logger.Warn("blaze: acknowledgement refused", "messages", len(ids), "error", newError(o.Rejection, wire.ActionAck, ids[0]))
		a.c.stats.acksForgotten.Add(uint64(len(ids)))
	case errors.Is(o.Err, outbox.ErrNoReply):
		a.c.cfg.Logger.Warn("blaze: acknowledgement not answered", "message", ids[0])
		a.c.stats.acksForgotten.Add(uint64(len(ids)))
	default:
		return // closed: the count says how many were left
	}
	a.c.inbox.Release(ids...)
	a.end(len(ids))
}

// begin counts the ids of a Client.Ack until end, so that the end of Run waits for them. It returns false when nothing is
// taken any more.
func (a *acker) begin(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		return false
	}
	a.waiting += n
	return true
}

// seal turns away who calls begin.
func (a *acker) seal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sealed = true
}

func (a *acker) end(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting -= n
	a.tellIdle()
}

// again sends the ids of a refused frame one by one.
func (a *acker) again(ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.alone.Push(id)
	}
	a.startLocked()
	a.wake()
}

// enter waits for one of the frames that may be unanswered at once; leave gives it back.
func (a *acker) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-a.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *acker) leave() { <-a.slots }

// hurry sends what waits at once, and from now on without waiting for full frames.
func (a *acker) hurry() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rush = true
	a.wake()
}

// idle returns a channel that is closed as soon as nothing waits.
func (a *acker) idle() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := make(chan struct{})
	a.idlers = append(a.idlers, ch)
	a.tellIdle()
	return ch
}

func (a *acker) tellIdle() {
	if a.waiting > 0 {
		return
	}
	for _, ch := range a.idlers {
		close(ch)
	}
	a.idlers = nil
}

// close stops the goroutine and returns how many acknowledgements were left unconfirmed.
func (a *acker) close() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		close(a.stop)
	}
	return a.waiting
}

// join waits for the goroutine, after close.
func (a *acker) join() { a.ended.Wait() }

func (a *acker) waitingIDs() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting
}
