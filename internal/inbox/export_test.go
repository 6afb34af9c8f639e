package inbox

// Left is everything a Box holds, to see that nothing stays behind.
type Left struct{ Used, Held, Kept, Lanes, Ready, Workers, Messages, Handling int }

// Left returns what b holds.
func (b *Box[K, M]) Left() Left {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Left{
		Used: int(b.used), Held: len(b.held), Kept: b.kept.Len(), Lanes: len(b.lanes), Ready: b.ready.Len(),
		Workers: b.workers, Messages: b.messages, Handling: b.handling,
	}
}

// Spare is how many empty lanes are kept.
func (b *Box[K, M]) Spare() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.spare)
}

// Gate returns the id of the message that the gate waits for, or "" while it is open.
func (b *Box[K, M]) Gate() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gate.id
}
