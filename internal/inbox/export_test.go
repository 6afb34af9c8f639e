package inbox

// ManualIDs bounds the manual ids.
const ManualIDs = manualIDs

// Left is everything a Box holds, to see that nothing stays behind.
type Left struct{ Used, IDs, Manual, Lanes, Closed, Ready, Workers, Messages, Handling, Large int }

// Left returns what b holds.
func (b *Box[M]) Left() Left {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Left{
		Used: int(b.used), IDs: len(b.ids.states) - b.ids.manual, Manual: b.ids.manual, Lanes: len(b.lanes),
		Closed: b.closedLanes(), Ready: b.ready.Len(), Workers: b.workers, Messages: b.messages, Handling: b.handling,
		Large: int(b.ready.running),
	}
}

func (b *Box[M]) closedLanes() int {
	n := len(b.closing.empty)
	for _, l := range b.lanes {
		if l.closed {
			n++
		}
	}
	return n
}

// Away returns of how many messages that were let go something is kept.
func (b *Box[M]) Away() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.released)
}

// MostAway bounds them.
const MostAway = maxReleased

// Entries returns how many entries the order of manual ids has.
func (b *Box[M]) Entries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.order.Len()
}

// Sum returns what the messages in b count, lane by lane, and how many of them are larger than half of b.
func (b *Box[M]) Sum() (used, inLanes, sum int64, larger int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		var bytes int64
		for _, it := range l.items.All() {
			bytes += it.cost()
			if it.cost() > b.cfg.Bytes/2 {
				larger++
			}
		}
		if bytes != l.bytes {
			return 0, 0, -1, 0
		}
		sum += bytes
	}
	return b.used, b.inLanes, sum, larger
}

// SpareLanes bounds the empty lanes that are kept.
const SpareLanes = spareLanes

// Spare is how many empty lanes are kept.
func (b *Box[M]) Spare() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.spare)
}

// Open reports whether nothing is closed.
func (b *Box[M]) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closing.all && b.closedLanes() == 0
}

// Held reports whether an id is held.
func (b *Box[M]) Held(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.has(id)
}
