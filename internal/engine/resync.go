package engine

import (
	"errors"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// errResync replaces a link on which the service does not redeliver a message that the full inbox had rejected.
var errResync = errors.New("a message that was asked for again did not come")

// resync holds the present link, and the timer of a request to redeliver messages that a full inbox had rejected.
type resync struct {
	mu    sync.Mutex
	link  *link.Link // nil: there is none
	timer *time.Timer
}

// use takes a new link, or nil, and stops the timer, which belongs to the last one.
func (r *resync) use(l *link.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.link = l
	r.stop()
}

func (r *resync) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

func (r *resync) present() *link.Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link
}

// await calls late after a while, unless l is replaced before.
func (r *resync) await(l *link.Link, after time.Duration, late func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != l {
		return
	}
	r.stop()
	r.timer = time.AfterFunc(after, late)
}

// list asks the service to push everything pending, oldest first, and calls agreed when it has agreed to.
func (e *Engine) list(l *link.Link, agreed func()) {
	id, err := wire.NewID()
	if err != nil {
		l.Fail(err)
		return
	}
	r := outbox.Request{ID: id, Class: outbox.List, Frame: wire.Request(id, wire.ActionListPending, nil)}
	e.outbox.Go(r, func(o outbox.Outcome) {
		switch o.Kind {
		case outbox.Confirmed:
			agreed()
		case outbox.Rejected, outbox.TransientExhausted:
			l.Fail(&RejectedError{Rejection: o.Rejection, Action: wire.ActionListPending})
		case outbox.Unanswered: // the link is gone
		}
	})
}

// relist lists again once there is room for the message that the gate is closed at. It replaces the link if that
// message does not come.
func (e *Engine) relist(gate string) {
	l := e.resync.present()
	if l == nil {
		return // the next link lists anyway
	}
	if e.inbox.Asked() != gate {
		return // this goroutine was slow, and the gate has been opened since
	}
	e.list(l, func() {
		if e.inbox.Listed(gate) {
			l.Fail(errResync)
		}
	})
	e.resync.await(l, e.cfg.ReplyTimeout, func() {
		if e.inbox.Asked() == gate {
			l.Fail(errResync)
		}
	})
}
