package serve

import "time"

// Pace is how slow a line is. The zero value is as fast as the machine.
type Pace struct {
	Latency        time.Duration // of the way to the client, in addition to the time that the bytes take
	BytesPerSecond int           // each way, of compressed frames; 0: no limit
}

// SetPace makes the connection as slow as p from now on, what is on its way already too.
func (c *Conn) SetPace(p Pace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != c.pace {
		c.pace = p
		close(c.paced)
		c.paced = make(chan struct{})
	}
}

// paceNow returns the pace, and a channel that is closed when it changes.
func (c *Conn) paceNow() (Pace, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pace, c.paced
}

// waitFor waits until an item of n bytes has arrived over a slow line. The line carries the bytes of one item after the
// other, from free on, and each item arrives a latency after its last byte was sent.
func (c *Conn) waitFor(it Item, n int, free *time.Time) {
	p, changed := c.paceNow()
	if p == (Pace{}) {
		return
	}
	if p.BytesPerSecond > 0 {
		defer c.excuse()()
	}
	began := it.at
	if free.After(began) {
		began = *free
	}
	for {
		*free = began.Add(p.OnTheWire(n))
		if c.wait(time.Until(free.Add(p.Latency)), changed) {
			return
		}
		p, changed = c.paceNow()
	}
}

// catchUp makes up for a client that did not read: meanwhile the line carried nothing of the items that follow.
func (c *Conn) catchUp(free *time.Time) {
	p, _ := c.paceNow()
	if sent := time.Now().Add(-p.Latency); sent.After(*free) {
		*free = sent
	}
}

// receive waits until a slow line has carried n bytes of the client.
func (c *Conn) receive(n int) {
	p, changed := c.paceNow()
	if p.BytesPerSecond <= 0 {
		return
	}
	defer c.occupy()()
	began := time.Now()
	for !c.wait(time.Until(began.Add(p.OnTheWire(n))), changed) {
		p, changed = c.paceNow()
	}
}

// OnTheWire returns how long n bytes take.
func (p Pace) OnTheWire(n int) time.Duration {
	if p.BytesPerSecond <= 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(p.BytesPerSecond) * float64(time.Second))
}

// wait waits for d, or until the connection ends. False means that changed was closed before.
func (c *Conn) wait(d time.Duration, changed <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.over:
	case <-changed:
		return false
	}
	return true
}
