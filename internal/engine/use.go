package engine

import (
	"bytes"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// linkUse is what the present link was good for. Its goroutines and the workers write it; the supervisor reads it when
// the link has ended.
type linkUse struct {
	link     atomic.Uint32 // its number
	workedOn atomic.Uint32 // the number of the last link that did useful work

	accepted atomic.Bool // a request was answered or a message pushed: the service accepts the session
	asked    atomic.Bool // a frame was written
	answered atomic.Bool // a request was answered, other than with a rejection of the list
}

// begin begins with another link, before its goroutines start.
func (u *linkUse) begin() {
	u.link.Add(1)
	u.accepted.Store(false)
	u.asked.Store(false)
	u.answered.Store(false)
}

// works notes useful work on a link. A message that came on an earlier link says nothing about the present one.
func (u *linkUse) works(link uint32) {
	//mutant:work-link
	for last := u.workedOn.Load(); link == u.link.Load() && link != last; last = u.workedOn.Load() {
		if u.workedOn.CompareAndSwap(last, link) {
			return
		}
	}
}

// worked reports whether the present link did useful work.
func (u *linkUse) worked() bool { return u.workedOn.Load() == u.link.Load() }

// accepts notes that the service accepts the session on this link. A 401 does not show that.
func (e *Engine) accepts(f *wire.Received) {
	if !e.use.accepted.Load() && !ofSession(f.Error) {
		e.use.accepted.Store(true)
	}
}

// answers notes that a request was answered. A confirmation is useful work, unless it is that of the list: a server may
// give that one and close each connection at once.
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
