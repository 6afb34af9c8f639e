package blaze

import (
	"fmt"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/link"
)

// drain brings what is under way to its end once Run's context has ended: handlers first, for they still send; then sends
// and acknowledgements; then the connection. When the link is lost meanwhile or the time is up, the rest is skipped.
func (c *Client) drain(l *link.Link) {
	c.inbox.Stop()
	if c.cfg.Drain < 0 {
		l.Fail(link.ErrClosed)
		return
	}
	end := time.Now().Add(c.cfg.Drain)
	timer := time.NewTimer(c.cfg.Drain)
	defer timer.Stop()
	await := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		case <-l.Done():
		case <-timer.C:
		}
		return false
	}
	if await(c.inbox.Idle()) {
		c.seal()
		c.acker.hurry()
		_ = await(c.acker.idle()) && await(c.outbox.Drained())
	}
	l.Close(time.Until(end))
}

// seal turns new requests away.
func (c *Client) seal() {
	c.acker.seal()
	c.outbox.Seal(ErrClosed)
}

// finish ends everything that is left and says how Run ended. err is the refusal that ended it, or nil if its context did.
func (c *Client) finish(err error) error {
	c.inbox.Stop()
	abandoned := c.inbox.Abandon()
	c.endHandlers()
	c.seal()
	requests := c.outbox.Len().Requests
	acks := c.acker.close()
	if abandoned+requests+acks > 0 && err == nil {
		err = fmt.Errorf("%w: %s", ErrDrain, left(abandoned, requests, acks))
	} else if abandoned > 0 {
		err = fmt.Errorf("%w; %w: handlers still running: %d", err, ErrDrain, abandoned)
	}
	closed := ErrClosed
	if err != nil {
		closed = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.setOffline(closed)
	c.outbox.Close(closed)
	c.end()
	c.closeIdle()
	c.acker.join()
	if abandoned == 0 {
		<-c.inbox.Idle() // its workers are on their way out
	}
	return err
}

// left says what was not finished, without what was.
func left(handlers, requests, acks int) string {
	var parts []string
	for _, p := range []struct {
		what string
		n    int
	}{{"handlers still running", handlers}, {"requests unanswered", requests}, {"acknowledgements unconfirmed", acks}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", p.what, p.n))
		}
	}
	return strings.Join(parts, ", ")
}
