package model

import (
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/outbox"
)

// compare compares the visible state of the boxes with the model.
func (s *schedule) compare() {
	c, in, want := s.c, s.b.in.Len(), inbox.Len{}
	for l := range convs {
		want.Messages += len(c.lane[l])
		if c.closed[l] {
			want.Closed++
		}
	}
	for _, st := range c.st {
		switch {
		case st == handling:
			want.Handling++
		case st == backoff: // also while it waits for a worker
			want.Waiting++
		}
	}
	in.Delayed, in.OldestHandler, in.OldestWaiting = 0, 0, 0 // the model has no time
	if c.stopped {
		in.Closed, want.Closed = 0, 0 // after a stop nothing is accepted
	}
	assert.Equal(s.t, want, in)
	due, _ := s.b.in.Due()
	assert.Equal(s.t, c.due, due, "due")
	live := 0
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for j := range sends {
		switch c.rq[ackFrames+j] {
		case waiting, written:
			live++
			assert.False(s.t, s.b.ended[j], "send %d has ended: %+v", j, s.b.ends[j])
		case confirmed:
			assert.Equal(s.t, outbox.Confirmed, s.b.ends[j].Kind, "send %d", j)
		case unconfirmed:
			assert.ErrorIs(s.t, s.b.ends[j].Err, outbox.ErrLinkLost, "send %d", j)
		case free:
		}
	}
	assert.Equal(s.t, live, s.b.out.Len().Requests)
}

// end makes every goroutine return.
func (s *schedule) end() {
	if s.t.Failed() {
		for _, st := range s.steps {
			s.t.Log(st.name, st.arg)
		}
	}
	s.b.in.Stop()
	for i, st := range s.c.st {
		if st == handling {
			s.b.finish(i)
		}
	}
	s.b.out.Close(outbox.ErrNoReply)
	synctest.Wait()
}
