package inbox

import "time"

// work handles messages until no lane is ready. Handle and OnReleased run user code, which may end this goroutine
// (runtime.Goexit). Then another worker continues.
func (b *Box[M]) work(hired bool) {
	exits, left := true, false
	defer func() {
		if exits && !left {
			//mutant:worker-replace
			go b.work(false)
		}
	}()
	for l, it := b.next(hired); l != nil; l, it = b.next(false) {
		if b.attempt(l, it, &left); left {
			return
		}
	}
	exits = false
}

// next returns the lane that has been ready for longest, and its first message. If there is none that may be handled
// now, the worker no longer counts.
func (b *Box[M]) next(hired bool) (*lane[M], item[M]) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if hired {
		b.starting = false
	}
	if !b.ready.any() {
		b.workers--
		if b.workers == 0 {
			b.unwatch()
		}
		b.signalIdle()
		return nil, item[M]{}
	}
	l := b.ready.pop()
	it := l.head()
	l.stage, l.began, l.slow = handling, now, false
	b.watchFrom(now, now)
	it.attempt++
	b.handling++
	b.hire()
	return l, *it
}

// attempt handles the first message of l once. left becomes true if this goroutine no longer counts as a worker.
func (b *Box[M]) attempt(l *lane[M], it item[M], left *bool) {
	l.verdict = Verdict{Note: l.verdict.Note}
	defer b.conclude(l, it.m, left) // deferred, because Handle may end this goroutine
	b.cfg.Handle(it.m, int(it.attempt), &l.verdict)
}

// conclude carries out the verdict of an attempt.
func (b *Box[M]) conclude(l *lane[M], m M, left *bool) {
	v := l.verdict
	if *left = v.detached; *left {
		b.left(l)
		return
	}
	if v.Then == Retry && b.backOffLane(l, v.After) {
		b.cfg.OnBackoff()
		return
	}
	defer b.finish(l, v.Then == Keep) // deferred, because OnReleased may end this goroutine
	if v.Then == Retry && v.Acked {
		b.cfg.OnReleased(m) // Stop was called in the meantime
	}
}

// Abandoned reports whether Abandon was called.
func (b *Box[M]) Abandoned() bool { return b.abandoned.Load() }

// finish removes the first message of l.
func (b *Box[M]) finish(l *lane[M], keep bool) { b.signalDue(b.pop(l, keep)) }

func (b *Box[M]) pop(l *lane[M], keep bool) due {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncount(l)
	it := l.items.Pop()
	b.remove(l, &it, keep)
	if l.closed && l.bytes <= l.half {
		//mutant:lane-due
		b.closing.low = true
	}
	l.failed, l.verdict = 0, Verdict{}
	if l.items.Len() > 0 {
		b.begin(l) // for this worker, which continues
	} else {
		b.discard(l)
	}
	return b.nowDue()
}

// backOffLane makes l ready again later, unless Stop was called. No goroutine waits for it.
func (b *Box[M]) backOffLane(l *lane[M], after time.Duration) bool {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	if l.failed == 0 {
		l.failed = now
	}
	//mutant:lane-backoff
	b.uncount(l)
	l.stage = backingOff
	b.backOff(l, now+after, now)
	return true
}
