package inbox

import (
	"cmp"
	"slices"
)

// fewHeads bounds the lanes that are released entirely beyond the need.
const fewHeads = 16

// limit returns the maximum usage at which a message of that cost is accepted. A message of more than half of the box
// is accepted when half is free, because waiting for more could take forever.
func (b *Box[M]) limit(cost int64) int64 { return b.cfg.Bytes - min(cost, b.cfg.Bytes/2) }

// fits reports whether there is capacity.
func (b *Box[M]) fits(cost int64) bool { return b.used <= b.limit(cost) }

// makeCapacity releases messages of other lanes for a message of lane c, and reports whether it fits now. If that is
// impossible, it closes c. A nil c means that the message's lane is empty and not the cause. Then it closes every lane,
// or only the message's own if the message is larger than half of the box or was released before. It also closes every
// lane if acknowledgements fill the box, or if more than maxClosed empty lanes would be closed.
func (b *Box[M]) makeCapacity(key string, c *lane[M], it *item[M]) bool {
	large := it.cost() > b.cfg.Bytes/2
	//mutant:close-all
	if !large && b.inLanes < b.used/2 { // acknowledgements fill the box
		b.closeAll()
		return false
	}
	releases := b.releases(c, it)
	fits, emptied := releases != nil, 0
	for _, g := range releases {
		if g.stay == 0 {
			emptied++
		}
	}
	//mutant:close-own
	own := large || it.attempt > 0
	switch {
	case fits:
	case c != nil:
		b.close(c)
		return false
	case !own:
		b.closeAll()
		return false
	default:
		emptied = 1
	}
	if len(b.closing.empty)+emptied > maxClosed {
		b.closeAll()
		return false
	}
	if !fits {
		b.closeEmpty(key, b.released[it.id].failed)
	}
	for _, g := range releases {
		b.releaseNewest(g)
	}
	return fits
}

// laneRelease is a lane that releases messages, the number that stay, and the cost of the others.
type laneRelease[M any] struct {
	lane  *lane[M]
	stay  int
	freed int64
}

// releases returns the lanes that must release messages for a message of c, or nil if that would not suffice. Lanes
// that are larger than c would become release queued messages, largest lanes first. If that is not enough and the
// message would be the first of its lane, lanes with their first message in backoff are released entirely.
func (b *Box[M]) releases(c *lane[M], it *item[M]) []laneRelease[M] {
	share := it.cost()
	if c != nil {
		share += c.bytes
	}
	releases, need := b.releaseQueued(c, share, b.used-b.limit(it.cost()))
	//mutant:heads-released
	if need > 0 && c == nil {
		releases, need = b.releaseHeads(releases, need, it.attempt)
	}
	if need > 0 {
		return nil
	}
	return releases
}

// releaseQueued returns the lanes that release queued messages, and the bytes still needed.
func (b *Box[M]) releaseQueued(c *lane[M], share, need int64) (releases []laneRelease[M], left int64) {
	var larger []*lane[M]
	for l := range b.all() {
		if l != c && l.bytes > share && l.items.Len() > 1 {
			larger = append(larger, l)
		}
	}
	for need > 0 && len(larger) > 0 {
		l := takeLargest(&larger)
		stay, freed := l.releasable(need, max(need, b.cfg.Bytes/16), share)
		releases = append(releases, laneRelease[M]{l, stay, freed})
		need -= freed
	}
	return releases, need
}

// releaseHeads adds lanes to release entirely, because their first message is backing off, and returns the bytes still
// needed. That message must have had more attempts than the new one, so that failing messages take turns. The largest
// lanes come first, and of equal ones the one with most attempts. If they are small, a few more are released, so that
// this happens rarely.
func (b *Box[M]) releaseHeads(releases []laneRelease[M], need int64, tried int32) ([]laneRelease[M], int64) {
	var waiting []*lane[M]
	for l := range b.all() {
		if l.stage == backingOff && l.head().attempt > tried {
			waiting = append(waiting, l)
		}
	}
	slices.SortFunc(waiting, func(x, y *lane[M]) int {
		return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(y.head().attempt, x.head().attempt))
	})
	n, plenty := 0, need-b.cfg.Bytes/16
	for _, l := range waiting {
		if n > maxClosed || need <= 0 && (n >= fewHeads || need <= plenty) {
			break
		}
		if b.acked(l) {
			continue
		}
		n++
		g := laneRelease[M]{lane: l, freed: l.bytes}
		need -= g.freed
		if i := slices.IndexFunc(releases, func(g laneRelease[M]) bool { return g.lane == l }); i >= 0 {
			need += releases[i].freed
			releases[i] = g
			continue
		}
		releases = append(releases, g)
	}
	return releases, need
}

// head returns the first message of a lane that is not empty.
func (l *lane[M]) head() *item[M] { return &l.items.All()[0] }

// acked reports whether the first message of a lane is backing off and was acknowledged. The server would not redeliver
// it.
func (b *Box[M]) acked(l *lane[M]) bool {
	//mutant:acked-stays
	return l.verdict.Acked || b.ids.acked(l.head().id)
}

// takeLargest removes the largest lane from a list; of equal ones, one that is closed already.
func takeLargest[M any](list *[]*lane[M]) *lane[M] {
	lanes := *list
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

// releasable returns how many of a lane's messages stay if the newest are released, and the bytes that frees: need,
// while the lane is larger than share, and up to plenty, while it keeps share, so that this happens rarely. The first
// message stays: it may be running, and a lane that is never empty is never starved.
func (l *lane[M]) releasable(need, plenty, share int64) (stay int, freed int64) {
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

// releaseNewest releases the newest messages of a lane and closes it.
func (b *Box[M]) releaseNewest(g laneRelease[M]) {
	l := g.lane
	if g.stay == 0 {
		//mutant:released-attempts
		b.released.add(l.head().id, memory{
			tried: l.head().attempt, failed: l.failed, wakes: l.wakes, note: l.verdict.Note,
			alone: l.alone != "",
		})
		b.endBackoff(l)
	}
	gone := l.items.All()[g.stay:]
	for i := range gone {
		b.remove(l, &gone[i], false)
	}
	l.items.Keep(g.stay)
	b.close(l)
	if g.stay == 0 {
		b.discard(l)
	}
}
