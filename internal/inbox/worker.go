package inbox

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// ErrGoexit is the result of a handler that ended its goroutine.
var ErrGoexit = errors.New("the handler called runtime.Goexit")

// PanicError is the result of a handler that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns what the handler panicked with, and where.
func (e *PanicError) Error() string {
	return fmt.Sprintf("the handler panicked: %v\n%s", e.Value, e.Stack)
}

// Unwrap returns the value of the panic, if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// work handles messages until no lane is ready.
func (b *Box[K, M]) work() {
	for {
		l, it := b.next()
		if l == nil {
			return
		}
		b.attempt(l, it)
	}
}

// next takes the lane that has been ready for longest, and its first message; without one, the worker is no longer counted.
func (b *Box[K, M]) next() (*lane[K, M], item[M]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		b.workers--
		b.tellIdle()
		return nil, item[M]{}
	}
	l := b.ready[0]
	b.ready[0] = nil
	b.ready = b.ready[1:]
	l.busy = true
	l.items[0].attempt++
	b.handling++
	return l, l.items[0]
}

// attempt handles the first message of l once. It settles in a deferred call, because runtime.Goexit leaves no other way.
func (b *Box[K, M]) attempt(l *lane[K, M], it item[M]) {
	err, exits := ErrGoexit, true
	defer func() {
		if v := recover(); v != nil {
			err, exits = &PanicError{Value: v, Stack: debug.Stack()}, false
		}
		var v Verdict
		exited, parked := exits, false
		defer func() { // Settle and LetGo run the user's code as well, and that may exit there
			if !parked {
				b.finish(l, v.Then == Keep)
			}
			if exited || exits {
				go b.work() // in the place of this goroutine, which is ending
			}
		}()
		if b.Abandoned() {
			return
		}
		exits = true
		v = b.cfg.Settle(it.m, it.attempt, err)
		if v.Then == Retry {
			if parked = b.parkLane(l, v.After); !parked {
				b.cfg.LetGo(it.m) // Stop was called meanwhile
			}
		}
		exits = false
	}()
	err = b.cfg.Handle(it.m, it.attempt)
	exits = false
}

// Abandoned reports whether results are discarded.
func (b *Box[K, M]) Abandoned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.abandoned
}

// finish takes the first message of l away.
func (b *Box[K, M]) finish(l *lane[K, M], keep bool) {
	b.mu.Lock()
	b.handling--
	l.busy = false
	it := l.items[0]
	if h := b.held[it.id]; keep && h != nil && !h.forget {
		b.kept.Add(it.id)
	}
	b.free(it)
	l.items[0] = item[M]{}
	l.items = l.items[1:]
	if len(l.items) > 0 {
		b.ready = append(b.ready, l) // for this worker, which goes on
	} else {
		delete(b.lanes, l.key)
	}
	ask := b.wantsMore()
	b.mu.Unlock()
	b.relist(ask)
}

// parkLane makes l ready again later, unless Stop was called. No goroutine waits for that.
func (b *Box[K, M]) parkLane(l *lane[K, M], after time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	b.handling--
	l.busy = false
	l.park = time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		l.park = nil
		if !b.stopped {
			b.enqueue(l)
		}
	})
	return true
}

// free gives the room of a message back.
func (b *Box[K, M]) free(it item[M]) {
	b.messages--
	b.used -= it.size
	if h := b.held[it.id]; h != nil {
		h.here = false
		b.drop(it.id, h)
	} else {
		b.used -= Overhead
	}
}
