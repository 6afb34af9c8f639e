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
	waiting  int // ids that are not confirmed, written ones and those of Client.Ack included
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

// full returns how many ids fill a frame.
func (a *acks) full() int { return a.plural.Size(a.e.cfg.AckBatch) }

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
		if a.closed || a.queue.Len() == 0 {
			a.running = false
			a.mu.Unlock()
			return false
		}
		worth := a.flushing || a.queue.Len() >= a.full()
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
	n := a.plural.Take(min(a.e.cfg.AckBatch, a.queue.Len()))
	ids := slices.Clone(a.queue.All()[:n])
	a.queue.Drop(n)
	return ids
}

// send hands a frame to the outbox, which tells settle how it ended.
func (a *acks) send(ids []string) {
	r, err := a.request(ids)
	if err != nil {
		a.settle(ids, outbox.Outcome{Err: err})
		return
	}
	a.e.outbox.Go(r, func(o outbox.Outcome) { a.settle(ids, o) })
}

// each calls f with the outcome of a frame: once for all ids, or once for each where the frame was split.
func (a *acks) each(ids []string, o outbox.Outcome, f func([]string, outbox.Outcome)) {
	if len(ids) > 1 {
		a.plural.Observe(o)
	}
	if o.Parts == nil {
		f(ids, o)
		return
	}
	//mutant:ack-parts
	for i := range ids {
		f(ids[i:i+1], o.Parts[i])
	}
}

// settle takes the outcome of a frame. The goroutine that ended the frame calls it, and it does not block.
func (a *acks) settle(ids []string, o outbox.Outcome) {
	a.leave()
	a.each(ids, o, a.settled)
}

func (a *acks) settled(ids []string, o outbox.Outcome) {
	switch {
	case o.Kind == outbox.Confirmed:
		a.e.observer.Observe(Event{Kind: Acked, Count: len(ids)})
	case o.Kind == outbox.Rejected || o.Kind == outbox.TransientExhausted:
		a.e.observer.Observe(Event{Kind: AckRejected, Count: len(ids), Text: ids[0], Rejection: o.Rejection})
	case errors.Is(o.Err, outbox.ErrNoReply) || errors.Is(o.Err, outbox.ErrLinkLost):
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

// tryEnter is enter without waiting.
func (a *acks) tryEnter() bool {
	select {
	case a.slots <- struct{}{}:
		return true
	default:
		return false
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
