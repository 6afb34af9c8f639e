package outbox

import "time"

// linkState is what belongs to the present link.
type linkState struct {
	up       bool
	listed   bool   // a List was written on it
	owed     int    // entries written on it and not answered
	writes   uint64 // frames written on it
	answered bool   // a request
	answers  uint64 // to requests
	pongs    uint64
	solo     solo
	quiet    quiet
	slow     slow
}

// Up tells that a link is there, before its writer calls Next. Without one, requests of class List are not taken.
func (b *Box) Up() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = linkState{up: true}
	if b.cautious {
		b.link.slow = slow{window: 1, since: time.Now()}
	}
	b.ready.before = b.seq
}

// Heard tells that the peer has answered a ping.
func (b *Box) Heard() {
	b.mu.Lock()
	b.link.pongs++
	b.mu.Unlock()
}

// Down tells that the link is gone, and whether it was lost: the peer ended it, or the network. Requests that were
// written on it wait for the next one, unconfirmed and in their first order, but for suspects. Requests of class List
// are forgotten, and their done is not called.
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

// quiet is a pause of requests of class Send, at the end of a link.
type quiet struct {
	paused  bool
	awaited int // requests that were unanswered when it began, and still are
	done    chan struct{}
}

// Quiesce lets no request of class Send be written until Resume or the next Up. It returns a channel that is closed
// as soon as the requests that are unanswered now are answered or given up. Those that had no reply in time are not
// awaited.
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
	q.tell()
	b.signal() // others may have waited for a suspect of class Send
	return q.done
}

// Resume undoes Quiesce: the link is not to be replaced after all.
func (b *Box) Resume() {
	b.mu.Lock()
	//mutant:quiet-resume
	b.link.quiet = quiet{}
	for _, e := range b.byID {
		e.awaited = false
	}
	b.mu.Unlock()
	b.signal()
}

// ended notes that a request is not awaited any more.
func (q *quiet) ended() {
	q.awaited--
	q.tell()
}

func (q *quiet) tell() {
	if q.awaited == 0 {
		close(q.done)
	}
}
