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

// acks acknowledges handled messages, several per frame. Its goroutine exists while acknowledgements wait to be
// written. Written ones are in the outbox, across links, until they are confirmed.
type acks struct {
	e      *Engine
	plural Plural
	slots  chan struct{} // one for each unanswered frame
	wakeup chan struct{} // a frame is full, or flush was called
	stop   chan struct{}
	ended  sync.WaitGroup

	mu       sync.Mutex
	queue    fifo.Queue[string]
	waiting  int // unconfirmed ids, including written ones and those of Client.Ack
	running  bool
	flushing bool // does not wait for full frames
	sealed   bool // rejects calls of begin
	closed   bool
	idlers   []chan struct{}
}

func newAcks(e *Engine) *acks {
	return &acks{e: e, slots: make(chan struct{}, ackFrames), wakeup: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add queues the acknowledgement of a message. The inbox keeps the id in flight until it is confirmed. add never
// blocks.
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

// full returns the number of ids in a full frame.
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

// run writes frames until the queue is empty.
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

// gather waits until a frame should be written. If the queue is empty it returns false, and the goroutine ends.
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

// take removes and returns the ids of the next frame.
func (a *acks) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.plural.Take(min(a.e.cfg.AckBatch, a.queue.Len()))
	ids := slices.Clone(a.queue.All()[:n])
	a.queue.Drop(n)
	return ids
}

// send passes a frame to the outbox, which calls settle with the outcome.
func (a *acks) send(ids []string) {
	r, err := a.request(ids)
	if err != nil {
		a.settle(ids, outbox.Outcome{Err: err})
		return
	}
	a.e.outbox.Go(r, func(o outbox.Outcome) { a.settle(ids, o) })
}

// each calls f with the outcome of a frame: once for all ids, or once per id if the frame was split.
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

// settle handles the outcome of a frame. It runs on the goroutine that ended the frame and must not block.
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
		return // the outbox was closed; Run reports the number of unconfirmed ids
	}
	a.e.inbox.Release(ids...)
	a.end(len(ids))
}

// begin counts the ids of a Client.Ack until end, so that Run waits for them when it ends. It returns false after seal.
func (a *acks) begin(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		return false
	}
	a.waiting += n
	return true
}

// seal makes begin return false.
func (a *acks) seal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sealed = true
}

func (a *acks) end(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting -= n
	a.signalIdle()
}

// enter acquires one of the slots for unanswered frames. leave releases it.
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

// flush writes the queued ids at once, and later ones without waiting for full frames.
func (a *acks) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushing = true
	a.wake()
}

// idle returns a channel that is closed when nothing is unconfirmed.
func (a *acks) idle() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := make(chan struct{})
	a.idlers = append(a.idlers, ch)
	a.signalIdle()
	return ch
}

func (a *acks) signalIdle() {
	if a.waiting > 0 {
		return
	}
	for _, ch := range a.idlers {
		close(ch)
	}
	a.idlers = nil
}

// close stops the goroutine and returns the number of unconfirmed acknowledgements.
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
