package model

import "slices"

// The constants of the model, in Go. The replay of a trace uses the same.
const (
	messages    = 12
	convs       = 3
	sends       = 6
	ackFrames   = messages // enough to split every acknowledgement
	suspectFrom = 2
	attempts    = 2
	wideOpen    = 1024
)

// status is the state of a message.
type status int

const (
	absent status = iota
	queued
	handling
	backoff
	finished
	acking
)

// progress is the state of a request.
type progress int

const (
	free progress = iota
	waiting
	written
	confirmed
	unconfirmed
)

const (
	none      = -1
	closesOwn = -2
)

// client is the client of delivery.pml in Go: its state, and its transitions as methods with the same names. The caller
// checks that a transition is possible. A rule must be changed in both.
type client struct {
	capacity int
	sendOnly bool // it sends no list

	up        bool
	st        [messages]status
	lane      [convs][]int
	used      int
	closed    [convs]bool
	then      [convs]int
	closedAll bool
	most      int
	low, due  bool
	done      [messages]bool
	tried     [messages]int // attempts of messages that are not handled

	rq            [ackFrames + sends]progress
	mask, whole   [ackFrames]int
	blamed, alone [ackFrames + sends]int
	early         [ackFrames + sends]bool
	order, owed   []int
	awaited       [ackFrames + sends]bool
	solo          int
	soloWritten   bool
	listWritten   bool
	listOwed      bool
	answered      bool
	window        int  // of a slow start; 0: none
	listPassed    bool // it no longer waits for the reply to the list
	cautious      bool
	proven        bool // an acknowledgement of several messages was confirmed
	quiet         bool
	stopped       bool
	added         int // number of sends
}

// conv returns the conversation of a message, like CONV of config.pml in a replay.
func conv(i int) int {
	switch {
	case i < 5:
		return 0
	case i < 9:
		return 1
	}
	return 2
}

func isAck(r int) bool { return r < ackFrames }

func (c *client) suspect(r int) bool { return c.blamed[r] >= suspectFrom }
func (c *client) full() bool         { return c.used >= c.capacity && c.used > 0 }

// took ends a transition.
func (c *client) took() {
	if c.solo == none {
		c.choose()
	}
	if c.most > 0 && !c.stopped && (c.low || 2*c.used <= c.most) {
		c.due = true
	}
}

// next returns the requests that may be written: the oldest acknowledgement and the oldest send.
func (c *client) next() (ack, send int) {
	ack, send = none, none
	if c.solo != none || c.holds() {
		return ack, send
	}
	for _, r := range c.order {
		switch {
		case !c.writable(r) || c.suspect(r):
		case isAck(r) && ack == none:
			ack = r
		case !isAck(r) && send == none:
			send = r
		}
	}
	return ack, send
}

// holds reports whether a slow start delays requests.
func (c *client) holds() bool { return c.listHolds() || c.window > 0 && len(c.owed) >= c.window }

// listHolds reports whether the slow start waits for the reply to the list.
func (c *client) listHolds() bool {
	return c.window > 0 && c.listWritten && !c.answered && !c.listPassed
}

// listLate ends the wait for the reply to the list.
func (c *client) listLate() { c.listPassed = true; c.took() }

func (c *client) writable(r int) bool { return c.rq[r] == waiting && (isAck(r) || !c.quiet) }

// choose begins the turn of a suspect.
func (c *client) choose() {
	oldest := none
	for _, r := range c.order {
		switch {
		case c.suspect(r) && c.rq[r] == waiting && oldest == none:
			oldest = r
		case !c.suspect(r) && c.writable(r) && c.early[r]:
			return
		}
	}
	if c.up && (c.listWritten || c.sendOnly) && oldest != none && c.writable(oldest) {
		c.solo = oldest
	}
}

func (c *client) endTurn() {
	c.solo, c.soloWritten = none, false
	c.allEarly()
}

func (c *client) allEarly() {
	for _, r := range c.order {
		c.early[r] = true
	}
}

// admits reports whether the inbox is open for message i.
func (c *client) admits(i int) bool {
	return c.st[i] == absent && !c.stopped && (c.most == 0 || !c.closedAll && !c.closed[conv(i)])
}

// push offers message i to the inbox. from is the conversation that releases a message for it, if there are several
// candidates.
func (c *client) push(i, from int) {
	l := conv(i)
	if c.admits(i) {
		if c.full() {
			c.makeCapacity(i, from)
		}
		if !c.full() {
			c.lane[l] = append(c.lane[l], i)
			c.used++
			c.st[i] = queued
			c.first(l)
		}
	}
	c.took()
}

// largest returns the candidates to release their newest message for one of conversation l: the largest conversations,
// closed ones before others.
func (c *client) largest(l int) (all []int) {
	most, closed := len(c.lane[l])+1, false
	for x := range c.lane {
		n := len(c.lane[x])
		switch {
		case x == l || n < 2 || n < most || n == most && (len(all) == 0 || closed && !c.closed[x]):
		case n > most || c.closed[x] && !closed:
			all, most, closed = []int{x}, n, c.closed[x]
		default:
			all = append(all, x)
		}
	}
	return all
}

// heads returns the candidates to release their only message, which is backing off, for a message that would be the
// first of its conversation. It had more attempts than that message, and no other candidate had more.
func (c *client) heads(i int) (all []int) {
	most := c.tried[i]
	for x := range c.lane {
		if len(c.lane[x]) != 1 || c.st[c.lane[x][0]] != backoff {
			continue
		}
		switch n := c.tried[c.lane[x][0]]; {
		case n > most:
			all, most = []int{x}, n
		case n == most && len(all) > 0:
			all = append(all, x)
		}
	}
	return all
}

// candidates returns the conversations that may release a message for message i.
func (c *client) candidates(i int) []int {
	all := c.largest(conv(i))
	if len(all) == 0 && len(c.lane[conv(i)]) == 0 {
		return c.heads(i)
	}
	return all
}

func (c *client) acksFill() bool {
	inLanes := 0
	for x := range c.lane {
		inLanes += len(c.lane[x])
	}
	return 2*inLanes < c.used
}

// closesOwn reports whether message i, which does not fit, closes its conversation, which is empty.
func (c *client) closesOwn(i int) bool {
	return !c.acksFill() && len(c.candidates(i)) == 0 && len(c.lane[conv(i)]) == 0 && c.tried[i] > 0
}

func (c *client) makeCapacity(i, from int) {
	l, candidates := conv(i), c.candidates(i)
	switch {
	case c.acksFill():
		c.closedAll = true
	case len(candidates) > 0:
		if len(candidates) == 1 {
			from = candidates[0]
		}
		last := len(c.lane[from]) - 1
		gone := c.lane[from][last]
		c.st[gone] = absent
		c.lane[from] = c.lane[from][:last]
		c.used--
		c.close(from)
	case len(c.lane[l]) > 0:
		c.close(l)
	case c.closesOwn(i):
		c.close(l)
	default:
		c.closedAll = true
	}
	c.most = max(c.most, c.used, 1)
}

func (c *client) close(l int) { c.closed[l], c.then[l] = true, len(c.lane[l]) }

func (c *client) pop(l int) int {
	i := c.lane[l][0]
	c.lane[l] = c.lane[l][1:]
	c.tried[i] = 0
	c.first(l)
	if c.closed[l] && 2*len(c.lane[l]) <= c.then[l] {
		c.low = true
	}
	return i
}

// first lets the first message of a conversation go on with its backoff if it was released before.
func (c *client) first(l int) {
	if len(c.lane[l]) > 0 && c.st[c.lane[l][0]] == queued && c.tried[c.lane[l][0]] > 0 {
		c.st[c.lane[l][0]] = backoff
	}
}

// The transitions of the worker of conversation l.

func (c *client) known(l int)  { c.st[c.pop(l)] = finished; c.took() }
func (c *client) begin(l int)  { c.attempt(l) }
func (c *client) retry(l int)  { c.st[c.lane[l][0]] = backoff; c.took() }
func (c *client) wake(l int)   { c.attempt(l) }
func (c *client) finish(l int) { i := c.pop(l); c.st[i], c.done[i] = finished, true; c.took() }

func (c *client) attempt(l int) {
	i := c.lane[l][0]
	c.st[i] = handling
	c.tried[i]++
	c.took()
}

func (c *client) release(l int) {
	c.st[c.pop(l)] = absent
	c.used--
	c.took()
}

// acknowledge adds a request for all finished messages, and returns it.
func (c *client) acknowledge() int {
	r := slices.Index(c.rq[:ackFrames], free)
	for i := range c.st {
		if c.st[i] == finished {
			c.st[i] = acking
			c.mask[r] |= 1 << i
		}
	}
	c.add(r)
	return r
}

func (c *client) add(r int) {
	c.rq[r] = waiting
	c.order = append(c.order, r)
	c.took()
}

// send adds the next send, and returns its request.
func (c *client) send() int {
	r := ackFrames + c.added
	c.added++
	c.add(r)
	return r
}

// The transitions of the writer.

func (c *client) list()            { c.listWritten, c.listOwed = true, true; c.took() }
func (c *client) writeAck(r int)   { c.write(r) }
func (c *client) writeSend(r int)  { c.write(r) }
func (c *client) writeAlone(r int) { c.soloWritten = true; c.write(r) }

func (c *client) write(r int) {
	c.rq[r] = written
	if !slices.Contains(c.owed, r) {
		c.owed = append(c.owed, r)
	}
	c.took()
}

// canWriteAlone reports whether the suspect with the turn may be written.
func (c *client) canWriteAlone() bool {
	return c.solo != none && !c.soloWritten && !c.listOwed &&
		(len(c.owed) == 0 || len(c.owed) == 1 && c.owed[0] == c.solo)
}

// listed is the reply to the list.
func (c *client) listed() { c.answered, c.listOwed = true, false; c.took() }

func (c *client) ackConfirmed(r int)  { c.confirm(r) }
func (c *client) sendConfirmed(r int) { c.confirm(r) }

func (c *client) confirm(r int) {
	c.answered = true
	if c.several(r) {
		c.proven = true
	}
	c.ended(r, confirmed)
	if c.window *= 2; c.window >= wideOpen {
		c.window = 0
	}
	c.took()
}

// ended removes a request.
func (c *client) ended(r int, how progress) {
	c.order = without(c.order, r)
	c.owed = without(c.owed, r)
	c.awaited[r] = false
	if c.solo == r {
		c.endTurn()
	}
	c.blamed[r], c.alone[r], c.early[r] = 0, 0, false
	if !isAck(r) {
		c.rq[r] = how
		return
	}
	ids := c.mask[r]
	if c.whole[r] != 0 {
		ids = c.whole[r]
	}
	c.mask[r], c.whole[r], c.rq[r] = 0, 0, free
	if slices.Contains(c.whole[:], ids) {
		return // another part has not ended
	}
	for i := range c.st {
		if ids&(1<<i) != 0 && c.st[i] == acking {
			c.st[i] = absent
			c.used--
		}
	}
}

func without(list []int, r int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(x int) bool { return x == r })
}

// stop releases every message that is not being handled.
func (c *client) stop() {
	c.stopped = true
	for l := range c.lane {
		stay := 0
		if len(c.lane[l]) > 0 && c.st[c.lane[l][0]] == handling {
			stay = 1
		}
		for _, i := range c.lane[l][stay:] {
			c.st[i] = absent
			c.used--
		}
		c.lane[l] = c.lane[l][:stay]
	}
	c.took()
}
