package outbox

import (
	"context"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Do adds a request and waits until it or ctx has ended. A request of class Send first waits for capacity.
func (b *Box) Do(ctx context.Context, req Request) Outcome {
	if err := ctx.Err(); err != nil {
		return Outcome{Err: err}
	}
	if req.Class == Send {
		if err := b.enter(ctx, int64(len(req.Frame))); err != nil {
			return Outcome{Err: err}
		}
	}
	e := &entry{Request: req, ended: make(chan Outcome, 1)}
	if req.Pace != nil {
		e.paceDue = make(chan struct{}, 1)
	}
	b.add(e)
	if e.paceDue != nil {
		return b.waitPaced(ctx, e)
	}
	return b.wait(ctx, e)
}

// Start adds a request without using capacity, and returns a function that waits for it like Do. It must be called
// once.
func (b *Box) Start(req Request) (wait func(ctx context.Context) Outcome) {
	e := &entry{Request: req, ended: make(chan Outcome, 1)}
	b.add(e)
	return func(ctx context.Context) Outcome { return b.wait(ctx, e) }
}

func (b *Box) wait(ctx context.Context, e *entry) Outcome {
	select {
	case o := <-e.ended:
		return o
	case <-ctx.Done():
		return b.abandon(e, ctx.Err())
	}
}

// waitPaced waits until e has ended. It runs Pace after each rejection of e or of a part that is not final.
func (b *Box) waitPaced(ctx context.Context, e *entry) Outcome {
	for {
		select {
		case o := <-e.ended:
			return o
		case <-e.paceDue:
			for p, rejection := b.toPace(e); p != nil; p, rejection = b.toPace(e) {
				b.pace(ctx, e, p, rejection)
			}
		case <-ctx.Done():
			return b.abandon(e, ctx.Err())
		}
	}
}

// toPace returns the next of e and its parts that needs a call of Pace, and its rejection. It returns nil if there is
// none.
func (b *Box) toPace(e *entry) (*entry, *wire.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(e.unpaced) > 0 {
		p := e.unpaced[0]
		e.unpaced = e.unpaced[1:]
		if b.byID[p.ID] == p && p.state == limiting {
			return p, p.rejection
		}
	}
	return nil, nil
}

// pace runs the Pace of e for p, which is e or a part of it.
func (b *Box) pace(ctx context.Context, e, p *entry, rejection *wire.Error) {
	returned := false
	defer func() {
		//mutant:limiter-panic
		if !returned { // it panicked or ended this goroutine: release the request's capacity
			b.abandon(e, context.Canceled)
		}
	}()
	err := e.Pace(ctx, rejection)
	returned = true
	b.resume(p, err)
}

// resume puts e in backoff, or ends it with the error of its Pace, unless it has ended.
func (b *Box) resume(e *entry, err error) {
	var ends endings
	b.mu.Lock()
	switch {
	case b.byID[e.ID] != e || e.state != limiting:
	case err != nil:
		b.abort(e, err, &ends)
	default:
		b.rest(e)
	}
	b.mu.Unlock()
	ends.run()
	b.signal()
}

// abandon ends e with err, unless it has ended.
func (b *Box) abandon(e *entry, err error) Outcome {
	var ends endings
	b.mu.Lock()
	if b.byID[e.ID] == e {
		b.abort(e, err, &ends)
	}
	b.mu.Unlock()
	ends.run()
	b.signal() // others may have waited for e
	return <-e.ended
}
