package inbox

import (
	"strings"
	"time"
)

// mostClosed bounds the lanes that are closed at once and hold nothing. The others are bounded by what they hold.
const mostClosed = 1000

// closing is what is refused until Reopen. Where a lane has refused or let go a message, it takes no later one, so that
// none overtakes it: the server has to push all of them again, the oldest first. A closed lane that holds messages says
// so itself.
type closing struct {
	empty map[string]time.Duration // closed lanes that hold nothing: when what gave way failed first, 0 if it did not
	all   bool                     // every lane is closed
	most  int64                    // that the box held when something closed; 0: nothing did
	low   bool                     // a closed lane is down to half of what it held
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
func (b *Box[M]) refuses(key string, l *lane[M]) bool {
	if b.closing.most == 0 {
		return false
	}
	if l != nil {
		//mutant:lane-refuses
		return b.closing.all || l.closed
	}
	_, closed := b.closing.empty[key]
	//mutant:lane-gone
	return b.closing.all || closed
}

// close notes that a lane is closed.
func (b *Box[M]) close(l *lane[M]) {
	//mutant:lane-close
	l.closed, l.half = true, l.bytes/2
	b.closed()
}

// closeEmpty notes that a lane that holds nothing is closed. The key is copied: it may be a small part of a large
// message.
func (b *Box[M]) closeEmpty(key string, failed time.Duration) {
	b.closing.empty[strings.Clone(key)] = failed
	b.closed()
}

// closed notes that something closed.
func (b *Box[M]) closed() {
	//mutant:close-empty
	b.closing.most = max(b.closing.most, b.used, 1) // nothing is in use where the only message gave way
}

// closeAll closes every lane.
func (b *Box[M]) closeAll() {
	b.closing.all = true
	b.closed()
}

// nowDue returns what became due and was not told since Reopen.
func (b *Box[M]) nowDue() due {
	c := &b.closing
	switch {
	case c.most == 0 || b.stopped || c.told == wholeDue:
		return notDue
	//mutant:whole-due
	case b.used <= min(c.most, b.cfg.Bytes)/2: // then any message fits
		c.told = wholeDue
		return wholeDue
	case c.low && c.told == notDue:
		c.told = laneDue
		return laneDue
	}
	return notDue
}

func (b *Box[M]) tell(d due) {
	if d != notDue {
		b.cfg.Due(d == wholeDue)
	}
}

// Stuck reports whether something is closed that may never become due: every lane, or lanes that hold nothing. A closed
// lane that holds messages is due when it is down to half.
func (b *Box[M]) Stuck() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.all || len(b.closing.empty) > 0
}

// Due reports whether Config.Due was called since Reopen, and whether that was for the whole box.
func (b *Box[M]) Due() (due, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.told != notDue, b.closing.told == wholeDue
}

// Reopen opens everything that is closed: the server is about to push everything that is pending, the oldest first.
func (b *Box[M]) Reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		l.closed = false
	}
	clear(b.closing.empty)
	b.closing = closing{empty: b.closing.empty}
}
