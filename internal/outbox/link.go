package outbox

import "time"

// linkState is the state of the current link.
type linkState struct {
	up       bool
	listed   bool   // a List was written on it
	owed     int    // entries written on it and not answered
	writes   uint64 // frames written on it
	answered bool   // a request was answered
	answers  uint64 // number of answered requests
	pongs    uint64
	solo     solo
	quiet    quiet
	slow     slow
}

// Up starts a link. It must be called before the link's writer calls Next. Without a link, requests of class List are
// discarded.
func (b *Box) Up() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = linkState{up: true}
	if b.cautious {
		b.link.slow = slow{window: 1, since: time.Now()}
	}
	b.ready.before = b.seq
}

// Heard records that the peer has answered a ping.
func (b *Box) Heard() {
	b.mu.Lock()
	b.link.pongs++
	b.mu.Unlock()
}

// Down ends the link. lost means that the peer or the network ended it. Requests written on it wait for the next link,
// unconfirmed and in their original order, except for suspects. Requests of class List are discarded without a call of
// done.
func (b *Box) Down(lost bool) {
	var ends endings
	b.mu.Lock()
	var blamed *entry
	var alone bool
	//mutant:blame-lost
	if lost {
		blamed, alone = b.blamed()
	}
	b.beCautious(lost)
	for _, e := range b.byID {
		b.offLink(e)
		switch {
		//mutant:outbox-down
		case e.Class == List:
			b.remove(e)
		case e.state == written:
			e.unconfirmed = true
			b.requeue(e)
		}
	}
	if blamed != nil {
		b.blame(blamed, alone, &ends)
	}
	b.link = linkState{}
	b.mu.Unlock()
	ends.run()
}

// quiet is a pause of requests of class Send at the end of a link.
type quiet struct {
	paused  bool
	awaited int // requests in flight since it began
	done    chan struct{}
}

// Quiesce stops the writing of requests of class Send until Resume or the next Up. It returns a channel that is closed
// when the requests now in flight have ended. It does not wait for those without a reply in time.
func (b *Box) Quiesce() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := &b.link.quiet
	if q.paused {
		return q.done
	}
	*q = quiet{paused: true, done: make(chan struct{})}
	for _, e := range b.byID {
		//mutant:quiesce-late
		if e.onLink && e.Class != List && !e.late {
			e.awaited = true
			q.awaited++
		}
	}
	q.signalQuiet()
	b.signal() // others may have waited for a suspect of class Send
	return q.done
}

// Resume undoes Quiesce, because the link is not replaced.
func (b *Box) Resume() {
	b.mu.Lock()
	//mutant:quiesce-ends
	b.link.quiet = quiet{}
	for _, e := range b.byID {
		e.awaited = false
	}
	b.mu.Unlock()
	b.signal()
}

// ended records that a request is no longer awaited.
func (q *quiet) ended() {
	q.awaited--
	q.signalQuiet()
}

func (q *quiet) signalQuiet() {
	if q.awaited == 0 {
		close(q.done)
	}
}
