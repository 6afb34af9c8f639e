package outbox

import (
	"context"
	"slices"
)

// Do adds a request and waits until it has ended, or until ctx has: a request of class Send first waits for room. pace, if
// not nil, is called after each temporary refusal, by the goroutine that called Do, before the request rests; its error
// ends the request.
func (b *Box[A]) Do(ctx context.Context, req Request, pace func(context.Context, A) error) Outcome[A] {
	if err := ctx.Err(); err != nil {
		return Outcome[A]{Err: err}
	}
	if req.Class == Send {
		if err := b.enter(ctx, int64(len(req.Frame))); err != nil {
			return Outcome[A]{Err: err}
		}
	}
	ended := make(chan Outcome[A], 1)
	e := &entry[A]{Request: req, done: func(o Outcome[A]) { ended <- o }}
	if pace != nil {
		e.refused = make(chan A, 1)
	}
	b.add(e)
	for {
		select {
		case o := <-ended:
			return o
		case no := <-e.refused:
			if err := pace(ctx, no); err != nil {
				return b.abandon(e, err, ended)
			}
			b.resume(e)
		case <-ctx.Done():
			return b.abandon(e, ctx.Err(), ended)
		}
	}
}

// abandon ends e with err, unless something else has ended it meanwhile.
func (b *Box[A]) abandon(e *entry[A], err error, ended <-chan Outcome[A]) Outcome[A] {
	b.mu.Lock()
	if b.byID[e.ID] != e {
		b.mu.Unlock()
		return <-ended
	}
	b.remove(e)
	b.mu.Unlock()
	return e.outcome(err)
}

// resume lets e rest, unless something has ended it meanwhile.
func (b *Box[A]) resume(e *entry[A]) {
	b.mu.Lock()
	if b.byID[e.ID] == e && e.state == pacing {
		b.restNow(e)
	}
	b.mu.Unlock()
	b.signal()
}

// room is what is left of the limits, and who waits for it, in order. The Box's lock guards it.
type room struct {
	slots, maxSlots int
	bytes, maxBytes int64
	waiters         []*waiter
	shut            error
}

type waiter struct {
	bytes   int64
	granted chan error
}

func (b *Box[A]) enter(ctx context.Context, bytes int64) error {
	b.mu.Lock()
	w := b.room.ask(bytes)
	b.mu.Unlock()
	select {
	case err := <-w.granted:
		return err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.room.waiters, w); i >= 0 {
		b.room.waiters = slices.Delete(b.room.waiters, i, i+1)
		b.room.grant() // a smaller one behind it may fit
	} else if err := <-w.granted; err == nil {
		b.leave(bytes)
	}
	return ctx.Err()
}

func (r *room) ask(bytes int64) *waiter {
	w := &waiter{bytes: bytes, granted: make(chan error, 1)}
	if r.shut != nil {
		w.granted <- r.shut
		return w
	}
	r.waiters = append(r.waiters, w)
	r.grant()
	return w
}

// grant lets in who fits, first come first served: a large request is not overtaken for ever by small ones.
func (r *room) grant() {
	for len(r.waiters) > 0 {
		w := r.waiters[0]
		// An empty box takes any one request, whatever its size.
		if r.slots == 0 || r.bytes < w.bytes && r.bytes < r.maxBytes {
			return
		}
		r.slots--
		r.bytes -= w.bytes
		r.waiters[0] = nil
		r.waiters = r.waiters[1:]
		w.granted <- nil
	}
}

func (r *room) release(bytes int64) {
	r.slots++
	r.bytes += bytes
	r.grant()
}

// taken is how many requests have room, from the moment they are let in.
func (r *room) taken() int { return r.maxSlots - r.slots }

// seal turns away everybody who waits, and everybody who comes.
func (r *room) seal(err error) {
	if r.shut == nil {
		r.shut = err
	}
	for _, w := range r.waiters {
		w.granted <- r.shut
	}
	r.waiters = nil
}
