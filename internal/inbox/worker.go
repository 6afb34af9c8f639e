package inbox

import "time"

// work handles messages until no lane is ready. Handle and LetGo run user code, which may end this goroutine
// (runtime.Goexit): another worker takes its place then.
func (b *Box[K, M]) work(hired bool) {
	exits := true
	defer func() {
		if exits {
			//mutant:worker-replace
			go b.work(false)
		}
	}()
	for l, it := b.next(hired); l != nil; l, it = b.next(false) {
		b.attempt(l, it)
	}
	exits = false
}

// next takes the lane that has been ready for longest, and its first message; without one, the worker is no longer
// counted.
func (b *Box[K, M]) next(hired bool) (*lane[K, M], item[M]) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if hired {
		b.starting = false
	}
	if b.ready.Len() == 0 {
		b.workers--
		b.tellIdle()
		return nil, item[M]{}
	}
	l := b.ready.Pop()
	l.stage, l.began = handling, now
	it := &l.items.All()[0]
	it.attempt++
	b.handling++
	b.hire()
	return l, *it
}

// attempt handles the first message of l once.
func (b *Box[K, M]) attempt(l *lane[K, M], it item[M]) {
	l.verdict = Verdict{}
	defer b.conclude(l, it.m) // also where Handle ends this goroutine
	b.cfg.Handle(it.m, int(it.attempt), &l.verdict)
}

// conclude carries out the verdict of an attempt.
func (b *Box[K, M]) conclude(l *lane[K, M], m M) {
	v := l.verdict
	if v.Then == Retry && b.parkLane(l, v.After) {
		b.cfg.Parked()
		return
	}
	defer b.finish(l, v.Then == Keep) // also where LetGo ends this goroutine
	if v.Then == Retry {
		b.cfg.LetGo(m) // Stop was called meanwhile
	}
}

// Abandoned reports whether Abandon was called.
func (b *Box[K, M]) Abandoned() bool { return b.abandoned.Load() }

// finish takes the first message of l away.
func (b *Box[K, M]) finish(l *lane[K, M], keep bool) { b.tell(b.pop(l, keep)) }

func (b *Box[K, M]) pop(l *lane[K, M], keep bool) due {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handling--
	it := l.items.Pop()
	b.remove(l, &it, keep)
	if l.closed && l.bytes <= l.half {
		//mutant:lane-due
		b.closing.low = true
	}
	if l.items.Len() > 0 {
		l.stage = queued
		b.ready.Push(l) // for this worker, which goes on
	} else {
		b.discard(l)
	}
	return b.nowDue()
}

// parkLane makes l ready again later, unless Stop was called. No goroutine waits for that.
func (b *Box[K, M]) parkLane(l *lane[K, M], after time.Duration) bool {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	if l.items.All()[0].attempt == 1 {
		l.failed = now
	}
	//mutant:lane-park
	b.handling--
	l.stage = backingOff
	l.park = time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		l.park = nil
		if !b.stopped {
			l.stage = queued
			b.ready.Push(l)
			b.hire()
		}
	})
	return true
}
