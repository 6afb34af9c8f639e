package inbox

import "strings"

// Detach ends the running attempt of a message without a verdict. The message stays in flight, outside its lane, until
// Settle. Its lane continues, and the goroutine that runs Handle no longer counts as a worker. The caller must ensure
// that Handle has not returned yet, and does not change its Verdict any more.
func (b *Box[M]) Detach(key, id string) { b.signalDue(b.detach(key, id)) }

func (b *Box[M]) detach(key, id string) due {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.running(key, id)
	//mutant:detached-counted
	b.handling--
	b.ready.done(l)
	b.workers--
	l.verdict.detached = true // l itself stays with the goroutine of Handle
	it := l.items.Pop()
	b.continueLane(l, it.cost())
	alone := &lane[M]{key: aloneKey(key, id), bytes: it.cost(), stage: detached, began: now, failed: l.failed}
	alone.items.Push(it)
	b.lanes[alone.key] = alone
	b.detached++
	b.hire()
	return b.nowDue()
}

// running returns the lane in which an attempt of a message is running: its own if it was detached before.
func (b *Box[M]) running(key, id string) *lane[M] {
	if l := b.lanes[key]; l != nil && l.stage == handling && l.head().id == id {
		return l
	}
	return b.lanes[aloneKey(key, id)]
}

// continueLane replaces a lane by one with the rest of its messages, after the first one of that cost was removed.
func (b *Box[M]) continueLane(l *lane[M], cost int64) {
	delete(b.lanes, l.key)
	rest := b.open(l.key)
	rest.items, l.items = l.items, rest.items
	rest.bytes, rest.closed, rest.half = l.bytes-cost, l.closed, l.half
	if rest.closed && rest.bytes <= rest.half {
		b.closing.low = true
	}
	if rest.items.Len() == 0 {
		b.discard(rest)
		return
	}
	//mutant:detached-lane
	b.begin(rest)
}

// Settle ends a detached message with a verdict. A Retry waits and runs without its lane.
func (b *Box[M]) Settle(key, id string, v Verdict) {
	l, m := b.settled(key, id, v)
	var left bool
	b.conclude(l, m, &left)
}

func (b *Box[M]) settled(key, id string, v Verdict) (l *lane[M], m M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l = b.lanes[aloneKey(key, id)]
	l.verdict = v
	return l, l.head().m
}

// aloneKey returns the key of the lane of a message that was detached. It has no other message.
func aloneKey(key, id string) string { return key + aloneMark + id }

// aloneMark does not occur in keys: they are UUIDs.
const aloneMark = "\x00"

// laneKey returns the key of the lane that a message was in before it was detached.
func laneKey(key string) string {
	key, _, _ = strings.Cut(key, aloneMark)
	return key
}

// uncount ends the count of a message as running, or as detached.
func (b *Box[M]) uncount(l *lane[M]) {
	if l.stage == detached {
		b.detached--
		b.signalIdle()
		return
	}
	b.handling--
	b.ready.done(l)
}
