package inbox

// ManualIDs bounds the manual ids.
const ManualIDs = manualIDs

// Left is everything a Box holds, to see that nothing stays behind.
type Left struct{ Used, IDs, Manual, Lanes, Closed, Ready, Workers, Messages, Handling int }

// Left returns what b holds.
func (b *Box[K, M]) Left() Left {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Left{
		Used: int(b.used), IDs: len(b.ids.states) - b.ids.manual, Manual: b.ids.manual, Lanes: len(b.lanes),
		Closed: len(b.closing.lanes), Ready: b.ready.Len(), Workers: b.workers, Messages: b.messages, Handling: b.handling,
	}
}

// Entries returns how many entries the order of manual ids has.
func (b *Box[K, M]) Entries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.order.Len()
}

// Sum returns what the messages in b count, lane by lane.
func (b *Box[K, M]) Sum() (used, inLanes, sum int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		var bytes int64
		for _, it := range l.items.All() {
			bytes += it.cost()
		}
		if bytes != l.bytes {
			return 0, 0, -1
		}
		sum += bytes
	}
	return b.used, b.inLanes, sum
}

// Spare is how many empty lanes are kept.
func (b *Box[K, M]) Spare() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.spare)
}

// Open reports whether nothing is closed.
func (b *Box[K, M]) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closing.all && len(b.closing.lanes) == 0
}

// Held reports whether an id is held.
func (b *Box[K, M]) Held(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.has(id)
}
