package inbox

import "time"

// watchFrom schedules the check of an attempt. If the timer is running, it checks an earlier attempt first and
// continues with this one.
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

// unwatch stops the timer. It is called when no attempt is running, or none is to be reported any more.
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

// look reports attempts that have been running for long.
func (b *Box[M]) look() {
	found, busy := b.slowOnes()
	for _, s := range found {
		b.cfg.Slow(s.key, s.id, s.running, busy)
	}
}

// slowOnes returns the unreported slow attempts and schedules the next check.
func (b *Box[M]) slowOnes() (found []slowOne, busy int) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwatch()
	if b.abandoned.Load() {
		return nil, 0
	}
	var next time.Duration // start of the oldest other attempt; 0: none
	for l := range b.all() {
		switch {
		case l.stage != handling || l.slow:
		case now-l.began >= b.cfg.SlowAfter:
			//mutant:slow-handler
			l.slow = true
			found = append(found, slowOne{l.key, l.head().id, now - l.began})
		case next == 0 || l.began < next:
			next = l.began
		}
	}
	if next > 0 {
		b.watchFrom(next, now)
	}
	return found, b.handling
}
