package soak

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mixin-blaze/blaze"
)

// outcome is the outcome of one handler attempt.
type outcome uint8

const (
	success  outcome = iota // returned nil
	decline                 // returned ErrNotHandled: finished
	drop                    // returned ErrDrop: finished, unless Run ended meanwhile
	failure                 // anything else: another attempt follows, unless it was the last
	outcomes                // number of outcomes
)

// Bits of a message's state.
const (
	finished    uint8 = 1 << iota // no further attempt is allowed
	acked                         // the server received its acknowledgement
	ackRejected                   // the server rejected its acknowledgement permanently
	recorded                      // in the ledger that outlives a process
	unrecorded                    // the ledger failed to record it
	early                         // recorded or acknowledged before it was handled (AckReceived)
	dropped                       // finished without success
	attempted                     // attempted earlier, so that its replies may be stored
)

// inboundOracle checks the handling of pushed messages. The server reports acknowledgements, the handler its attempts,
// and the ledger its records. One lock and one event counter order them. The oracle reads no state of the client.
type inboundOracle struct {
	*violations
	script

	mu            sync.Mutex
	process       int
	mode          mode
	ending        bool             // the process is ending
	clean         bool             // the process has ended, and Run returned nil
	now           uint64           // number of events
	state         []uint8          // by message
	attemptCounts map[int]int      // of unfinished messages, in this process
	earlyMessages map[int]struct{} // messages with the bit early
	beside        map[int]struct{} // messages that this process detached, handled beside their conversations
	lanes         []lane           // by conversation
	left          int              // messages that are not finished or not acknowledged
	ended         [outcomes]int    // number of attempts by outcome
	late          int              // attempts that ended while their process was ending
	drops         int              // number of dropped messages

	events atomic.Uint64 // events that count as progress
}

// lane is the state of one conversation.
type lane struct {
	busy int // message being handled, or -1
	last int // newest finished message, or -1
}

func newInboundOracle(v *violations, s script, messages int) *inboundOracle {
	o := &inboundOracle{
		violations: v, script: s, state: make([]uint8, messages),
		attemptCounts: make(map[int]int), earlyMessages: make(map[int]struct{}), beside: make(map[int]struct{}),
		left: messages,
	}
	o.lanes = make([]lane, s.lanes(messages))
	for i := range o.lanes {
		o.lanes[i] = lane{busy: -1, last: -1}
	}
	return o
}

// restart records the start of a process. All pending messages are redelivered, and may be handled again unless the
// ledger has them.
func (o *inboundOracle) restart(process int, m mode, pending []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.process, o.mode, o.ending, o.clean = process, m, false, false
	for n := range o.attemptCounts {
		o.state[n] |= attempted
	}
	clear(o.attemptCounts)
	for i := range o.lanes {
		o.lanes[i].busy = -1
	}
	for n := range o.earlyMessages { // at most once: no other process handles them
		o.state[n] |= dropped
		o.finish(n)
	}
	clear(o.earlyMessages)
	for n := range o.beside { // newer messages may have been handled
		l := &o.lanes[o.conversation(n)]
		l.last = min(l.last, n-1)
	}
	clear(o.beside)
	for _, n := range pending {
		if o.state[n]&recorded != 0 && !m.memoryLedger {
			continue
		}
		o.reopen(n)
	}
}

// reopen allows a message to be handled again, even though newer ones of its conversation have been handled. The caller
// holds mu.
func (o *inboundOracle) reopen(message int) {
	if o.state[message]&finished != 0 {
		l := &o.lanes[o.conversation(message)]
		l.last = min(l.last, message-1)
		o.state[message] |= attempted
	}
	o.state[message] &^= finished | recorded | unrecorded | dropped
}

// reopenUnrecorded reopens a message if the ledger failed to record it and its acknowledgement was rejected: then no
// record of it exists. The caller holds mu.
func (o *inboundOracle) reopenUnrecorded(message int) {
	const bits = finished | unrecorded | recorded | acked | early
	if o.state[message]&bits == finished|unrecorded {
		o.reopen(message)
	}
}

// stopping records that the process is ending. From now on a failure is not counted as an attempt.
func (o *inboundOracle) stopping() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
}

// processEnded records the end of the process. If that was not clean, its handlers may still run.
func (o *inboundOracle) processEnded(clean bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clean = clean
}

// stale reports whether an event belongs to a process that has ended. The caller holds mu.
func (o *inboundOracle) stale(process int) bool { return process != o.process }

func (o *inboundOracle) known(message int) bool { return message >= 0 && message < len(o.state) }

// attemptBegan records the start of an attempt. The handler calls it first.
func (o *inboundOracle) attemptBegan(process, message, attempt int) {
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
	o.reopenUnrecorded(message)
	s := o.state[message]
	if s&finished != 0 || s&recorded != 0 && s&early == 0 {
		o.add(HandledAgain, "message %d, attempt %d of process %d; state %b", message, attempt, process, s)
		return
	}
	o.attemptCounts[message]++
	if n := o.attemptCounts[message]; n != attempt {
		o.add(AttemptCount, "message %d: Attempt was %d instead of %d", message, attempt, n)
	}
	if most := o.mode.handlerAttempts; most > 0 && attempt > most {
		o.add(AttemptCount, "message %d: attempt %d of at most %d", message, attempt, most)
	}
	if o.isBeside(message) {
		return
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

// detached records that an attempt detaches its message. The handler calls it just before.
func (o *inboundOracle) detached(process, message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stale(process) || !o.known(message) || o.isBeside(message) {
		return
	}
	o.beside[message] = struct{}{}
	o.lanes[o.conversation(message)].busy = -1
}

// isBeside reports whether a message was detached in this process. The caller holds mu.
func (o *inboundOracle) isBeside(message int) bool {
	_, beside := o.beside[message]
	return beside
}

// attemptEnded records the outcome of an attempt. The handler calls it last.
func (o *inboundOracle) attemptEnded(process, message int, how outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if o.stale(process) || !o.known(message) || o.attemptCounts[message] == 0 {
		return // its process has ended, or attemptBegan reported a violation
	}
	if o.clean {
		o.add(HandledAgain, "message %d, by a process that has ended", message)
	}
	o.ended[how]++
	if o.ending {
		o.late++
	}
	if !o.isBeside(message) {
		o.lanes[o.conversation(message)].busy = -1
	}
	if how == success || how == decline {
		o.finish(message)
	}
}

// dropped records that the client drops a message because of err. The client calls its hook before it acknowledges.
func (o *inboundOracle) dropped(process, message int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		return
	}
	o.drops++
	if o.stale(process) {
		return // a late hook for a message that was acknowledged before its handler ran
	}
	last := o.mode.handlerAttempts > 0 && o.attemptCounts[message] >= o.mode.handlerAttempts
	undone := o.ending && o.mode.ack == blaze.AckReceived
	if !last && !undone && !o.forbiddenAgain(message, err) && o.kind(message) != dropping {
		o.add(DroppedEarly, "message %d, after %d attempts of %d: %v",
			message, o.attemptCounts[message], o.mode.handlerAttempts, err)
	}
	o.state[message] |= dropped
	o.finish(message)
}

// forbiddenAgain reports whether a message was dropped because of a 403 for a reply that may have been stored by an
// earlier attempt. The first attempt treats such a 403 as unconfirmed, a later one as final. The caller holds mu.
func (o *inboundOracle) forbiddenAgain(message int, err error) bool {
	return errors.Is(err, blaze.CodeForbidden) && o.state[message]&attempted != 0 && o.attemptCounts[message] > 1
}

// finish marks a message as finished. The caller holds mu.
func (o *inboundOracle) finish(message int) {
	delete(o.attemptCounts, message)
	delete(o.earlyMessages, message)
	o.state[message] &^= early
	if l := &o.lanes[o.conversation(message)]; !o.isBeside(message) {
		l.last = max(l.last, message)
	}
	o.set(message, finished)
}

// record records a call of the ledger for a message, and its success.
func (o *inboundOracle) record(message int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		o.add(UnknownAck, "recorded number %d", message)
		return
	}
	if o.mode.ack == blaze.AckReceived {
		o.reopenUnrecorded(message) // the ledger is called before the handler
	}
	if !ok {
		o.state[message] |= unrecorded
	}
	o.checkSettled(message, "recorded")
	if ok {
		o.state[message] |= recorded
	}
}

// isRecorded reports whether the ledger has a message.
func (o *inboundOracle) isRecorded(message int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known(message) && o.state[message]&recorded != 0
}

// checkSettled checks that a message may be recorded or acknowledged. The caller holds mu.
func (o *inboundOracle) checkSettled(message int, what string) {
	s := &o.state[message]
	switch {
	case *s&(finished|recorded) != 0:
	case o.mode.ack == blaze.AckReceived:
		*s |= early
		o.earlyMessages[message] = struct{}{}
	default:
		o.add(AckBeforeHandled, "message %d is %s at event %d, after %d attempts",
			message, what, o.now, o.attemptCounts[message])
	}
}

// acknowledged records an acknowledgement that the server accepted. There may be several for a message.
func (o *inboundOracle) acknowledged(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tick()
	if !o.known(message) {
		o.add(UnknownAck, "number %d", message)
		return
	}
	o.checkSettled(message, "acknowledged")
	if !o.mode.memoryLedger && o.state[message]&(recorded|unrecorded) == 0 {
		o.add(AckBeforeRecorded, "message %d", message)
	}
	o.set(message, acked)
}

// ackRejected records a permanently rejected acknowledgement. The client acknowledges the message again when it is
// redelivered.
func (o *inboundOracle) ackRejected(message int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known(message) && o.state[message]&acked == 0 {
		o.state[message] |= ackRejected
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

// tick counts an event, which need not be progress.
func (o *inboundOracle) tick() { o.now++ }

// unfinished returns the number of messages that are not finished or not acknowledged. unacked of them are finished;
// rejected of these had their acknowledgement permanently rejected.
func (o *inboundOracle) unfinished() (left, rejected, unacked int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left > 10_000 {
		return o.left, 0, 0 // far from the end, so not worth a search
	}
	for _, s := range o.state {
		if s&(finished|acked) == finished {
			unacked++
			if s&ackRejected != 0 {
				rejected++
			}
		}
	}
	return o.left, rejected, unacked
}

// isDropped reports whether a message was dropped, so that no handler has to succeed with it.
func (o *inboundOracle) isDropped(message int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known(message) && o.state[message]&dropped != 0
}

// attempts returns the number of attempts by outcome, the number that ended while their process was ending, and the
// number of dropped messages.
func (o *inboundOracle) attempts() (ended [outcomes]int, late, drops int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended, o.late, o.drops
}

// finishAll checks the conditions that hold at the end of a run.
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
