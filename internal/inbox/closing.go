package inbox

import (
	"strings"
	"time"
)

// maxClosed bounds the closed empty lanes. The number of closed lanes with messages is bounded by the messages.
const maxClosed = 1000

// closing is what the box rejects until Reopen. A lane that has rejected or released a message accepts no later one, so
// that order holds. The server must redeliver all of them, oldest first. The flag of a closed lane with messages is in
// the lane.
type closing struct {
	empty    map[string]time.Duration // closed empty lanes, with the first failure of the released message; 0: none
	all      bool                     // every lane is closed
	most     int64                    // maximum usage since something closed; 0: nothing is closed
	low      bool                     // a closed lane has shrunk to half of its size
	reported due
}

// due is the argument for Config.Due.
type due uint8

const (
	notDue due = iota
	laneDue
	wholeDue
)

// rejects reports whether a lane is closed. l is nil if the lane is empty.
func (b *Box[M]) rejects(key string, l *lane[M]) bool {
	if b.closing.most == 0 {
		return false
	}
	if l != nil {
		//mutant:lane-rejects
		return b.closing.all || l.closed
	}
	_, closed := b.closing.empty[key]
	//mutant:lane-empty
	return b.closing.all || closed
}

// close closes a lane.
func (b *Box[M]) close(l *lane[M]) {
	//mutant:lane-close
	l.closed, l.half = true, l.bytes/2
	b.closed()
}

// closeEmpty closes an empty lane. The key is copied, because it may be a small part of a large message.
func (b *Box[M]) closeEmpty(key string, failed time.Duration) {
	b.closing.empty[strings.Clone(key)] = failed
	b.closed()
}

// closed updates the state after something was closed.
func (b *Box[M]) closed() {
	//mutant:close-empty
	b.closing.most = max(b.closing.most, b.used, 1) // usage is 0 after the only message was released
}

// closeAll closes every lane.
func (b *Box[M]) closeAll() {
	b.closing.all = true
	b.closed()
}

// nowDue returns what became due and was not reported since Reopen.
func (b *Box[M]) nowDue() due {
	c := &b.closing
	switch {
	case c.most == 0 || b.stopped || c.reported == wholeDue:
		return notDue
	//mutant:whole-due
	case b.used <= min(c.most, b.cfg.Bytes)/2: // then any message fits
		c.reported = wholeDue
		return wholeDue
	case c.low && c.reported == notDue:
		c.reported = laneDue
		return laneDue
	}
	return notDue
}

func (b *Box[M]) signalDue(d due) {
	if d != notDue {
		b.cfg.Due(d == wholeDue)
	}
}

// Stuck reports whether something is closed that may never become due: every lane, or empty lanes. A closed lane with
// messages becomes due when it has shrunk to half.
func (b *Box[M]) Stuck() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.all || len(b.closing.empty) > 0
}

// Due reports whether Config.Due was called since Reopen, and whether it was called for the whole box.
func (b *Box[M]) Due() (due, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing.reported != notDue, b.closing.reported == wholeDue
}

// Reopen opens all lanes. The server is about to push all pending messages, oldest first.
func (b *Box[M]) Reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.all() {
		l.closed = false
	}
	clear(b.closing.empty)
	b.closing = closing{empty: b.closing.empty}
}
