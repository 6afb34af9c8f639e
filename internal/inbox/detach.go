package inbox

import (
	"iter"
	"maps"
	"strings"
	"time"
)

// Detach ends the running attempt of a message without a verdict. The message stays in flight, outside its lane, until
// Settle. Its lane continues, and the goroutine that runs Handle no longer counts as a worker. The caller must ensure
// that Handle has not returned yet, and does not change its Verdict any more.
func (b *Box[M]) Detach(key, id string) { b.signalDue(b.detach(key, id)) }

func (b *Box[M]) detach(key, id string) due {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.alone[id]
	if l == nil {
		l = b.lanes[key]
	}
	//mutant:detached-counted
	b.handling--
	b.ready.done(l)
	b.workers--
	l.verdict.detached = true // l itself stays with the goroutine of Handle
	it := l.items.Pop()
	if l.alone == "" {
		b.continueLane(l, it.cost())
	}
	alone := b.openAlone(key, id)
	alone.stage, alone.bytes, alone.failed, alone.from = detached, it.cost(), l.failed, l
	alone.items.Push(it)
	b.detached++
	b.hire()
	return b.nowDue()
}

// continueLane replaces a lane by one with the rest of its messages, after the first one of that cost was removed.
func (b *Box[M]) continueLane(l *lane[M], cost int64) {
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

// openAlone adds a lane for a single message that was detached.
func (b *Box[M]) openAlone(key, id string) *lane[M] {
	l := &lane[M]{key: key, alone: id}
	b.alone[id] = l
	return l
}

// all returns all lanes.
func (b *Box[M]) all() iter.Seq[*lane[M]] {
	return func(yield func(*lane[M]) bool) {
		for _, lanes := range [...]map[string]*lane[M]{b.lanes, b.alone} {
			for l := range maps.Values(lanes) {
				if !yield(l) {
					return
				}
			}
		}
	}
}

// name returns the name of a lane in closing.empty.
func (l *lane[M]) name() string {
	if l.alone != "" {
		return aloneName(l.key, l.alone)
	}
	return l.key
}

// aloneName returns the name of the lane of a single message. Keys and ids are UUIDs. If they were chosen so that the
// name is also that of another lane, a message would only be rejected until Reopen.
func aloneName(key, id string) string { return key + aloneMark + id }

const aloneMark = "\x00"

// Settle ends a detached message with a verdict. A Retry waits and runs without its lane.
func (b *Box[M]) Settle(id string, v Verdict) {
	l, m := b.settled(id, v)
	var left bool
	b.conclude(l, m, &left)
}

func (b *Box[M]) settled(id string, v Verdict) (l *lane[M], m M) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l = b.alone[id]
	l.verdict = v
	if from := l.from; !from.gone.returned {
		from.gone.settled = true
		b.leaving++
	}
	l.from = nil
	return l, l.head().m
}

// departure is what happened after Detach to the goroutine and to the message.
type departure struct{ returned, settled bool }

// left records that the goroutine of a detached message has returned.
func (b *Box[M]) left(l *lane[M]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.gone.returned = true
	if l.gone.settled {
		//mutant:detached-leaves
		b.leaving--
		b.signalIdle()
	}
}

// HeldUp returns the number of lanes that wait for their first message, which is in backoff or was released during it,
// and the time since the first failure of the one that has been waiting longest. Detached messages hold up no lane.
func (b *Box[M]) HeldUp() (lanes int, oldest time.Duration) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	held := func(failed time.Duration) {
		lanes++
		oldest = max(oldest, now-failed)
	}
	for _, l := range b.lanes {
		if l.stage == backingOff {
			held(l.failed)
		}
	}
	for name, failed := range b.closing.empty {
		if failed > 0 && !strings.Contains(name, aloneMark) {
			held(failed)
		}
	}
	return lanes, oldest
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
