package inbox

import "slices"

// mostClosed bounds the lanes that are closed at once.
const mostClosed = 1000

// closing is what is refused until Reopen. Where a lane has refused or let go a message, it takes no later one, so that
// none overtakes it: the server has to push all of them again, the oldest first.
type closing[K comparable] struct {
	lanes map[K]struct{} // also those whose messages have all been handled since
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

// fits reports whether there is room. An empty box takes any one message, so that one larger than the box is not pushed
// for ever.
func (b *Box[K, M]) fits(cost int64) bool { return b.used == 0 || b.used+cost <= b.cfg.Bytes }

// makeRoom lets lanes that hold more than c would with another message give way to it, and reports whether it fits now.
// If they cannot, c closes. Everything closes where c is nil, which is an empty lane, because no lane is to blame then.
func (b *Box[K, M]) makeRoom(c *lane[K, M], cost int64) bool {
	//mutant:close-all
	if cost > b.cfg.Bytes || b.inLanes < b.used/2 {
		// It needs the box for itself; or acknowledgements fill the box.
		b.closeAll(cost)
		return false
	}
	givers := b.givers(c, cost)
	fits := givers != nil
	if !fits {
		if c == nil {
			b.closeAll(cost)
			return false
		}
		givers = []giver[K, M]{{c, c.items.Len()}}
	}
	if b.wouldClose(givers) > mostClosed {
		b.closeAll(0)
		return false
	}
	for _, g := range givers {
		b.giveWay(g)
	}
	return fits
}

// wouldClose returns how many lanes would be closed once these were.
func (b *Box[K, M]) wouldClose(givers []giver[K, M]) int {
	n := len(b.closing.lanes)
	for _, g := range givers {
		if !g.lane.closed {
			n++
		}
	}
	return n
}

// giver is a lane that gives way, and how many of its messages stay.
type giver[K comparable, M any] struct {
	lane *lane[K, M]
	stay int
}

// givers returns the lanes that are to give way to a message of c, the largest first, or nil where that would not make
// room for it.
func (b *Box[K, M]) givers(c *lane[K, M], cost int64) []giver[K, M] {
	share := cost
	if c != nil {
		share += c.bytes
	}
	var larger []*lane[K, M]
	for _, l := range b.lanes {
		if l != c && l.bytes > share && l.items.Len() > 1 {
			larger = append(larger, l)
		}
	}
	var givers []giver[K, M]
	for need := b.used + cost - b.cfg.Bytes; need > 0; {
		l := takeLargest(&larger)
		if l == nil {
			return nil
		}
		stay, freed := l.gives(need, max(need, b.cfg.Bytes/16), share)
		givers = append(givers, giver[K, M]{l, stay})
		need -= freed
	}
	return givers
}

// takeLargest takes the lane that holds most off a list; of several, one that is closed already.
func takeLargest[K comparable, M any](list *[]*lane[K, M]) *lane[K, M] {
	lanes := *list
	if len(lanes) == 0 {
		return nil
	}
	at := 0
	for i, l := range lanes {
		if l.bytes > lanes[at].bytes || l.bytes == lanes[at].bytes && l.closed {
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
	gone := g.lane.items.All()[g.stay:]
	for i := range gone {
		b.remove(g.lane, &gone[i], false)
	}
	g.lane.items.Keep(g.stay)
	//mutant:lane-close
	g.lane.closed, g.lane.half = true, g.lane.bytes/2
	b.closing.lanes[g.lane.key] = struct{}{}
	b.closing.most = max(b.closing.most, b.used)
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
	for key := range b.closing.lanes {
		if l := b.lanes[key]; l != nil {
			l.closed = false
		}
	}
	clear(b.closing.lanes)
	b.closing = closing[K]{lanes: b.closing.lanes}
}
