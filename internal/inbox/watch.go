package inbox

import "time"

// watchFrom has the timer look at an attempt that began then. Where the timer runs already, it looks at one that began
// before, and goes on with this one.
func (b *Box[M]) watchFrom(began, now time.Duration) {
	if b.watching || b.cfg.Slow == nil || b.abandoned.Load() {
		return
	}
	b.watching = true
	after := began + b.cfg.SlowAfter - now
	if b.watch == nil {
		b.watch = time.AfterFunc(after, b.look)
	} else {
		b.watch.Reset(after)
	}
}

// unwatch stops the timer. It is called when no attempt runs, or none is to be told of any more.
func (b *Box[M]) unwatch() {
	if b.watching {
		b.watching = false
		b.watch.Stop()
	}
}

// slowOne is an attempt that has been running for long.
type slowOne struct {
	key, id string
	running time.Duration
}

// look tells of the attempts that have been running for long.
func (b *Box[M]) look() {
	found, busy := b.slowOnes()
	for _, s := range found {
		b.cfg.Slow(s.key, s.id, s.running, busy)
	}
}

// slowOnes returns those that were not told of, and has the timer wait for the next one.
func (b *Box[M]) slowOnes() (found []slowOne, busy int) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwatch()
	if b.abandoned.Load() {
		return nil, 0
	}
	var next time.Duration // when the oldest of the others began; 0: there is none
	for key, l := range b.lanes {
		switch {
		case l.stage != handling || l.slow:
		case now-l.began >= b.cfg.SlowAfter:
			//mutant:slow-handler
			l.slow = true
			found = append(found, slowOne{key, l.head().id, now - l.began})
		case next == 0 || l.began < next:
			next = l.began
		}
	}
	if next > 0 {
		b.watchFrom(next, now)
	}
	return found, b.handling
}
