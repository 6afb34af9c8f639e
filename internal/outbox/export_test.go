package outbox

// Left is the whole state of a Box. Tests check that nothing stays behind. Open is -1 if the counter of open requests
// is wrong.
type Left struct{ Entries, Queued, OnLink, Open, Waiters, TakenSlots, TakenBytes int }

// Waiting reports whether a request with that frame id is in the Box.
func (b *Box) Waiting(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id] != nil
}

// Age returns the sequence number of a request.
func (b *Box) Age(id string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id].seq
}

// Left returns the state of b.
func (b *Box) Left() Left {
	b.mu.Lock()
	defer b.mu.Unlock()
	queued := b.timed.Len() + b.ready.suspects.Len()
	for i := range b.ready.queues {
		queued += b.ready.queues[i].Len()
	}
	open := 0
	for _, e := range b.byID {
		if e.open {
			open++
		}
	}
	if open != b.link.slow.open {
		open = -1
	}
	return Left{
		Entries: len(b.byID), Queued: queued, OnLink: b.link.owed, Open: open, Waiters: len(b.capacity.waiters),
		TakenSlots: b.capacity.maxSlots - b.capacity.slots, TakenBytes: int(b.capacity.maxBytes - b.capacity.bytes),
	}
}
