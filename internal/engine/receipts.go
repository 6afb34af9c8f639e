package engine

import (
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// receiptsLen bounds the receipts that wait for Owner.Receipt. The service does not push them again: those that find no
// room are lost, counted and logged. A message to many users makes two for each of them, within minutes. All of them
// take 4 MiB at most: an id and a status have 64 bytes at most.
const receiptsLen = 16 << 10

// receipt is what is kept of a frame.
type receipt struct {
	id, status string
	at         time.Time
}

// receipts hands receipts to the owner, one at a time and in order. They are apart from the inbox, so that a flood of
// them takes no room from messages. The goroutine exists only while there are receipts.
type receipts struct {
	handle func(*wire.Message)                    // may end its goroutine, but must not panic
	slow   func(id string, running time.Duration) // once for each receipt that is handled for slowHandler

	mu      sync.Mutex
	queue   fifo.Queue[receipt]
	running bool
	busy    bool      // handle runs
	began   time.Time // when it did
	id      string    // that it runs for
	watch   *time.Timer
	told    bool // slow was called for the present one
	stopped bool
	idlers  []chan struct{}
}

// add takes a receipt. full says why it did not: there is no room, or else stop was called. add never blocks.
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

// run handles receipts until there are none. Where handle ends this goroutine, another one goes on.
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

// next takes the oldest receipt. Without one, the goroutine is no longer counted.
func (r *receipts) next() (receipt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = r.queue.Len() > 0
	if !r.busy {
		r.running = false
		r.unwatch()
		r.tellIdle()
		return receipt{}, false
	}
	rc := r.queue.Pop()
	r.began, r.id, r.told = time.Now(), rc.id, false
	if r.watch == nil && r.slow != nil {
		r.watch = time.AfterFunc(slowHandler, r.look)
	}
	return rc, true
}

// look tells of a receipt that is handled for long, or waits for that. The timer exists only while a receipt is
// handled.
func (r *receipts) look() {
	if id, running := r.slowOne(); id != "" {
		r.slow(id, running)
	}
}

func (r *receipts) slowOne() (id string, running time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == nil || !r.busy || r.told {
		return "", 0
	}
	running = time.Since(r.began)
	if running < slowHandler {
		r.watch.Reset(slowHandler - running)
		return "", 0
	}
	r.told, r.watch = true, nil
	return r.id, running
}

// unwatch stops the timer.
func (r *receipts) unwatch() {
	if r.watch != nil {
		r.watch.Stop()
		r.watch = nil
	}
}

// abandon returns how many receipts are being handled, and does not watch them any more.
func (r *receipts) abandon() int {
	n, _ := r.handling()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unwatch()
	return n
}

// stop takes nothing any more, and drops what waits.
func (r *receipts) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	//mutant:receipts-stop
	r.queue.Keep(0)
}

// idle returns a channel that is closed as soon as the goroutine has ended; of use after stop.
func (r *receipts) idle() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan struct{})
	r.idlers = append(r.idlers, ch)
	r.tellIdle()
	return ch
}

func (r *receipts) tellIdle() {
	if r.running {
		return
	}
	for _, ch := range r.idlers {
		close(ch)
	}
	r.idlers = nil
}

// handling returns how many receipts are being handled, which is 0 or 1, and since when.
func (r *receipts) handling() (int, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.busy {
		return 0, 0
	}
	return 1, time.Since(r.began)
}
