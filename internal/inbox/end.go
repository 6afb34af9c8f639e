package inbox

// Stop closes intake and releases every message whose handler is not running. It does not block.
func (b *Box[M]) Stop() {
	//mutant:stop-reports
	if acked := b.stop(); len(acked) > 0 {
		go b.reportReleased(acked)
	}
}

// reportReleased calls Config.OnReleased for messages in backoff that will not be redelivered. Until it is done it
// counts as a worker, and each message as running. If OnReleased ends this goroutine, another one continues.
func (b *Box[M]) reportReleased(acked []M) {
	exits := true
	defer func() {
		if exits {
			b.reportedOne()
			go b.reportReleased(acked[1:])
		}
	}()
	for ; len(acked) > 0; acked = acked[1:] {
		b.cfg.OnReleased(acked[0])
		b.reportedOne()
	}
	exits = false
	b.mu.Lock()
	defer b.mu.Unlock()
	b.workers--
	b.signalIdle()
}

func (b *Box[M]) reportedOne() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handling--
}

// stop returns the acknowledged messages. They count as running until reportReleased has reported them.
func (b *Box[M]) stop() (acked []M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.ready.clear()
	b.endBackoffs()
	for l := range b.all() {
		stay := 0
		if l.stage == handling || l.stage == detached {
			stay = 1
		} else {
			b.unlist(l)
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

// Idle returns a channel that is closed when no worker is running, no message is detached, and the handlers of messages
// that were detached have returned. It is for use after Stop.
func (b *Box[M]) Idle() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.idle = append(b.idle, ch)
	b.signalIdle()
	return ch
}

func (b *Box[M]) signalIdle() {
	//mutant:detached-drained
	if b.workers > 0 || b.detached > 0 || b.leaving > 0 {
		return
	}
	for _, ch := range b.idle {
		close(ch)
	}
	b.idle = nil
}

// Abandon returns how many messages are running, detached, or waiting for OnReleased. Handle and the caller of Settle
// must then check Abandoned and discard their results.
func (b *Box[M]) Abandon() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.abandoned.Store(true)
	b.unwatch()
	return b.handling + b.detached + b.leaving
}
