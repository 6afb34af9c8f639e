package engine

import (
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// receiptsLen bounds the receipts that wait for Owner.Receipt. The service does not redeliver them: further ones are
// discarded, counted and logged. A message to many users causes two receipts per user within minutes. The queue takes
// at most 4 MiB, because an id and a status have at most 64 bytes each.
const receiptsLen = 16 << 10

// receipt is the part of a frame that is queued.
type receipt struct {
	id, status string
	at         time.Time
}

// receipts passes receipts to the owner, serially and in order. It is separate from the inbox, so that a flood of
// receipts uses no capacity for messages. The goroutine exists only while there are receipts.
type receipts struct {
	handle func(*wire.Message)                    // may end its goroutine, but must not panic
	slow   func(id string, running time.Duration) // called once for each receipt that is being handled for slowHandler

	mu       sync.Mutex
	queue    fifo.Queue[receipt]
	running  bool
	busy     bool      // handle is running
	began    time.Time // its start
	id       string    // its receipt
	watch    *time.Timer
	reported bool // slow was called for the current one
	stopped  bool
	idlers   []chan struct{}
}

// add queues a receipt. If taken is false, full tells a full queue from a call of stop. add never blocks.
func (r *receipts) add(rc receipt) (taken, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false, false
	}
	//mutant:receipts-bound
	if r.queue.Len() >= receiptsLen {
		return false, true
	}
	r.queue.Push(rc)
	//mutant:receipts-one
	if !r.running {
		r.running = true
		go r.run()
	}
	return true, false
}

// run handles receipts until the queue is empty. If handle ends this goroutine, another one continues.
func (r *receipts) run() {
	exits := true
	defer func() {
		if exits {
			//mutant:receipts-replace
			go r.run()
		}
	}()
	for rc, ok := r.next(); ok; rc, ok = r.next() {
		r.handle(&wire.Message{MessageID: rc.id, Category: rc.status, CreatedAt: rc.at})
	}
	exits = false
}

// next removes the oldest receipt. If there is none, it marks the goroutine as finished.
func (r *receipts) next() (receipt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = r.queue.Len() > 0
	if !r.busy {
		r.running = false
		r.unwatch()
		r.signalIdle()
		return receipt{}, false
	}
	rc := r.queue.Pop()
	r.began, r.id, r.reported = time.Now(), rc.id, false
	if r.watch == nil && r.slow != nil {
		r.watch = time.AfterFunc(slowHandler, r.look)
	}
	return rc, true
}

// look reports a receipt that is being handled for long, or schedules the next look. The timer exists only while a
// receipt is being handled.
func (r *receipts) look() {
	if id, running := r.slowOne(); id != "" {
		r.slow(id, running)
	}
}

func (r *receipts) slowOne() (id string, running time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == nil || !r.busy || r.reported {
		return "", 0
	}
	running = time.Since(r.began)
	if running < slowHandler {
		r.watch.Reset(slowHandler - running)
		return "", 0
	}
	r.reported, r.watch = true, nil
	return r.id, running
}

// unwatch stops the timer.
func (r *receipts) unwatch() {
	if r.watch != nil {
		r.watch.Stop()
		r.watch = nil
	}
}

// abandon returns how many receipts are being handled and stops watching them.
func (r *receipts) abandon() int {
	n, _ := r.handling()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unwatch()
	return n
}

// stop discards the queue and all further receipts.
func (r *receipts) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	//mutant:receipts-stop
	r.queue.Keep(0)
}

// idle returns a channel that is closed when the goroutine has ended. It is for use after stop.
func (r *receipts) idle() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan struct{})
	r.idlers = append(r.idlers, ch)
	r.signalIdle()
	return ch
}

func (r *receipts) signalIdle() {
	if r.running {
		return
	}
	for _, ch := range r.idlers {
		close(ch)
	}
	r.idlers = nil
}

// handling returns the number of receipts being handled, 0 or 1, and the running time.
func (r *receipts) handling() (int, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.busy {
		return 0, 0
	}
	return 1, time.Since(r.began)
}
