package inbox

// ManualIDs is the maximum number of manual ids.
const ManualIDs = manualIDs

// Left is the whole state of a Box. Tests check that nothing stays behind.
type Left struct{ Used, IDs, Manual, Lanes, Closed, Ready, Workers, Messages, Handling, Detached, Large int }

// Left returns the state of b.
func (b *Box[M]) Left() Left {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Left{
		Used: int(b.used), IDs: len(b.ids.states) - b.ids.manual, Manual: b.ids.manual,
		Lanes:  len(b.lanes) + len(b.alone),
		Closed: b.closedLanes(), Ready: b.ready.Len(), Workers: b.workers, Messages: b.messages, Handling: b.handling,
		Detached: b.detached, Large: int(b.ready.running),
	}
}

func (b *Box[M]) closedLanes() int {
	n := len(b.closing.empty)
	for l := range b.all() {
		if l.closed {
			n++
		}
	}
	return n
}

// Released returns the number of released messages with a memory.
func (b *Box[M]) Released() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.released)
}

// MaxReleased is the maximum of Released.
const MaxReleased = maxReleased

// Entries returns the number of entries in the order of manual ids.
func (b *Box[M]) Entries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.order.Len()
}

// Sum returns the counters of used bytes, the sum of the messages' costs, and the number of messages that are larger
// than half of the box. The sum is -1 if a lane's own counter is wrong.
func (b *Box[M]) Sum() (used, inLanes, sum int64, larger int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.all() {
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

// SpareLanes is the maximum number of spare lanes.
const SpareLanes = spareLanes

// Spare returns the number of empty lanes kept for reuse.
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

// InFlight reports whether an id is in flight.
func (b *Box[M]) InFlight(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids.has(id)
}
