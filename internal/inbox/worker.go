package inbox

import "time"

// work handles messages until no lane is ready.
func (b *Box[K, M]) work(hired bool) {
	for {
		l, it := b.next(hired)
		if l == nil {
			return
		}
		hired = false
		b.attempt(l, it)
	}
}

// next takes the lane that has been ready for longest, and its first message; without one, the worker is no longer
// counted.
func (b *Box[K, M]) next(hired bool) (*lane[K, M], item[M]) {
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
	l.busy = true
	it := &l.items.All()[0]
	it.attempt++
	b.handling++
	b.hire()
	return l, *it
}

// attempt handles the first message of l once. Handle and LetGo run user code, which may end this goroutine
// (runtime.Goexit): deferred calls then do the rest, and another worker takes its place.
func (b *Box[K, M]) attempt(l *lane[K, M], it item[M]) {
	l.verdict = Verdict{}
	parked, exits := false, true
	defer func() {
		if !parked {
			b.finish(l, l.verdict.Then == Keep)
		}
		if exits {
			//mutant:worker-replace
			go b.work(false)
		}
	}()
	defer func() {
		handled := !exits
		exits = true
		if l.verdict.Then == Retry {
			if parked = b.parkLane(l, l.verdict.After); !parked {
				b.cfg.LetGo(it.m) // Stop was called meanwhile
			}
		}
		exits = !handled
	}()
	b.cfg.Handle(it.m, int(it.attempt), &l.verdict)
	exits = false
}

// Abandoned reports whether Abandon was called.
func (b *Box[K, M]) Abandoned() bool { return b.abandoned.Load() }

// finish takes the first message of l away.
func (b *Box[K, M]) finish(l *lane[K, M], keep bool) {
	b.mu.Lock()
	b.handling--
	l.busy = false
	it := l.items.Pop()
	if h, ok := b.held[it.id]; keep && ok && !h.forget {
		b.kept.Add(it.id)
	}
	b.free(it)
	if l.items.Len() > 0 {
		b.ready.Push(l) // for this worker, which goes on
	} else {
		b.close(l)
	}
	ask := b.wantsMore()
	b.mu.Unlock()
	b.relist(ask)
}

// parkLane makes l ready again later, unless Stop was called. No goroutine waits for that.
func (b *Box[K, M]) parkLane(l *lane[K, M], after time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	//mutant:lane-park
	b.handling--
	l.busy = false
	l.park = time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		l.park = nil
		if !b.stopped {
			b.ready.Push(l)
			b.hire()
		}
	})
	return true
}

// free gives the room of a message back.
func (b *Box[K, M]) free(it item[M]) {
	b.messages--
	b.used -= int64(it.size)
	if h, ok := b.held[it.id]; ok {
		h.here = false
		b.keepIf(it.id, h)
	} else {
		b.used -= Overhead
	}
}
