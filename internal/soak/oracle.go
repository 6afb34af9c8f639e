package soak

import (
	"sync"
	"sync/atomic"
)

// outcome is how one attempt of a handler ended.
type outcome uint8

const (
	success  outcome = iota // returned nil
	decline                 // returned ErrNotHandled: finished with
	drop                    // gave the message up: finished with
	failure                 // anything else: there is another attempt to come
	outcomes                // how many there are
)

// Bits of a message's state.
const (
	finished uint8 = 1 << iota // no attempt may follow
	acked
	forgotten // the server refused its acknowledgement for good
)

// inboundOracle watches what becomes of the messages that the server pushes. The server tells it what arrives there, the
// handler what it does; both under one lock and one count, so that it is known which came first. It never asks the client.
type inboundOracle struct {
	*verdicts
	script

	mu    sync.Mutex
	now   uint64        // ticks with every event of either side
	state []uint8       // of every message
	tries map[int]int   // attempts so far, of messages that are not finished with
	lanes []lane        // by conversation
	left  int           // messages that are not both finished with and acknowledged
	ended [outcomes]int // attempts

	events atomic.Uint64 // of progress, for whoever watches it
}

// lane is one conversation.
type lane struct {
	busy int // the message being handled, or -1
	last int // the newest message finished with, or -1
}

func newInboundOracle(v *verdicts, s script, messages int) *inboundOracle {
	o := &inboundOracle{verdicts: v, script: s, state: make([]uint8, messages), tries: make(map[int]int), left: messages}
	o.lanes = make([]lane, s.conversations)
	for i := range o.lanes {
		o.lanes[i] = lane{busy: -1, last: -1}
	}
	return o
}

// began notes that an attempt begins. The handler calls it first.
func (o *inboundOracle) began(message, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if message < 0 || message >= len(o.state) {
		o.add(HandledAgain, "the handler got a message that was never sent")
		return
	}
	if o.state[message]&finished != 0 {
		o.add(HandledAgain, "message %d, attempt %d", message, attempt)
		return
	}
	o.tries[message]++
	if n := o.tries[message]; n != attempt {
		o.add(AttemptCount, "message %d: the handler was told of attempt %d, and it was number %d", message, attempt, n)
	}
	l := &o.lanes[o.conversation(message)]
	if l.busy >= 0 {
		o.add(HandledAtOnce, "messages %d and %d", l.busy, message)
	}
	l.busy = message
}

// over notes how an attempt ends. The handler calls it last.
func (o *inboundOracle) over(message int, how outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if o.tries[message] == 0 {
		return // began has complained
	}
	o.ended[how]++
	l := &o.lanes[o.conversation(message)]
	l.busy = -1
	if how == failure {
		return
	}
	delete(o.tries, message)
	if message < l.last {
		o.add(HandledOrder, "message %d after message %d of the same conversation", message, l.last)
	}
	l.last = message
	o.set(message, finished)
}

// acknowledged notes that the server took an acknowledgement. It may come more than once.
func (o *inboundOracle) acknowledged(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if message < 0 || message >= len(o.state) {
		o.add(UnknownAck, "number %d", message)
		return
	}
	if o.state[message]&finished == 0 {
		o.add(AckBeforeHandled, "message %d, at event %d of %d attempts", message, o.now, o.tries[message])
	}
	o.set(message, acked)
}

// forget notes that the server refused an acknowledgement for good: another one comes when the message is pushed again.
func (o *inboundOracle) forget(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if message >= 0 && message < len(o.state) && o.state[message]&acked == 0 {
		o.state[message] |= forgotten
	}
}

func (o *inboundOracle) set(message int, bit uint8) {
	before := o.state[message]
	if before&bit != 0 {
		return
	}
	o.state[message] |= bit
	o.events.Add(1)
	if o.state[message]&(finished|acked) == finished|acked {
		o.left--
	}
}

// tick counts an event. Not each is progress.
func (o *inboundOracle) tick() { o.now++ }

// unfinished returns how many messages are not finished with or not acknowledged, and how many of them only wait for an
// acknowledgement that the server refused once.
func (o *inboundOracle) unfinished() (left, refused int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left > 10_000 {
		return o.left, 0 // far from the end; not worth a search
	}
	for _, s := range o.state {
		if s&(finished|acked|forgotten) == finished|forgotten {
			refused++
		}
	}
	return o.left, refused
}

// attempts returns how many attempts ended in each way.
func (o *inboundOracle) attempts() [outcomes]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// finish checks what has to hold at the end.
func (o *inboundOracle) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, s := range o.state {
		if s&finished == 0 {
			o.add(NotHandled, "message %d", i)
		}
		if s&acked == 0 {
			o.add(NotAcknowledged, "message %d", i)
		}
	}
}
