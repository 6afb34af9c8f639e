package inbox

import "slices"

// mostClosed bounds the lanes that are closed at once and hold nothing. The others are bounded by what they hold.
const mostClosed = 1000

// closing is what is refused until Reopen. Where a lane has refused or let go a message, it takes no later one, so that
// none overtakes it: the server has to push all of them again, the oldest first.
type closing[K comparable] struct {
	lanes map[K]struct{} // also those that hold nothing
	empty int            // how many of them hold nothing
	all   bool           // every lane is
	cost  int64          // with all: of the message that has to fit
	most  int64          // that the box held when something closed; 0: nothing did
	low   bool           // a closed lane is down to half of what it held
	told  due
}

// due is what Config.Due is to be told.
type due uint8

const (
	notDue due = iota
	laneDue
	wholeDue
)

// refuses reports whether a lane is closed. l is nil where the lane is empty.
func (b *Box[K, M]) refuses(key K, l *lane[K, M]) bool {
	if b.closing.most == 0 {
		return false
	}
	if l != nil {
		//mutant:lane-refuses
		return b.closing.all || l.closed
	}
	_, closed := b.closing.lanes[key]
	//mutant:lane-gone
	return b.closing.all || closed
}

// limit returns how much may be in use where a message of that cost is taken. One that is larger than the box comes on
// top of half of it: it has to be taken at some time, or it would be pushed for ever.
func (b *Box[K, M]) limit(cost int64) int64 {
	if cost > b.cfg.Bytes {
		return b.cfg.Bytes / 2
	}
	return b.cfg.Bytes - cost
}

// fits reports whether there is room.
func (b *Box[K, M]) fits(cost int64) bool { return b.used <= b.limit(cost) }

// makeRoom lets lanes give way to a message of c, and reports whether it fits now. If they cannot, c closes. Where c is
// nil, which is an empty lane, no lane is to blame, and everything closes; but not for a message that is larger than
// the box, or was let go after an attempt: its own lane closes.
func (b *Box[K, M]) makeRoom(key K, c *lane[K, M], it *item[M]) bool {
	cost, larger := it.cost(), it.cost() > b.cfg.Bytes
	//mutant:close-all
	if !larger && b.inLanes < b.used/2 { // acknowledgements fill the box
		b.closeAll(cost)
		return false
	}
	givers := b.givers(c, it)
	fits := givers != nil
	//mutant:close-own
	own := !fits && c == nil && (larger || it.attempt > 0)
	switch {
	case fits, own:
	case c != nil:
		givers = []giver[K, M]{{lane: c, stay: c.items.Len()}}
	default:
		b.closeAll(cost)
		return false
	}
	if b.wouldBeEmpty(givers, own) > mostClosed {
		b.closeAll(0)
		return false
	}
	for _, g := range givers {
		b.giveWay(g)
	}
	if own {
		b.close(key)
		b.closing.empty++
		b.away.refused(it.id)
	}
	return fits
}

// wouldBeEmpty returns how many closed lanes would hold nothing once these had given way, and one more had closed.
func (b *Box[K, M]) wouldBeEmpty(givers []giver[K, M], more bool) int {
	n := b.closing.empty
	for _, g := range givers {
		if g.stay == 0 {
			n++
		}
	}
	if more {
		n++
	}
	return n
}

// giver is a lane that gives way, how many of its messages stay, and what those that do not count.
type giver[K comparable, M any] struct {
	lane  *lane[K, M]
	stay  int
	freed int64
}

// givers returns the lanes that are to give way to a message of c, or nil where that would not make room for it. Those
// that hold more than c would with it let queued messages go, the largest first. If that is not enough and the message
// would be the first of its lane, others give way with a message that is backing off.
func (b *Box[K, M]) givers(c *lane[K, M], it *item[M]) []giver[K, M] {
	share := it.cost()
	if c != nil {
		share += c.bytes
	}
	givers, need := b.givesQueued(c, share, b.used-b.limit(it.cost()))
	//mutant:heads-give
	if need > 0 && c == nil {
		givers, need = b.givesHeads(givers, need, it.attempt)
	}
	if need > 0 {
		return nil
	}
	return givers
}

// givesQueued returns the lanes whose queued messages are to give way, and what is needed beside.
func (b *Box[K, M]) givesQueued(c *lane[K, M], share, need int64) (givers []giver[K, M], left int64) {
	var larger []*lane[K, M]
	for _, l := range b.lanes {
		if l != c && l.bytes > share && l.items.Len() > 1 {
			larger = append(larger, l)
		}
	}
	for need > 0 && len(larger) > 0 {
		l := takeFirst(&larger, func(a, b *lane[K, M]) bool { return a.closed && !b.closed })
		stay, freed := l.gives(need, max(need, b.cfg.Bytes/16), share)
		givers = append(givers, giver[K, M]{l, stay, freed})
		need -= freed
	}
	return givers, need
}

// givesHeads adds lanes that are to give way as a whole, because their first message is backing off, and returns what
// is needed beside. It has to have been tried more often than the newcomer, so that messages that only fail take turns.
// Of lanes that hold the same, the one that was tried most gives way.
func (b *Box[K, M]) givesHeads(givers []giver[K, M], need int64, tried int32) ([]giver[K, M], int64) {
	var waiting []*lane[K, M]
	for _, l := range b.lanes {
		if l.stage == backingOff && l.head().attempt > tried {
			waiting = append(waiting, l)
		}
	}
	for n := 0; need > 0 && len(waiting) > 0 && n <= mostClosed; {
		l := takeFirst(&waiting, func(a, b *lane[K, M]) bool { return a.head().attempt > b.head().attempt })
		if b.acked(l) {
			continue
		}
		n++
		g := giver[K, M]{lane: l, freed: l.bytes}
		need -= g.freed
		if i := slices.IndexFunc(givers, func(g giver[K, M]) bool { return g.lane == l }); i >= 0 {
			need += givers[i].freed
			givers[i] = g
			continue
		}
		givers = append(givers, g)
	}
	return givers, need
}

// head returns the first message of a lane that is not empty.
func (l *lane[K, M]) head() *item[M] { return &l.items.All()[0] }

// acked reports whether the first message of a lane is backing off although it was acknowledged. The server would not
// push it again.
func (b *Box[K, M]) acked(l *lane[K, M]) bool {
	//mutant:acked-stays
	return l.verdict.Acked || b.ids.acked(l.head().id)
}

// takeFirst takes the lane that holds most off a list; of several, one that is before the others.
func takeFirst[K comparable, M any](list *[]*lane[K, M], before func(a, b *lane[K, M]) bool) *lane[K, M] {
	lanes := *list
	at := 0
	for i, l := range lanes {
		if l.bytes > lanes[at].bytes || l.bytes == lanes[at].bytes && before(l, lanes[at]) {
			at = i
		}
	}
	l := lanes[at]
	*list = slices.Delete(lanes, at, at+1)
	return l
}

// gives returns how many of a lane's messages stay when its newest are let go, and what that frees: what is needed, as
// long as the lane holds more than share; and up to plenty, as long as share is left to it, so that this happens
// seldom. The first message stays: it may be being handled, and a lane that is never empty is never starved.
func (l *lane[K, M]) gives(need, plenty, share int64) (stay int, freed int64) {
	items := l.items.All()
	for stay = len(items); stay > 1; stay-- {
		cost := items[stay-1].cost()
		needed := freed < need && l.bytes-freed > share
		spare := freed < plenty && l.bytes-freed-cost >= share
		if !needed && !spare {
			break
		}
		freed += cost
	}
	return stay, freed
}

// giveWay lets the newest messages of a lane go, if any, and closes it.
func (b *Box[K, M]) giveWay(g giver[K, M]) {
	l := g.lane
	gone := l.items.All()[g.stay:]
	for i := range gone {
		if it := &gone[i]; it.attempt > 0 {
			b.away.add(it.id, it.attempt, l.failed)
		}
		b.remove(l, &gone[i], false)
	}
	l.items.Keep(g.stay)
	//mutant:lane-close
	l.closed, l.half = true, l.bytes/2
	b.close(l.key)
	if g.stay == 0 {
		b.unpark(l)
		b.discard(l)
	}
}

// close closes a lane. The flag in the lane itself, if there is one, is the caller's affair.
func (b *Box[K, M]) close(key K) {
	b.closing.lanes[key] = struct{}{}
	//mutant:close-empty
	b.closing.most = max(b.closing.most, b.used, 1) // nothing is left where the only message gave way
}

// unpark ends the wait for another attempt.
func (b *Box[K, M]) unpark(l *lane[K, M]) {
	if l.park != nil {
		l.park.Stop() // if it is too late for that, discard makes the timer's function do nothing
		return
	}
	if i := slices.Index(b.ready.All(), l); i >= 0 {
		b.ready.Remove(i)
	}
}

// closeAll closes every lane. It is not due before a message of that cost fits.
func (b *Box[K, M]) closeAll(cost int64) {
	b.closing.all, b.closing.cost = true, cost
	b.closing.most = max(b.closing.most, b.used)
}

// nowDue returns what became due and was not told since Reopen.
func (b *Box[K, M]) nowDue() due {
	c := &b.closing
	switch {
	case c.most == 0 || b.stopped || c.told == wholeDue || c.all && !b.fits(c.cost):
		return notDue
	//mutant:whole-due
	case b.used <= c.most/2:
		c.told = wholeDue
		return wholeDue
	case c.low && c.told == notDue:
		c.told = laneDue
		return laneDue
	}
	return notDue
}

func (b *Box[K, M]) tell(d due) {
	if d != notDue {
		b.cfg.Due(d == wholeDue)
	}
}

// Stuck reports whether something is closed of which what is held may never make a part due: every lane, or some that
// hold nothing. The others are due when they are down to half, and nothing is gained before.
func (b *Box[K, M]) Stuck() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.all || b.closing.empty > 0
}

// Due reports whether Config.Due was called since Reopen, and whether that was for the whole box.
func (b *Box[K, M]) Due() (due, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.told != notDue, b.closing.told == wholeDue
}

// Reopen opens everything that is closed: the server is about to push everything that is pending, the oldest first.
func (b *Box[K, M]) Reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away.listed()
	for key := range b.closing.lanes {
		if l := b.lanes[key]; l != nil {
			l.closed = false
		}
	}
	clear(b.closing.lanes)
	b.closing = closing[K]{lanes: b.closing.lanes}
}
