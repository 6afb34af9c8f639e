package serve

import "time"

// Speed is the latency and the bandwidth of a line. The zero value is unlimited.
type Speed struct {
	Latency        time.Duration // to the client, added to the transfer time
	BytesPerSecond int           // in each direction, of compressed frames; 0: unlimited
}

// SetSpeed changes the speed of the connection, also for frames in transit.
func (c *Conn) SetSpeed(p Speed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != c.speed {
		c.speed = p
		close(c.speedChanged)
		c.speedChanged = make(chan struct{})
	}
}

// currentSpeed returns the speed, and a channel that is closed when it changes.
func (c *Conn) currentSpeed() (Speed, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.speed, c.speedChanged
}

// waitFor waits until an item of n bytes has crossed a slow line. The bytes of an item are sent after those of the
// previous item, which end at *free. The item arrives one latency after its last byte was sent.
func (c *Conn) waitFor(it Item, n int, free *time.Time) {
	p, changed := c.currentSpeed()
	if p == (Speed{}) {
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
		p, changed = c.currentSpeed()
	}
}

// catchUp advances *free for a client that read late: no later item was sent before that.
func (c *Conn) catchUp(free *time.Time) {
	p, _ := c.currentSpeed()
	if sent := time.Now().Add(-p.Latency); sent.After(*free) {
		*free = sent
	}
}

// receive waits until n bytes of the client have crossed a slow line.
func (c *Conn) receive(n int) {
	p, changed := c.currentSpeed()
	if p.BytesPerSecond <= 0 {
		return
	}
	defer c.occupy()()
	began := time.Now()
	for !c.wait(time.Until(began.Add(p.OnTheWire(n))), changed) {
		p, changed = c.currentSpeed()
	}
}

// OnTheWire returns the transfer time of n bytes.
func (p Speed) OnTheWire(n int) time.Duration {
	if p.BytesPerSecond <= 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(p.BytesPerSecond) * float64(time.Second))
}

// wait waits for d, or until the connection ends. It returns false if changed was closed first.
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
