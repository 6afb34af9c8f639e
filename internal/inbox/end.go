package inbox

// Stop takes nothing any more, and lets go of everything that is not being handled at this moment. It does not block.
func (b *Box[M]) Stop() {
	//mutant:stop-tells
	if acked := b.stop(); len(acked) > 0 {
		go b.letGo(acked)
	}
}

// letGo tells of messages that waited for another attempt and do not come again. It counts as a worker, and each
// message as being handled, until that is done. Where LetGo ends this goroutine, another one goes on.
func (b *Box[M]) letGo(acked []M) {
	exits := true
	defer func() {
		if exits {
			b.toldOne()
			go b.letGo(acked[1:])
		}
	}()
	for ; len(acked) > 0; acked = acked[1:] {
		b.cfg.LetGo(acked[0])
		b.toldOne()
	}
	exits = false
	b.mu.Lock()
	defer b.mu.Unlock()
	b.workers--
	b.tellIdle()
}

func (b *Box[M]) toldOne() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handling--
}

// stop returns those that were acknowledged. They are counted until letGo has told of them.
func (b *Box[M]) stop() (acked []M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.ready.clear()
	b.unparkAll()
	for key, l := range b.lanes {
		stay := 0
		if l.stage == handling {
			stay = 1
		} else {
			delete(b.lanes, key)
		}
		gone := l.items.All()[stay:]
		if l.stage == backingOff && l.verdict.Acked {
			acked = append(acked, gone[0].m)
		}
		for i := range gone {
			b.remove(l, &gone[i], false)
		}
		l.items.Keep(stay)
	}
	if len(acked) > 0 {
		b.workers++
		//mutant:stop-counts
		b.handling += len(acked)
	}
	return acked
}

// Idle returns a channel that is closed as soon as no worker runs; of use after Stop.
func (b *Box[M]) Idle() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.idle = append(b.idle, ch)
	b.tellIdle()
	return ch
}

func (b *Box[M]) tellIdle() {
	if b.workers > 0 {
		return
	}
	for _, ch := range b.idle {
		close(ch)
	}
	b.idle = nil
}

// Abandon returns how many messages are still being handled, or to be told of by LetGo. Handle is expected to ask
// Abandoned, and to discard their results.
func (b *Box[M]) Abandon() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned.Store(true)
	b.unwatch()
	return b.handling
}
