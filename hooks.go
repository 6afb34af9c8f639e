package blaze

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/fifo"
	"github.com/mixin-blaze/blaze/internal/guard"
)

// Bounds of a hookQueue.
const (
	maxHooks  = 1024        // queued calls
	hooksWait = time.Second // wait of Run at its end, and of the first frame of a link for Trace.Connected
)

// hookQueue calls the Logger and the hooks that must not block other goroutines: serially, in order, on a goroutine
// that exists only while there are calls. A call is dropped and counted if the queue is full. All methods are safe for
// concurrent use. Only wait blocks.
type hookQueue struct {
	failed  func(name string, err error) // called when a call panicked or called runtime.Goexit
	dropped atomic.Uint64

	mu      sync.Mutex
	calls   fifo.Queue[hookCall]
	running bool
	idle    chan struct{} // closed when the queue is empty; nil: nobody waits
}

// hookCall is one call of user code.
type hookCall struct {
	name string
	call func()
}

// add queues a call of user code. It returns false if the queue is full.
func (q *hookQueue) add(name string, call func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	//mutant:hooks-dropped
	if q.calls.Len() >= maxHooks {
		q.dropped.Add(1)
		return false
	}
	q.calls.Push(hookCall{name, call})
	if !q.running {
		q.running = true
		go q.run()
	}
	return true
}

// run makes calls until the queue is empty. If a call ends this goroutine, another one continues.
func (q *hookQueue) run() {
	exits := true
	defer func() {
		if exits {
			//mutant:hooks-replace
			go q.run()
		}
	}()
	for {
		c, ok := q.next()
		if !ok {
			exits = false
			return
		}
		guard.Call(func() error {
			c.call()
			return nil
		}, func(err error) {
			if err != nil {
				q.failed(c.name, err)
			}
		})
	}
}

// next removes the oldest call. If there is none, it marks the goroutine as finished.
func (q *hookQueue) next() (hookCall, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls.Len() > 0 {
		return q.calls.Pop(), true
	}
	q.running = false
	if q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
	return hookCall{}, false
}

// wait waits until the queue is empty, but not longer than most.
func (q *hookQueue) wait(most time.Duration) {
	if most <= 0 {
		return
	}
	q.mu.Lock()
	if !q.running {
		q.mu.Unlock()
		return
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}

// turn is a queued call that another action must follow.
type turn struct {
	begun    atomic.Bool // or abandoned
	returned chan struct{}
}

func newTurn() *turn { return &turn{returned: make(chan struct{})} }

// take makes the call unless it was abandoned.
func (t *turn) take(call func()) {
	if t.begun.CompareAndSwap(false, true) {
		defer close(t.returned)
		call()
	}
}

// await waits for the call to return, but not longer than most. If the call has not begun by then, await abandons it
// and returns false.
func (t *turn) await(most time.Duration) bool {
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-t.returned:
		return true
	case <-late.C:
		return !t.begun.CompareAndSwap(false, true)
	}
}

// sinceEnd returns a function that returns the time since ctx ended, or 0 if it has not.
func sinceEnd(ctx context.Context) func() time.Duration {
	var end atomic.Pointer[time.Time]
	stop := context.AfterFunc(ctx, func() {
		now := time.Now()
		end.Store(&now)
	})
	return func() time.Duration {
		stop()
		if at := end.Load(); at != nil {
			return time.Since(*at)
		}
		return 0
	}
}
