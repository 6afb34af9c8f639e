package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Reasons for ending a link.
var (
	errResync = errors.New("the connection was replaced, to list pending messages again")
	errList   = errors.New("the request for pending messages was not answered, and no message came")
)

// resyncPlan decides when a link is replaced in order to list pending messages again. No link lists twice, because the
// effect of a second list is not documented. The supervisor owns it.
type resyncPlan struct {
	bounds bounds.Bounds
	last   time.Time     // time of the last resync
	step   time.Duration // minimum interval for conversations
}

// after returns the wait before a resync that is due. whole means that the whole inbox has capacity again, and not only
// closed conversations.
func (p *resyncPlan) after(now time.Time, whole bool) time.Duration {
	since := now.Sub(p.last)
	if p.step == 0 || since >= p.bounds.Calm {
		p.step = p.bounds.Resync
	}
	if whole {
		return max(p.bounds.Resync-since, 0)
	}
	return max(p.step-since, 0)
}

// done records a resync.
func (p *resyncPlan) done(now time.Time, whole bool) {
	p.last = now
	if !whole {
		//mutant:resync-step
		p.step = min(2*p.step, p.bounds.MaxResync)
	}
}

// listing watches the request for pending messages of one link. The supervisor owns it, except for the flag.
type listing struct {
	id       []byte // of the request; written before the link is started
	answered atomic.Bool
	pushes   uint64 // Engine.pushes at the last check
}

// list requests all pending messages, oldest first.
func (e *Engine) list(l *link.Link) {
	e.listing.answered.Store(false)
	e.listing.pushes = e.pushes.Load()
	id, err := wire.NewID()
	if err != nil {
		l.Fail(err)
		return
	}
	e.listing.id = []byte(id)
	r := outbox.Request{ID: id, Class: outbox.List, Frame: wire.Request(id, wire.ActionListPending, nil)}
	e.outbox.Go(r, func(o outbox.Outcome) {
		switch o.Kind {
		case outbox.Confirmed:
			e.listing.answered.Store(true)
		case outbox.Unanswered: // the link has ended
		default:
			l.Fail(&RejectedError{Rejection: o.Rejection, Action: wire.ActionListPending})
		}
	})
}

// tending is the supervisor's state for one live link.
type tending struct {
	e    *Engine
	link *link.Link
	list *time.Timer // until the list is overdue

	stuck *time.Ticker // checks for closed conversations that may not become due on their own

	resync *time.Timer     // until the link is replaced; stopped: no resync is due
	whole  bool            // the resync is due for the whole inbox
	quiet  <-chan struct{} // closed when no request is in flight, once the link is about to be replaced
	late   <-chan time.Time
}

// tend watches a link until it or the context of Run has ended. It reports whether it ended the link for a resync.
func (e *Engine) tend(stop <-chan struct{}, l *link.Link) (resync bool) {
	t := &tending{
		e: e, link: l, list: time.NewTimer(e.listPatience()), resync: time.NewTimer(time.Hour),
		stuck: time.NewTicker(e.bounds.MaxResync),
	}
	defer t.list.Stop()
	defer t.stuck.Stop()
	defer t.resync.Stop()
	t.resync.Stop()
	if !e.listen {
		t.list.Stop()
	}
	for {
		select {
		case <-l.Done():
			return false
		case <-stop:
			return false
		case <-t.list.C:
			t.lookAtList()
		case <-e.due:
			t.due(e.inbox.Due())
		case <-t.stuck.C:
			//mutant:resync-stuck
			t.due(e.inbox.Stuck(), false)
		case <-t.resync.C:
			t.quiet = e.outbox.Quiesce()
			t.late = time.After(e.cfg.ReplyTimeout)
		case <-t.quiet:
			return t.replace(stop)
		case <-t.late:
			return t.replace(stop)
		}
	}
}

// listPatience returns how long a list may be unanswered while no message arrives. It doubles with each link that is
// lost for this reason.
func (e *Engine) listPatience() time.Duration {
	return max(e.cfg.ReplyTimeout, min(e.cfg.ReplyTimeout<<min(e.listsLost, 16), e.bounds.MaxReply))
}

// lookAtList ends the link if its list is overdue. While messages arrive, the reply may follow them.
func (t *tending) lookAtList() {
	e := t.e
	pushes := e.pushes.Load()
	switch {
	case e.listing.answered.Load():
	case pushes != e.listing.pushes:
		e.listing.pushes = pushes
		t.list.Reset(e.listPatience())
	default:
		//mutant:list-overdue
		e.listsLost++
		t.link.Fail(errList)
	}
}

// resyncDue signals to the supervisor that a resync is due. It does not block.
func (e *Engine) resyncDue(bool) {
	select {
	case e.due <- struct{}{}:
	default:
	}
}

// due records whether a resync is due, and whether for the whole inbox.
func (t *tending) due(due, whole bool) {
	if !due || t.quiet != nil || t.whole {
		return
	}
	t.whole = whole
	t.resync.Reset(t.e.resync.after(time.Now(), whole))
}

// replace ends the link, unless Run is ending.
func (t *tending) replace(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
	}
	t.e.resync.done(time.Now(), t.whole)
	//mutant:leave-end
	defer context.AfterFunc(t.e.runCtx, func() { t.link.Fail(errResync) })() // do not wait for the peer then
	t.link.Leave(t.e.cfg.ReplyTimeout)
	return true
}
