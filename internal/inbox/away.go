package inbox

import (
	"maps"
	"strings"
	"time"
)

// mostAway bounds the messages of which something is kept after they were let go.
const mostAway = 2 * mostClosed

// gone is what is kept of a message that was let go after an attempt, so that its attempts go on being counted when the
// server pushes it again. Nothing else is: what its owner keeps in the message itself is lost with it.
type gone struct {
	tried  int32         // attempts
	failed time.Duration // when the first one failed
	list   uint32        // after which of the server's lists it was let go, or refused again
}

// away are messages that were let go after an attempt. Their ids are not held.
type away struct {
	gone map[string]gone
	list uint32 // Reopens
}

// of returns what is kept of a message: nothing in most cases.
func (a *away) of(id string) gone {
	if len(a.gone) == 0 {
		return gone{}
	}
	return a.gone[id]
}

// add keeps what is needed of a message that is let go. Its id is copied: it may be a small part of a large message.
func (a *away) add(id string, tried int32, failed time.Duration) {
	if len(a.gone) < mostAway {
		//mutant:away-count
		a.gone[strings.Clone(id)] = gone{tried: tried, failed: failed, list: a.list}
	}
}

// refused notes that the server has pushed a message again, and that it was refused.
func (a *away) refused(id string) {
	if g, ok := a.gone[id]; ok {
		g.list = a.list
		a.gone[id] = g
	}
}

func (a *away) forget(id string) {
	if len(a.gone) > 0 {
		delete(a.gone, id)
	}
}

// listed forgets the messages that the last list, which began after they were let go, did not bring.
func (a *away) listed() {
	a.list++
	//mutant:away-forgotten
	maps.DeleteFunc(a.gone, func(_ string, g gone) bool { return g.list+1 < a.list })
}

// oldest returns the time since the first failure of those that the next list is to bring.
func (a *away) oldest(now time.Duration) (age time.Duration) {
	for _, g := range a.gone {
		if g.list == a.list && g.failed > 0 {
			age = max(age, now-g.failed)
		}
	}
	return age
}
