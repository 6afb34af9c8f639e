package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/outbox"
)

// acks acknowledges handled messages, many in a frame. Its goroutine lives while acknowledgements wait to be written;
// those that were written live in the outbox, across links, until they are confirmed.
type acks struct {
	e      *Engine
	plural Plural
	slots  chan struct{} // one for each unanswered frame
	wakeup chan struct{} // a frame is full, or flush was called
	stop   chan struct{}
	ended  sync.WaitGroup

	mu       sync.Mutex
	queue    fifo.Queue[string]
	alone    fifo.Queue[string] // ids of rejected frames, to go out one by one
	waiting  int                // ids that are not confirmed, written ones and those of Client.Ack included
	running  bool
	flushing bool // does not wait for full frames
	sealed   bool // takes nothing from Client.Ack any more
	closed   bool
	idlers   []chan struct{}
}

func newAcks(e *Engine) *acks {
	return &acks{e: e, slots: make(chan struct{}, ackFrames), wakeup: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add acknowledges a message soon. The inbox holds its id until that is confirmed. add never blocks.
func (a *acks) add(id string) {
	a.e.inbox.Hold(id)
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
func (a *acks) full() int {
	if !a.plural.Usable() {
		return 1
	}
	return a.e.cfg.AckBatch
}

func (a *acks) startLocked() {
	if !a.running && !a.closed {
		a.running = true
		a.ended.Add(1)
		go a.run()
	}
}

func (a *acks) wake() {
	select {
	case a.wakeup <- struct{}{}:
	default:
	}
}

// run writes frames until nothing waits.
func (a *acks) run() {
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
func (a *acks) gather() bool {
	t := time.NewTimer(ackDelay)
	defer t.Stop()
	for {
		a.mu.Lock()
		if a.closed || a.queue.Len()+a.alone.Len() == 0 {
			a.running = false
			a.mu.Unlock()
			return false
		}
		worth := a.flushing || a.alone.Len() > 0 || a.queue.Len() >= a.full()
		a.mu.Unlock()
		if worth {
			return true
		}
		select {
		case <-a.wakeup:
		//mutant:ack-interval
		case <-t.C:
			return true
		case <-a.stop:
		}
	}
}

// take returns the ids of the next frame.
func (a *acks) take() []string {
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
func (a *acks) send(ids []string) {
	r, err := ackRequest(a.e.cfg.AckStatus, ids)
	if err != nil {
		a.settle(ids, outbox.Outcome{Err: err})
		return
	}
	r.Attempts = a.attempts(ids)
	a.e.outbox.Go(r, func(o outbox.Outcome) { a.settle(ids, o) })
}

// attempts returns how often a frame is written without a reply; 0: no limit. After that, several ids go out one by
// one, and a single one is forgotten.
func (a *acks) attempts(ids []string) int {
	if n := a.plural.Attempts(); len(ids) > 1 && n > 0 {
		return n
	}
	return max(a.e.cfg.SendAttempts, 0)
}

// needsSplit takes the outcome of a frame, and reports whether its ids are to go out one by one: where plural says
// so, and where the service was too busy for the frame until its attempts were used up.
func (a *acks) needsSplit(ids []string, o outbox.Outcome) bool {
	if len(ids) == 1 {
		return false
	}
	return a.plural.Observe(o) || o.Kind == outbox.TransientExhausted
}

// settle takes the outcome of a frame. The goroutine that ended the frame calls it, and it does not block.
func (a *acks) settle(ids []string, o outbox.Outcome) {
	a.leave()
	if a.needsSplit(ids, o) {
		//mutant:ack-again
		a.again(ids)
		return
	}
	switch {
	case o.Kind == outbox.Confirmed:
		a.e.observer.Observe(Event{Kind: Acked, Count: len(ids)})
	case o.Kind == outbox.Rejected || o.Kind == outbox.TransientExhausted:
		a.e.observer.Observe(Event{Kind: AckRejected, Count: len(ids), Text: ids[0], Rejection: o.Rejection})
	case errors.Is(o.Err, outbox.ErrNoReply):
		a.e.observer.Observe(Event{Kind: AckUnanswered, Count: len(ids), Text: ids[0]})
	default:
		return // the outbox was closed; the number of those left is reported by Run
	}
	a.e.inbox.Release(ids...)
	a.end(len(ids))
}

// begin counts the ids of a Client.Ack until end, so that the end of Run waits for them. It returns false when
// nothing is taken any more.
func (a *acks) begin(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		return false
	}
	a.waiting += n
	return true
}

// seal turns away who calls begin.
func (a *acks) seal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sealed = true
}

func (a *acks) end(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting -= n
	a.tellIdle()
}

// again sends the ids of a rejected frame one by one.
func (a *acks) again(ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.alone.Push(id)
	}
	a.startLocked()
	a.wake()
}

// enter waits for one of the frames that may be unanswered at once; leave gives it back.
func (a *acks) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-a.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *acks) leave() { <-a.slots }

// flush sends the waiting ids at once, and later ones without waiting for full frames.
func (a *acks) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushing = true
	a.wake()
}

// idle returns a channel that is closed as soon as nothing waits.
func (a *acks) idle() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := make(chan struct{})
	a.idlers = append(a.idlers, ch)
	a.tellIdle()
	return ch
}

func (a *acks) tellIdle() {
	if a.waiting > 0 {
		return
	}
	for _, ch := range a.idlers {
		close(ch)
	}
	a.idlers = nil
}

// close stops the goroutine and returns how many acknowledgements were left unconfirmed.
func (a *acks) close() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		close(a.stop)
	}
	return a.waiting
}

// join waits for the goroutine, after close.
func (a *acks) join() { a.ended.Wait() }

func (a *acks) waitingIDs() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting
}
