package soak

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mixin-blaze/blaze"
)

// outcome is how one attempt of a handler ended.
type outcome uint8

const (
	success  outcome = iota // returned nil
	decline                 // returned ErrNotHandled: finished with
	drop                    // gave the message up: finished with, unless Run ended meanwhile
	failure                 // anything else: there is another attempt to come, unless it was the last
	outcomes                // how many there are
)

// Bits of a message's state.
const (
	finished   uint8 = 1 << iota // no attempt may follow
	acked                        // by the client, as the server says
	forgotten                    // the server refused its acknowledgement for good
	recorded                     // in the ledger that outlives a process
	unrecorded                   // the ledger failed to record it
	early                        // recorded or acknowledged, and not handled yet: with AckReceived
	givenUp                      // no handler has succeeded, and none needs to
	tried                        // by a process that has ended, or in vain: its answers may be stored
)

// inboundOracle watches what becomes of the messages that the server pushes. The server tells it what arrives there,
// the handler what it does, the ledger what it records; all under one lock and one count, so that it is known which
// came first. It never asks the client.
type inboundOracle struct {
	*verdicts
	script

	mu      sync.Mutex
	process int
	mode    mode
	ending  bool             // the process has been told to end
	clean   bool             // it has ended, and left nothing behind
	now     uint64           // ticks with every event of either side
	state   []uint8          // of every message
	tries   map[int]int      // attempts of this process so far, of messages that are not finished with
	hurried map[int]struct{} // messages that are early
	lanes   []lane           // by conversation
	left    int              // messages that are not both finished with and acknowledged
	ended   [outcomes]int    // attempts
	late    int              // attempts that ended when the process had been told to end
	given   int              // messages given up

	events atomic.Uint64 // of progress, for whoever watches it
}

// lane is one conversation.
type lane struct {
	busy int // the message being handled, or -1
	last int // the newest message finished with, or -1
}

func newInboundOracle(v *verdicts, s script, messages int) *inboundOracle {
	o := &inboundOracle{
		verdicts: v, script: s, state: make([]uint8, messages),
		tries: make(map[int]int), hurried: make(map[int]struct{}),
		left: messages,
	}
	o.lanes = make([]lane, s.lanes(messages))
	for i := range o.lanes {
		o.lanes[i] = lane{busy: -1, last: -1}
	}
	return o
}

// restart notes that a process begins. The messages that are pending come again, those too that were handled, unless
// the ledger has them.
func (o *inboundOracle) restart(process int, m mode, pending []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.process, o.mode, o.ending, o.clean = process, m, false, false
	for n := range o.tries {
		o.state[n] |= tried
	}
	clear(o.tries)
	for i := range o.lanes {
		o.lanes[i].busy = -1
	}
	for n := range o.hurried { // at most once: nobody else will handle them
		o.state[n] |= givenUp
		o.finish(n)
	}
	clear(o.hurried)
	for _, n := range pending {
		if o.state[n]&recorded != 0 && !m.forgets {
			continue
		}
		o.reopen(n)
	}
}

// reopen lets a message be handled again, although younger ones of its conversation were handled since. The caller
// holds mu.
func (o *inboundOracle) reopen(message int) {
	if o.state[message]&finished != 0 {
		l := &o.lanes[o.conversation(message)]
		l.last = min(l.last, message-1)
		o.state[message] |= tried
	}
	o.state[message] &^= finished | recorded | unrecorded | givenUp
}

// remind lets a message be handled again that nobody remembers: the ledger has failed, and its acknowledgement was
// refused. The caller holds mu.
func (o *inboundOracle) remind(message int) {
	const bits = finished | unrecorded | recorded | acked | early
	if o.state[message]&bits == finished|unrecorded {
		o.reopen(message)
	}
}

// stopping notes that the process is told to end: from now on a failure counts as no attempt.
func (o *inboundOracle) stopping() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
}

// gone notes that the process has ended. Unless that was clean, handlers may be left.
func (o *inboundOracle) gone(clean bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clean = clean
}

// stale reports whether what is told comes from a process that has ended. The caller holds mu.
func (o *inboundOracle) stale(process int) bool { return process != o.process }

func (o *inboundOracle) known(message int) bool { return message >= 0 && message < len(o.state) }

// began notes that an attempt begins. The handler calls it first.
func (o *inboundOracle) began(process, message, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if o.stale(process) || o.clean {
		if o.clean {
			o.add(HandledAgain, "message %d, by a process that has ended", message)
		}
		return
	}
	if !o.known(message) {
		o.add(HandledAgain, "the handler got a message that was never sent")
		return
	}
	o.remind(message)
	s := o.state[message]
	if s&finished != 0 || s&recorded != 0 && s&early == 0 {
		o.add(HandledAgain, "message %d, attempt %d of process %d; state %b", message, attempt, process, s)
		return
	}
	o.tries[message]++
	if n := o.tries[message]; n != attempt {
		o.add(AttemptCount, "message %d: the handler was told of attempt %d, and it was number %d", message, attempt, n)
	}
	if most := o.mode.handlerAttempts; most > 0 && attempt > most {
		o.add(AttemptCount, "message %d: attempt %d of at most %d", message, attempt, most)
	}
	l := &o.lanes[o.conversation(message)]
	if l.busy >= 0 {
		o.add(HandledAtOnce, "messages %d and %d", l.busy, message)
	}
	if message < l.last {
		o.add(HandledOrder, "message %d after message %d of the same conversation", message, l.last)
	}
	l.busy = message
}

// over notes how an attempt ends. The handler calls it last.
func (o *inboundOracle) over(process, message int, how outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if o.stale(process) || !o.known(message) || o.tries[message] == 0 {
		return // its process has ended, or began has complained
	}
	o.ended[how]++
	if o.ending {
		o.late++
	}
	o.lanes[o.conversation(message)].busy = -1
	if how == success || how == decline {
		o.finish(message)
	}
}

// dropped notes that the client gives a message up because of err, before it acknowledges it.
func (o *inboundOracle) dropped(process, message int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		return
	}
	o.given++
	if o.stale(process) {
		return // told late, of a message that was acknowledged before its handler ran
	}
	last := o.mode.handlerAttempts > 0 && o.tries[message] >= o.mode.handlerAttempts
	undone := o.ending && o.mode.ack == blaze.AckReceived
	if !last && !undone && !o.refusedAgain(message, err) && o.kind(message) != dropped {
		o.add(GivenUpEarly, "message %d, after %d attempts of %d: %v",
			message, o.tries[message], o.mode.handlerAttempts, err)
	}
	o.state[message] |= givenUp
	o.finish(message)
}

// refusedAgain reports whether a message was given up because of a 403 that may be about an answer from before. The
// first attempt takes that for unconfirmed, and a later one for final. The caller holds mu.
func (o *inboundOracle) refusedAgain(message int, err error) bool {
	return errors.Is(err, blaze.CodeForbidden) && o.state[message]&tried != 0 && o.tries[message] > 1
}

// finish notes that no attempt may follow. The caller holds mu.
func (o *inboundOracle) finish(message int) {
	delete(o.tries, message)
	delete(o.hurried, message)
	o.state[message] &^= early
	l := &o.lanes[o.conversation(message)]
	l.last = max(l.last, message)
	o.set(message, finished)
}

// record notes that the ledger is told of a message, and whether it was recorded.
func (o *inboundOracle) record(message int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		o.add(UnknownAck, "recorded number %d", message)
		return
	}
	if o.mode.ack == blaze.AckReceived {
		o.remind(message) // this comes before the handler is called
	}
	if !ok {
		o.state[message] |= unrecorded
	}
	o.settled(message, "recorded")
	if ok {
		o.state[message] |= recorded
	}
}

// has reports whether the ledger has a message.
func (o *inboundOracle) has(message int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known(message) && o.state[message]&recorded != 0
}

// settled checks that a message may be recorded or acknowledged. The caller holds mu.
func (o *inboundOracle) settled(message int, what string) {
	s := &o.state[message]
	switch {
	case *s&(finished|recorded) != 0:
	case o.mode.ack == blaze.AckReceived:
		*s |= early
		o.hurried[message] = struct{}{}
	default:
		o.add(AckBeforeHandled, "message %d is %s at event %d, after %d attempts",
			message, what, o.now, o.tries[message])
	}
}

// acknowledged notes that the server took an acknowledgement. It may come more than once.
func (o *inboundOracle) acknowledged(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		o.add(UnknownAck, "number %d", message)
		return
	}
	o.settled(message, "acknowledged")
	if !o.mode.forgets && o.state[message]&(recorded|unrecorded) == 0 {
		o.add(AckBeforeRecorded, "message %d", message)
	}
	o.set(message, acked)
}

// forget notes that the server refused an acknowledgement for good: another one comes when the message is pushed again.
func (o *inboundOracle) forget(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known(message) && o.state[message]&acked == 0 {
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
// acknowledgement: that the server refused for good, or that the client has given up.
func (o *inboundOracle) unfinished() (left, refused, unacked int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left > 10_000 {
		return o.left, 0, 0 // far from the end; not worth a search
	}
	for _, s := range o.state {
		if s&(finished|acked) == finished {
			unacked++
			if s&forgotten != 0 {
				refused++
			}
		}
	}
	return o.left, refused, unacked
}

// isGivenUp reports whether no handler needs to succeed with a message.
func (o *inboundOracle) isGivenUp(message int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known(message) && o.state[message]&givenUp != 0
}

// attempts returns how many attempts ended in each way, how many of them ended with their process, and how many
// messages were given up.
func (o *inboundOracle) attempts() (ended [outcomes]int, late, given int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended, o.late, o.given
}

// finishAll checks what has to hold at the end.
func (o *inboundOracle) finishAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, s := range o.state {
		if s&finished == 0 {
			o.add(NotHandled, "message %d; state %b", i, s)
		}
		if s&acked == 0 {
			o.add(NotAcknowledged, "message %d; state %b", i, s)
		}
	}
}
