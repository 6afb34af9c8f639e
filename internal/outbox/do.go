package outbox

import (
	"context"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Do adds a request and waits until it has ended, or until ctx has. A request of class Send first waits for room.
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
		e.rejected = make(chan *wire.Error, 1)
	}
	b.add(e)
	for {
		select {
		case o := <-e.ended:
			return o
		case rejection := <-e.rejected:
			if err := req.Pace(ctx, rejection); err != nil {
				return b.abandon(e, err)
			}
			b.resume(e)
		case <-ctx.Done():
			return b.abandon(e, ctx.Err())
		}
	}
}

// abandon ends e with err, unless something else has ended it meanwhile.
func (b *Box) abandon(e *entry, err error) Outcome {
	b.mu.Lock()
	if b.byID[e.ID] != e {
		b.mu.Unlock()
		return <-e.ended
	}
	b.remove(e)
	b.mu.Unlock()
	return e.unanswered(err)
}

// resume lets e rest, unless something has ended it meanwhile.
func (b *Box) resume(e *entry) {
	b.mu.Lock()
	if b.byID[e.ID] == e && e.state == pacing {
		b.restNow(e)
	}
	b.mu.Unlock()
	b.signal()
}
