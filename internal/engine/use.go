package engine

import (
	"bytes"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// linkUse records how the current link was used. The link's goroutines and the workers write it. The supervisor reads
// it after the link has ended.
type linkUse struct {
	link     atomic.Uint32 // its number
	workedOn atomic.Uint32 // number of the last link that did useful work

	accepted atomic.Bool // a request was answered or a message pushed: the service accepts the session
	asked    atomic.Bool // a frame was written
	answered atomic.Bool // a request was answered, not counting a rejected list
}

// begin starts with a new link, before its goroutines start.
func (u *linkUse) begin() {
	u.link.Add(1)
	u.accepted.Store(false)
	u.asked.Store(false)
	u.answered.Store(false)
}

// works records useful work on a link. A message from an earlier link does not count for the current one.
func (u *linkUse) works(link uint32) {
	//mutant:work-link
	for last := u.workedOn.Load(); link == u.link.Load() && link != last; last = u.workedOn.Load() {
		if u.workedOn.CompareAndSwap(last, link) {
			return
		}
	}
}

// worked reports whether the current link did useful work.
func (u *linkUse) worked() bool { return u.workedOn.Load() == u.link.Load() }

// accepts records that the service accepts the session on this link. A 401 does not show that.
func (e *Engine) accepts(f *wire.Received) {
	if !e.use.accepted.Load() && !ofSession(f.Error) {
		e.use.accepted.Store(true)
	}
}

// answers records that a request was answered. A confirmation counts as useful work, except for the list: a server may
// confirm the list and close each connection at once.
func (e *Engine) answers(f *wire.Received) {
	e.accepts(f)
	list := bytes.EqualFold(f.ID.Bytes(), e.listing.id)
	if !e.use.answered.Load() && !ofSession(f.Error) && (f.Error == nil || !list) {
		e.use.answered.Store(true)
	}
	//mutant:work-list
	if f.Error == nil && !list {
		e.use.works(e.use.link.Load())
	}
}
