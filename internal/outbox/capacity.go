package outbox

import (
	"context"
	"slices"
)

// capacity is the free capacity, and the callers that wait for it, in order. The lock of the Box guards it.
type capacity struct {
	slots, maxSlots int
	bytes, maxBytes int64
	waiters         []*waiter
	sealed          error
}

type waiter struct {
	bytes   int64
	granted chan error
}

// enter acquires capacity for a request of class Send. It waits until ctx ends.
func (b *Box) enter(ctx context.Context, bytes int64) error {
	b.mu.Lock()
	w, err := b.capacity.ask(bytes)
	b.mu.Unlock()
	if w == nil {
		return err
	}
	select {
	case err := <-w.granted:
		return err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.capacity.waiters, w); i >= 0 {
		b.capacity.waiters = slices.Delete(b.capacity.waiters, i, i+1)
		b.capacity.grant() // a smaller one behind it may fit
	} else if err := <-w.granted; err == nil {
		b.leave(bytes)
	}
	return ctx.Err()
}

// ask acquires capacity at once if there is some and no other caller waits. It then returns nil, or an error if the Box
// accepts nothing. Otherwise it returns a waiter.
func (r *capacity) ask(bytes int64) (w *waiter, err error) {
	switch {
	case r.sealed != nil:
		return nil, r.sealed
	case len(r.waiters) == 0 && r.fits(bytes):
		r.take(bytes)
		return nil, nil
	}
	w = &waiter{bytes: bytes, granted: make(chan error, 1)}
	r.waiters = append(r.waiters, w)
	return w, nil
}

// fits reports whether a request of that size may enter. An empty Box accepts any single request.
func (r *capacity) fits(bytes int64) bool {
	return r.slots > 0 && (r.bytes >= bytes || r.bytes == r.maxBytes)
}

func (r *capacity) take(bytes int64) {
	r.slots--
	r.bytes -= bytes
}

// grant admits waiters while they fit, in order: small requests never overtake a large one.
func (r *capacity) grant() {
	for len(r.waiters) > 0 && r.fits(r.waiters[0].bytes) {
		w := r.waiters[0]
		r.take(w.bytes)
		r.waiters[0] = nil
		r.waiters = r.waiters[1:]
		w.granted <- nil
	}
}

func (r *capacity) release(bytes int64) {
	r.slots++
	r.bytes += bytes
	r.grant()
}

// taken returns the number of requests with capacity.
func (r *capacity) taken() int { return r.maxSlots - r.slots }

// seal rejects all waiters and all later callers.
func (r *capacity) seal(err error) {
	if r.sealed == nil {
		r.sealed = err
	}
	for _, w := range r.waiters {
		w.granted <- r.sealed
	}
	r.waiters = nil
}

// Hold acquires capacity for a request of class Send that does not use the link. It waits until ctx ends. release must
// be called once.
func (b *Box) Hold(ctx context.Context, bytes int64) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.enter(ctx, bytes); err != nil {
		return nil, err
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.leave(bytes)
	}, nil
}
