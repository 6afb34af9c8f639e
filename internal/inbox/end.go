package inbox

// Stop takes nothing any more, and lets go of everything that is not being handled at this moment.
func (b *Box[K, M]) Stop() {
	for _, m := range b.stop() {
		b.cfg.LetGo(m)
	}
}

// stop returns those that have been tried.
func (b *Box[K, M]) stop() (tried []M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.ready.Keep(0)
	for key, l := range b.lanes {
		stay := 0
		if l.stage == handling {
			stay = 1
		} else {
			delete(b.lanes, key)
		}
		gone := l.items.All()[stay:]
		for i := range gone {
			if gone[i].attempt > 0 {
				tried = append(tried, gone[i].m)
			}
			b.remove(l, &gone[i], false)
		}
		l.items.Keep(stay)
		if l.park != nil {
			l.park.Stop()
		}
	}
	return tried
}

// Idle returns a channel that is closed as soon as no worker runs; of use after Stop.
func (b *Box[K, M]) Idle() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.idle = append(b.idle, ch)
	b.tellIdle()
	return ch
}

func (b *Box[K, M]) tellIdle() {
	if b.workers > 0 {
		return
	}
	for _, ch := range b.idle {
		close(ch)
	}
	b.idle = nil
}

// Abandon returns how many messages are still being handled. Handle is expected to ask Abandoned, and to discard
// their results.
func (b *Box[K, M]) Abandon() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned.Store(true)
	return b.handling
}
